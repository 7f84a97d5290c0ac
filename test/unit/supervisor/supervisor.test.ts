// The life of the server's process: banner, signals, repeated deaths. Runs serve-child.ts, whose shards are stand-ins.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "supervisor-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** An hour: a test that waited for it would fail by its own time limit. */
const LONG_MS = 3_600_000;

test("the banner says where, what and how; SIGTERM ends an idle server with 0", async () => {
  const root = rootCalled("drains");
  writeFileSync(join(root, "hello.txt"), "hello\n");
  const child = start(root, 17_301, LONG_MS, "text");
  await child.said("try:");
  expect(child.output()).toContain(`snow-owl-tftp 0.0.0 serving ${root} on 127.0.0.1:17301 (UDP)`);
  expect(child.output()).toContain("2 workers; fast paths on: recvmmsg, sendmmsg, gso");
  expect(child.output()).toContain("try:  curl -o hello.txt tftp://127.0.0.1:17301/hello.txt");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(child.output()).toMatch(/server_draining signal=SIGTERM/);
  expect(child.output()).toMatch(/server_shutdown reason=SIGTERM/);
});

test("a second signal ends a drain that would take an hour", async () => {
  const child = start(rootCalled("drains-never"), 17_302, LONG_MS, "text");
  await child.said("serving");
  child.kill("SIGINT");
  await child.said("server_draining");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(child.output()).toContain("second signal (SIGTERM)");
});

test("the drain's deadline ends what does not end itself", async () => {
  const child = start(rootCalled("drains-never"), 17_303, 50, "text");
  await child.said("serving");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(child.output()).toContain("cut off by the deadline");
});

test("a shard that obeys nothing does not keep the process", async () => {
  const child = start(rootCalled("hangs"), 17_307, 10, "text");
  await child.said("serving");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(child.output()).toContain("server_shutdown");
});

test("JSON has events instead of the banner", async () => {
  const root = rootCalled("drains");
  const child = start(root, 17_304, LONG_MS, "json");
  await child.said("server_started");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  const events = child
    .output()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map((event) => event["event_type"])).toEqual([
    "configuration_loaded",
    "server_started",
    "server_draining",
    "server_shutdown",
  ]);
  expect(events[1]).toMatchObject({
    service: "snow-owl-tftp",
    severity: "info",
    bind_addr: "127.0.0.1:17304",
    root_dir: root,
    multicast_enabled: false,
  });
});

test("an upload's hook is run, and the process waits for it before it says goodbye", async () => {
  const gate = join(folder, "gate");
  const script = `echo called; until test -e ${gate}; do sleep 0.01; done; echo $SNOW_OWL_FILE`;
  const child = start(rootCalled("uploads"), 17_308, LONG_MS, "text", script);
  await child.said("received sw1.cfg 5 B");
  child.kill("SIGTERM");
  await child.said("server_draining");
  writeFileSync(gate, "");
  expect(await child.exited).toBe(0);
  // The banner may come in between: the stand-in for a shard reports its upload as soon as it lives.
  expect(child.output()).toMatch(
    /hook_completed hook=\/bin\/sh file=sw1\.cfg .* output=called\\x0asw1\.cfg\n[^]*server_shutdown reason=SIGTERM/,
  );
});

test("a hook that does not end is ended with the drain", async () => {
  const child = start(rootCalled("uploads"), 17_309, 50, "text", "sleep 1000");
  await child.said("received sw1.cfg 5 B");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(child.output()).toContain("error: hook_given_up hook=/bin/sh file=sw1.cfg");
  expect(child.output()).toContain('error="the server is shutting down"');
  expect(child.output()).toContain("server_shutdown");
});

test("workers that cannot live end the process with a message", async () => {
  const child = start(rootCalled("dies-always"), 17_305, LONG_MS, "text");
  expect(await child.exited).toBe(70);
  expect(child.output()).toContain("workers die again and again");
  expect(child.output()).toContain("TypeError: cannot live");
  expect(child.output().match(/server_shutdown/g)).toHaveLength(1);
});

test("a reader of the log that goes away does not end the server", async () => {
  const child = start(rootCalled("drains"), 17_306, LONG_MS, "json");
  await child.said("server_started");
  await child.stopListening();
  // The drain writes two lines into nothing; only then does the process end, with 0.
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});

const childModule = new URL("serve-child.ts", import.meta.url).pathname;

interface Child {
  readonly exited: Promise<number>;
  readonly output: () => string;
  /** Resolves when standard output or error contains `text`. */
  readonly said: (text: string) => Promise<void>;
  /** Closes the pipe that the child's standard output goes to. */
  readonly stopListening: () => Promise<void>;
  readonly kill: (signal: "SIGTERM" | "SIGINT") => void;
}

function start(
  root: string,
  port: number,
  drainMs: number,
  format: "text" | "json",
  ...script: readonly string[]
): Child {
  const child = Bun.spawn(
    [process.execPath, childModule, root, String(port), String(drainMs), format, ...script],
    { stdout: "pipe", stderr: "pipe" },
  );
  let heard = "";
  const out = child.stdout.getReader();
  const listen = async (reader: typeof out): Promise<void> => {
    const decoder = new TextDecoder();
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) return;
      heard += decoder.decode(value, { stream: true });
    }
  };
  const closed = Promise.all([listen(out), listen(child.stderr.getReader())]);
  return {
    exited: closed.then(() => child.exited),
    output: () => heard,
    said: async (text) => {
      while (!heard.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended without "${text}": ${heard}`);
        await Bun.sleep(2);
      }
    },
    stopListening: () => out.cancel(),
    kill: (signal) => child.kill(signal),
  };
}

/** A root folder whose name tells the stand-in how to behave. */
function rootCalled(behaviour: string): string {
  const root = join(folder, behaviour);
  mkdirSync(root, { recursive: true });
  return root;
}
