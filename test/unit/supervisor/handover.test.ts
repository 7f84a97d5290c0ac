// The old server's side of a hand-over, with a test in the place of the usher and of the new server: who reads requests at each step, and
// what the service manager is told.

import { afterEach, expect, test } from "bun:test";

import { closeEnd, hear, openPairs, say } from "#io/pair.ts";
import { Handover } from "#supervisor/handover.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Rig {
  readonly handover: Handover;
  /** What happened, in order: events, doors, the manager, words to the successor. */
  readonly log: readonly string[];
  /** Says something in the new server's place. */
  readonly say: (text: string) => void;
  /** Waits until a line of the log begins like this. */
  readonly happened: (line: string) => Promise<void>;
}

function rig(options: { readonly waitMs?: number; readonly closed?: Promise<void> } = {}): Rig {
  const pairs = openPairs(["messages", "messages"]);
  if ("fault" in pairs) throw new Error(pairs.fault);
  const [orders, channel] = pairs;
  if (orders === undefined || channel === undefined) throw new Error("no pairs");
  const log: string[] = [];
  const listening = setInterval(() => {
    const word = hear(channel.theirs);
    if (word !== undefined) log.push(`heard ${word}`);
    const order = hear(orders.theirs);
    if (order?.startsWith("start") === true) log.push(order.trim());
  }, 1);
  const handover = new Handover({
    succession: { ordersFd: orders.ours, channelFd: channel.ours, relayFds: [] },
    waitMs: options.waitMs ?? 60_000,
    shards: {
      open: () => void log.push("open"),
      close: () => {
        log.push("close");
        return options.closed ?? Promise.resolve();
      },
    },
    notices: { nameMain: (pid) => void log.push(`main ${pid === process.pid ? "self" : pid}`) },
    log: {
      event: (name, _severity, fields) =>
        void log.push(`${name} ${JSON.stringify(fields["because"] ?? "")}`),
    },
    obstacle: () => undefined,
    handedOver: ({ pid, version }) => void log.push(`handed over to ${pid} ${version}`),
  });
  closing.push(() => {
    clearInterval(listening);
    handover.end();
    for (const { ours, theirs } of pairs) [ours, theirs].forEach(closeEnd);
  });
  return {
    handover,
    log,
    say: (text) => void say(channel.theirs, text),
    async happened(line) {
      const untilMs = performance.now() + 20_000;
      while (!log.some((each) => each.startsWith(line))) {
        if (performance.now() > untilMs) throw new Error(`no ${line} in ${log.join("; ")}`);
        await Bun.sleep(1);
      }
    },
  };
}

const ready = `1 ready ${JSON.stringify({ pid: 42, version: "2.0.0" })}`;

test("doors close before the manager hears of the successor, and that before the successor is told to read", async () => {
  const { handover, log, say: tell, happened } = rig();
  handover.ask();
  await happened("start 1");
  tell(ready);
  await happened("heard 1 take");
  expect(log).toEqual([
    'handover_started ""',
    "start 1",
    'handing_over ""',
    "close",
    "main 42",
    "heard 1 take",
  ]);
  tell("1 took");
  await happened("handed over to 42 2.0.0");
});

test("a successor that dies after it was told to read is replaced by this server again", async () => {
  const { handover, log, say: tell, happened } = rig();
  handover.ask();
  tell(ready);
  await happened("heard 1 take");
  tell("1 ended\n");
  await happened("handover_failed");
  expect(log.slice(-3)).toEqual([
    "open",
    "main self",
    'handover_failed "it ended before it was ready; what it said is on standard error"',
  ]);
  handover.ask();
  await happened("start 2");
});

test("one that dies while doors close is not told to read", async () => {
  const closed = Promise.withResolvers<void>();
  const { handover, log, say: tell, happened } = rig({ closed: closed.promise });
  handover.ask();
  tell(ready);
  await happened("close");
  tell("1 ended\n");
  await happened("handover_failed");
  closed.resolve();
  await Bun.sleep(20);
  expect(log).toContain("open");
  expect(log).not.toContain("main 42");
  expect(log.some((line) => line.includes("take"))).toBe(false);
});

test("its own reason is told, and words of another attempt count for nothing", async () => {
  const { handover, log, say: tell, happened } = rig();
  handover.ask();
  await happened("start 1");
  tell("7 took");
  tell(`7 ready ${JSON.stringify({ pid: 7, version: "7" })}`);
  tell("1 refused port 69 is not ours");
  tell("1 ended\n");
  await happened('handover_failed "port 69 is not ours"');
  expect(log).not.toContain("close");
});

test("one that takes too long is told to end, and no other begins before it has", async () => {
  const { handover, say: tell, happened } = rig({ waitMs: 50 });
  handover.ask();
  handover.ask();
  await happened('handover_refused "a hand-over is under way"');
  await happened('handover_failed "it was not ready within 0.05 s"');
  await happened("heard 1 give-up");
  handover.ask();
  await happened('handover_refused "the server of the last hand-over has not ended yet"');
  tell(ready);
  tell("1 ended\n");
  const asking = setInterval(() => handover.ask(), 5);
  await happened("start 2");
  clearInterval(asking);
});

test("a server that ends when its successor was just told to read still hears that it does", async () => {
  const { handover, log, say: tell, happened } = rig();
  handover.ask();
  tell(ready);
  await happened("heard 1 take");
  handover.end();
  tell("1 took");
  await happened("handed over to 42 2.0.0");
  expect(log).not.toContain("heard 1 give-up");
});
