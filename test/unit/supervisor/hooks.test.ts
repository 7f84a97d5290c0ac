// Hooks with real programs and a real web server: success, failure and success, time limits, a full queue, shutdown.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { HookSettings } from "#config/settings-hooks.ts";
import type { UploadRecord } from "#server/contract.ts";
import type { HookLimits } from "#supervisor/hook-lane.ts";
import { Hooks } from "#supervisor/hooks.ts";

import { received } from "./samples.ts";

const folder = mkdtempSync(join(tmpdir(), "hooks-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A retry a millisecond later, so that a test need not wait for it. */
const limits: HookLimits = { waitingMax: 100, runningMax: 4, backoffMs: 1 };

const record: UploadRecord = {
  ...received,
  timeMs: Date.UTC(2026, 10, 21, 3),
  peer: "[fe80::1%eth0]:2070",
  target: ".q/backups/sw1.cfg",
  duplicates: 0,
  options: "",
  sha256: "ab".repeat(32),
  isReplacement: true,
};

interface Said {
  readonly event: string;
  readonly severity: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const secrets = new Map([["/etc/secret", "a-secret-of-some-length"]]);

/** Hooks whose events are kept. */
function hooksOf(
  settings: readonly HookSettings[],
  given: Partial<HookLimits> = {},
): { hooks: Hooks; said: Said[]; events: () => string[] } {
  const said: Said[] = [];
  const log = {
    event: (event: string, severity: string, fields: Readonly<Record<string, unknown>>): void => {
      said.push({ event, severity, fields });
    },
  };
  const hooks = new Hooks(settings, secrets, log, { ...limits, ...given });
  return { hooks, said, events: () => said.map(({ event }) => event) };
}

/** A hook that runs a shell script; `$1` is a file of its own. */
function script(text: string, given: Partial<HookSettings> = {}): HookSettings {
  const argv = ["/bin/sh", "-c", text, "hook", fileCalled("mark")];
  return {
    events: ["upload"],
    pattern: "*",
    action: { kind: "command", argv },
    timeoutMs: 60_000,
    retries: 0,
    ...given,
  };
}

let files = 0;
function fileCalled(name: string): string {
  files += 1;
  return join(folder, `${files}-${name}`);
}

/** The file that a script of {@link script} knows as `$1`. */
function markOf({ action }: HookSettings): string {
  return action.kind === "command" ? (action.argv.at(-1) ?? "") : "";
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(2);
}

describe("a command", () => {
  test("is run without a shell, with the event and nothing else in its environment", async () => {
    const mark = fileCalled("environment");
    const argv = ["/usr/bin/env", "-u", "x", "/bin/sh", "-c", 'env > "$1"; cat', "$HOME;x", mark];
    const { hooks, said } = hooksOf([script("", { action: { kind: "command", argv } })]);
    hooks.record({ ...record, path: "a;$(id) b", sha256: undefined });
    await hooks.idle();
    expect(said).toMatchObject([
      {
        event: "hook_completed",
        severity: "info",
        fields: { hook: "/usr/bin/env", file: "a;$(id) b", attempt: 1 },
      },
    ]);
    const lines = readFileSync(mark, "utf8").trim().split("\n").toSorted();
    // A shell adds its own three.
    expect(lines.filter((line) => !/^(?:PWD|_|SHLVL|OLDPWD)=/.test(line))).toEqual([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "SNOW_OWL_ADDRESS=fe80::1%eth0",
      "SNOW_OWL_BOOT=",
      "SNOW_OWL_EVENT=upload",
      "SNOW_OWL_FILE=a;$(id) b",
      expect.stringMatching(/^SNOW_OWL_ID=[\da-f-]{36}$/),
      "SNOW_OWL_MAC=",
      "SNOW_OWL_PATH=/srv/up/.q/backups/sw1.cfg",
      "SNOW_OWL_PEER=[fe80::1%eth0]:2070",
      "SNOW_OWL_REPLACED=1",
      "SNOW_OWL_SHA256=",
      "SNOW_OWL_SIZE=12345",
      "SNOW_OWL_TIME=2026-11-21T03:00:00.000Z",
    ]);
  });

  test("is called for the names of its pattern alone, and for complete uploads alone", async () => {
    const { hooks, said } = hooksOf([
      script("true", { pattern: "*.cfg" }),
      script("true", { pattern: "/backups/*" }),
      script("true", { pattern: "*.txt" }),
    ]);
    hooks.record({ ...record, isSuccess: false, outcome: "gave-up" });
    hooks.record(record);
    await hooks.idle();
    expect(said).toHaveLength(2);
  });

  test("that fails is tried again until it succeeds", async () => {
    const hook = script('echo x >> "$1"; echo "no good" >&2; test $(wc -l < "$1") = 3', {
      retries: 5,
    });
    const { hooks, said, events } = hooksOf([hook]);
    hooks.record(record);
    await hooks.idle();
    expect(events()).toEqual(["hook_failed", "hook_failed", "hook_completed"]);
    expect(said[0]).toMatchObject({
      severity: "warn",
      fields: { attempt: 1, error: "exit code 1", output: "no good" },
    });
    expect(said[2]?.fields).toMatchObject({ attempt: 3 });
    expect(readFileSync(markOf(hook), "utf8")).toBe("x\nx\nx\n");
  });

  test("that goes on failing is given up after its retries", async () => {
    const { hooks, said, events } = hooksOf([script("kill -9 $$", { retries: 2 })]);
    hooks.record(record);
    await hooks.idle();
    expect(events()).toEqual(["hook_failed", "hook_failed", "hook_given_up"]);
    expect(said[2]).toMatchObject({ severity: "error", fields: { error: "ended by SIGKILL" } });
  });

  test("that is not there is a failure with its cause", async () => {
    const action = { kind: "command", argv: ["/nowhere/program"] } as const;
    const { hooks, said } = hooksOf([script("", { action })]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([{ event: "hook_given_up", fields: { error: "ENOENT" } }]);
  });

  test("that takes too long is ended, with what it started", async () => {
    const hook = script('sleep 1000 & echo $! > "$1"; echo waiting; wait', { timeoutMs: 1000 });
    const { hooks, said } = hooksOf([hook]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([
      { event: "hook_given_up", fields: { error: "time limit reached", output: "waiting" } },
    ]);
    const pid = readFileSync(markOf(hook), "utf8").trim();
    await until(() => isGone(pid));
  });

  test("that does not listen to SIGTERM is killed", async () => {
    const hook = script('trap "" TERM; echo $$ > "$1"; while :; do sleep 1; done', {
      timeoutMs: 1000,
    });
    const { hooks, said } = hooksOf([hook]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([{ fields: { error: "time limit reached" } }]);
    const pid = readFileSync(markOf(hook), "utf8").trim();
    await until(() => isGone(pid));
  });

  test("that prints without end does not fill memory or stand still", async () => {
    const { hooks, said } = hooksOf([
      script("head -c 3000000 /dev/zero | tr '\\0' x; echo e >&2; exit 3"),
    ]);
    hooks.record(record);
    await hooks.idle();
    expect(said[0]?.fields["error"]).toBe("exit code 3");
    expect(said[0]?.fields["output"]).toBe(`${"x".repeat(2048)}e`);
  });

  test("cannot speak to a terminal through the log", async () => {
    const { hooks, said } = hooksOf([script("printf 'a\\n\\033[2Jb'")]);
    hooks.record(record);
    await hooks.idle();
    expect(said[0]?.fields["output"]).toBe(String.raw`a\x0a\x1b[2Jb`);
  });

  test("that leaves a child behind is not waited for", async () => {
    const hook = script('sleep 1000 & echo $! > "$1"; echo done');
    const { hooks, said } = hooksOf([hook]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([{ event: "hook_completed", fields: { output: "done" } }]);
    process.kill(Number(readFileSync(markOf(hook), "utf8")), "SIGKILL");
  });
});

describe("a web service", () => {
  const asked: { path: string; type: string | null; secret: string | null; body: unknown }[] = [];
  let failures = 0;
  let server: Bun.Server<undefined>;
  beforeAll(() => {
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { pathname } = new URL(request.url);
        asked.push({
          path: pathname,
          type: request.headers.get("Content-Type"),
          secret: request.headers.get("Authorization"),
          body: await request.json(),
        });
        if (pathname === "/moved") return Response.redirect("/elsewhere", 307);
        if (pathname === "/slow") await Bun.sleep(600_000);
        if (pathname === "/flaky" && failures++ < 2) return new Response("busy", { status: 503 });
        return new Response("thanks");
      },
    });
  });
  afterAll(() => server.stop(true));

  function post(path: string, given: Partial<HookSettings> = {}): HookSettings {
    const url = `http://127.0.0.1:${server.port}${path}?token=secret`;
    const headers = [{ name: "Authorization", value: "Bearer x" }];
    return script("", { action: { kind: "post", url, headers, secretFile: undefined }, ...given });
  }

  test("gets the event as JSON", async () => {
    const { hooks, said } = hooksOf([post("/fine")]);
    hooks.record(record);
    await hooks.idle();
    expect(asked.filter(({ path }) => path === "/fine")).toEqual([
      {
        path: "/fine",
        type: "application/json",
        secret: "Bearer x",
        body: {
          event: "upload",
          id: expect.any(String),
          time: "2026-11-21T03:00:00.000Z",
          peer: "[fe80::1%eth0]:2070",
          address: "fe80::1%eth0",
          mac: null,
          boot: null,
          file: "backups/sw1.cfg",
          path: "/srv/up/.q/backups/sw1.cfg",
          size: 12_345,
          sha256: "ab".repeat(32),
          replaced: true,
        },
      },
    ]);
    expect(said).toMatchObject([
      {
        event: "hook_completed",
        fields: { hook: `http://127.0.0.1:${server.port}/fine`, output: "thanks" },
      },
    ]);
  });

  test("that is busy is asked again", async () => {
    const { hooks, said, events } = hooksOf([post("/flaky", { retries: 2 })]);
    hooks.record(record);
    await hooks.idle();
    expect(events()).toEqual(["hook_failed", "hook_failed", "hook_completed"]);
    expect(said[0]?.fields).toMatchObject({ error: "HTTP status 503", output: "busy" });
  });

  test("that sends us elsewhere is not obeyed", async () => {
    const { hooks, said } = hooksOf([post("/moved")]);
    hooks.record(record);
    await hooks.idle();
    expect(said[0]?.fields).toMatchObject({ error: "HTTP status 307" });
    expect(asked.filter(({ path }) => path === "/elsewhere")).toEqual([]);
  });

  test("that does not answer in time is a failure", async () => {
    const { hooks, said } = hooksOf([post("/slow", { timeoutMs: 100 })]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([
      { event: "hook_given_up", fields: { error: "time limit reached" } },
    ]);
  });

  test("that is not there is a failure", async () => {
    const url = "http://127.0.0.1:1/";
    const { hooks, said } = hooksOf([
      script("", { action: { kind: "post", url, headers: [], secretFile: undefined } }),
    ]);
    hooks.record(record);
    await hooks.idle();
    expect(said).toMatchObject([{ event: "hook_given_up", fields: { error: "ECONNREFUSED" } }]);
  });
});

describe("the queue", () => {
  test("runs a few at a time, in order", async () => {
    const place = fileCalled("place");
    const names = ["f0", "f1", "f2", "f3", "f4"];
    Bun.spawnSync(["mkfifo", ...names.map((name) => `${place}-${name}.go`)]);
    // Says that it runs, and then waits for a line.
    const text = `: > ${place}-$SNOW_OWL_FILE; read line < ${place}-$SNOW_OWL_FILE.go`;
    const { hooks, said } = hooksOf([script(text)], { runningMax: 2 });
    for (const path of names) hooks.record({ ...record, path });
    for (const [ended, name] of names.entries()) {
      const running = names.slice(0, ended + 2);
      const started = (): string[] => names.filter((each) => existsSync(`${place}-${each}`));
      await until(() => started().length >= running.length);
      expect(started()).toEqual(running);
      await writeFile(`${place}-${name}.go`, "\n");
      await until(() => said.length > ended);
    }
    await hooks.idle();
    expect(said.map(({ fields }) => fields["file"])).toEqual(names);
    // Five programs, one after another, on a machine that is busy with other things.
  }, 60_000);

  test("that is full drops what comes, says so at once, and how much when there is room", async () => {
    const gate = fileCalled("gate");
    const { hooks, said } = hooksOf([script(`until test -e ${gate}; do sleep 0.01; done`)], {
      runningMax: 1,
      waitingMax: 4,
    });
    for (let index = 0; index < 12; index += 1) hooks.record({ ...record, path: `f${index}` });
    expect(said).toEqual([
      {
        event: "hook_queue_full",
        severity: "warn",
        fields: { hook: "/bin/sh", event: "upload", file: "f5", client_addr: record.peer },
      },
    ]);
    writeFileSync(gate, "");
    await hooks.idle();
    const dropped = said.filter(({ event }) => event === "hook_calls_dropped");
    expect(dropped).toEqual([
      {
        event: "hook_calls_dropped",
        severity: "error",
        fields: { hook: "/bin/sh", calls: 7, because: "the queue was full" },
      },
    ]);
    expect(said.filter(({ event }) => event === "hook_completed")).toHaveLength(5);
  });

  test("counts what waits for a retry", async () => {
    const { hooks, events } = hooksOf([script("false", { retries: 1 })], {
      waitingMax: 1,
      backoffMs: 3_600_000,
    });
    hooks.record(record);
    await until(() => events().includes("hook_failed"));
    hooks.record(record);
    expect(events()).toEqual(["hook_failed", "hook_queue_full"]);
    hooks.endWithin(60_000);
    await hooks.idle();
  });
});

describe("shutdown", () => {
  test("without calls is idle at once", async () => {
    const { hooks, said } = hooksOf([]);
    hooks.record(record);
    hooks.endWithin(3_600_000);
    await hooks.idle();
    expect(said).toEqual([]);
  });

  test("lets calls end, and makes the last attempt of what waits for a retry at once", async () => {
    const first = script('echo x >> "$1"; test $(wc -l < "$1") = 2', { retries: 9 });
    const { hooks, events } = hooksOf([first], { backoffMs: 3_600_000 });
    hooks.record(record);
    await until(() => events().includes("hook_failed"));
    hooks.endWithin(3_600_000);
    await hooks.idle();
    expect(events()).toEqual(["hook_failed", "hook_completed"]);
  });

  test("repeats nothing any more", async () => {
    const { hooks, events } = hooksOf([script("false", { retries: 9 })]);
    hooks.endWithin(3_600_000);
    hooks.record(record);
    await hooks.idle();
    expect(events()).toEqual(["hook_given_up"]);
  });

  test("ends at its deadline what does not end, and says what was dropped", async () => {
    const hook = script('echo $$ > "$1"; sleep 1000', { retries: 9 });
    const { hooks, said } = hooksOf([hook], { runningMax: 1 });
    hooks.record(record);
    hooks.record(record);
    hooks.record(record);
    await until(() => existsSync(markOf(hook)) && readFileSync(markOf(hook), "utf8") !== "");
    hooks.endWithin(0);
    await hooks.idle();
    hooks.record(record);
    const because = "the server is shutting down";
    expect(said).toMatchObject([
      { event: "hook_calls_dropped", fields: { calls: 2, because } },
      { event: "hook_given_up", fields: { attempt: 1, error: because } },
      { event: "hook_calls_dropped", fields: { calls: 1, because } },
    ]);
    const pid = readFileSync(markOf(hook), "utf8").trim();
    await until(() => isGone(pid));
  });
});

/** Whether a process has ended; one that its parent has not looked at yet counts. */
function isGone(pid: string): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}
