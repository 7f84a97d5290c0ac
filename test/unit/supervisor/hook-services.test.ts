// Web services that hooks tell, at their worst: silent, endless, broken off, gone. Each ends the attempt within its time; none holds
// up another hook. And what a service needs to trust a call.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";

import type { HookSettings } from "#config/settings-hooks.ts";
import type { TransferRecord } from "#server/contract.ts";
import type { HookLimits } from "#supervisor/hook-lane.ts";
import { signatureOf } from "#supervisor/hook-secrets.ts";
import { Hooks } from "#supervisor/hooks.ts";

const limits: HookLimits = { waitingMax: 100, runningMax: 4, backoffMs: 1 };
const SECRET = "a-secret-of-some-length";

const record: TransferRecord = {
  kind: "transfer",
  transferId: 1,
  timeMs: Date.UTC(2026, 10, 21, 3),
  peer: "10.0.0.7:2070",
  interfaceIndex: 0,
  listener: 0,
  localAddress: undefined,
  name: "pxelinux.0",
  mode: "octet",
  outcome: "complete",
  isSuccess: true,
  fileBytes: 1000,
  bytes: 1000,
  durationUs: 93_000,
  blockBytes: 512,
  windowBlocks: 1,
  blocksSent: 2,
  blocksResent: 0,
  timeouts: 0,
  rttUs: 0,
  options: "",
  sha256: undefined,
};

interface Said {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function hooksOf(
  settings: readonly HookSettings[],
  secret = SECRET,
): { hooks: Hooks; said: Said[] } {
  const said: Said[] = [];
  const log = {
    event: (event: string, _severity: string, fields: Said["fields"]): void => {
      said.push({ event, fields });
    },
  };
  const hooks = new Hooks(settings, new Map([["/etc/secret", secret]]), log, limits);
  return { hooks, said };
}

function post(url: string, given: Partial<HookSettings> = {}, secretFile?: string): HookSettings {
  return {
    events: ["transfer_completed"],
    pattern: "*",
    action: { kind: "post", url, headers: [], secretFile },
    timeoutMs: 60_000,
    retries: 0,
    ...given,
  };
}

/** A service that does what it likes with a connection, once it has heard a request. */
async function serviceThat(
  does: (socket: Socket) => void,
): Promise<AsyncDisposable & { url: string }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => does(socket));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

/** What the log says of one call of a hook at `url`. */
async function fateOf(url: string, timeoutMs = 60_000): Promise<Said | undefined> {
  const { hooks, said } = hooksOf([post(url, { timeoutMs })]);
  hooks.record(record);
  await hooks.idle();
  return said[0];
}

describe("a service", () => {
  test("that is silent, or answers by halves, is given up in time", async () => {
    await using silent = await serviceThat(() => undefined);
    await using halting = await serviceThat((socket) => void socket.write("HTTP/1.1 200 O"));
    for (const { url } of [silent, halting]) {
      expect(await fateOf(url, 100)).toMatchObject({
        event: "hook_given_up",
        fields: { error: "time limit reached" },
      });
    }
  });

  test("that breaks off, or speaks no HTTP, has failed", async () => {
    await using broken = await serviceThat((socket) => socket.destroy());
    await using strange = await serviceThat((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
    for (const { url } of [broken, strange]) {
      const fate = await fateOf(url);
      expect(fate?.event).toBe("hook_given_up");
      expect(fate?.fields["error"]).toMatch(/^\w+/);
    }
  });

  test("whose name nobody knows has failed", async () => {
    expect((await fateOf("http://nowhere.invalid/"))?.event).toBe("hook_given_up");
  });

  test("that has said 200 has succeeded, however much follows and if it never ends", async () => {
    await using endless = await serviceThat((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
      const more = (): void => {
        while (!socket.destroyed && socket.write("x".repeat(65_536)));
      };
      socket.on("drain", more);
      more();
    });
    await using slow = await serviceThat((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbe");
    });
    const fate = await fateOf(endless.url);
    expect(fate).toMatchObject({ event: "hook_completed" });
    expect(String(fate?.fields["output"])).toHaveLength(2048);
    expect(await fateOf(slow.url, 500)).toMatchObject({
      event: "hook_completed",
      fields: { output: "be" },
    });
  });
});

describe("a hook that hangs", () => {
  test("holds up no other", async () => {
    await using silent = await serviceThat(() => undefined);
    await using kind = await serviceThat((socket) => {
      socket.end("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
    const { hooks, said } = hooksOf([post(silent.url), post(kind.url)]);
    for (let index = 0; index < 20; index += 1) hooks.record(record);
    const completed = (): number => said.filter(({ event }) => event === "hook_completed").length;
    while (completed() < 20) await Bun.sleep(2);
    expect(hooks.load).toEqual({ waiting: 16, running: 4 });
    expect(hooks.counts).toEqual({ completed: 20, failed: 0, givenUp: 0, dropped: 0 });
    hooks.endWithin(0);
    await hooks.idle();
    expect(hooks.counts).toEqual({ completed: 20, failed: 0, givenUp: 4, dropped: 16 });
  });

  test("keeps its calls when a reload leaves it as it is, and ends them when it is gone", async () => {
    await using silent = await serviceThat(() => undefined);
    const { hooks } = hooksOf([post(silent.url)]);
    hooks.record(record);
    hooks.switchTo([post(silent.url)], new Map());
    hooks.switchTo([post("http://127.0.0.1:1/")], new Map());
    hooks.record({ ...record, isSuccess: false, outcome: "gave-up" });
    expect(hooks.load).toEqual({ waiting: 0, running: 1 });
    hooks.endWithin(0);
    await hooks.idle();
    expect(hooks.counts).toMatchObject({ givenUp: 1 });
  });
});

describe("a signed call", () => {
  const heard: { signature: string | null; body: string }[] = [];
  let server: Bun.Server<undefined>;
  beforeAll(() => {
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const signature = request.headers.get("X-Snow-Owl-Signature");
        heard.push({ signature, body: await request.text() });
        return new Response("", { status: heard.length < 2 ? 503 : 200 });
      },
    });
  });
  afterAll(() => server.stop(true));

  test("has the time of its attempt, and the body that came; its retry is the same event", async () => {
    const url = `http://127.0.0.1:${server.port}/`;
    const beforeMs = Date.now();
    const { hooks } = hooksOf([post(url, { retries: 1 }, "/etc/secret")]);
    hooks.record(record);
    await hooks.idle();
    expect(heard).toHaveLength(2);
    for (const { signature, body } of heard) {
      const seconds = Number(/^t=(\d+),v1=[\da-f]{64}$/.exec(signature ?? "")?.[1]);
      expect(seconds * 1000).toBeGreaterThanOrEqual(beforeMs - 1000);
      expect(signature).toBe(signatureOf(body, SECRET, seconds * 1000));
      expect(body).toBe(heard[0]?.body ?? "");
    }
  });

  test("has the secret of the last reload; an unsigned one has no signature", async () => {
    const url = `http://127.0.0.1:${server.port}/`;
    const signed = post(url, {}, "/etc/secret");
    const { hooks } = hooksOf([signed, post(url)]);
    hooks.switchTo(
      [signed, post(url)],
      new Map([["/etc/secret", "another-secret-of-some-length"]]),
    );
    heard.length = 2;
    hooks.record(record);
    await hooks.idle();
    const [unsigned, other] = heard.slice(2).toSorted((one) => (one.signature === null ? -1 : 1));
    expect(unsigned?.signature).toBeNull();
    const seconds = Number(/^t=(\d+)/.exec(other?.signature ?? "")?.[1]);
    expect(other?.signature).toBe(
      signatureOf(other?.body ?? "", "another-secret-of-some-length", seconds * 1000),
    );
  });
});
