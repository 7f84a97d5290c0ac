// How long an ordinary client waits while others are at their limits (bench): from its request to its first block, beside nobody,
// beside floods that limits turn away, and beside clients that use up a bandwidth. `bun bench/limits.ts [--write]`

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { machineLine, markdownTable, writeBetween } from "./page.ts";
import { ourProgram } from "./peers/programs.ts";

const PROBES = 1000;
const PROBE_EVERY_MS = 5;
const PORT = 20_000 + (process.pid % 10_000);

/** What goes on beside the probes, by name: the load's kind, and how many clients it has. */
const scenarios: readonly (readonly [name: string, kind: string, clients: number])[] = [
  ["nobody", "nothing", 0],
  ["requests beyond `requests_per_second`, as fast as they can be sent", "requests", 64],
  ["requests that are never acknowledged, beyond `half_open_per_network`", "half-open", 2000],
  ["clients that ask for more than `transfers_per_client`", "greedy", 64],
  ["datagrams that are no TFTP, as fast as they can be sent", "malformed", 64],
  ["40 clients with windows of 16 that use up `mbit_per_second`", "bulk", 40],
];

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const folder = mkdtempSync(join(tmpdir(), "snow-owl-bench-"));
writeFileSync(join(folder, "file"), new Uint8Array(4000));
writeFileSync(join(folder, "image"), new Uint8Array(64_000_000));
writeFileSync(
  join(folder, "server.toml"),
  `root_dir = "${folder}"
bind_addr = "127.0.0.1:${PORT}"
[logging]
level = "warn"
format = "json"
[limits]
transfers_per_client = 8
half_open_per_network = 256
requests_per_second = 1000
request_burst = 1000
mbit_per_second = 400
`,
);
const server = Bun.spawn([await ourProgram(), "--config", join(folder, "server.toml")], {
  stdout: "pipe",
});
let turnedAway = 0;
const lines: string[][] = [];
void countTurnedAway();
try {
  await Bun.sleep(500);
  for (const [name, kind, clients] of scenarios) {
    const load = Bun.spawn(
      [
        process.execPath,
        join(import.meta.dir, "limits-load.ts"),
        kind,
        String(clients),
        String(PORT),
      ],
      { stdout: "ignore", stderr: "inherit" },
    );
    // The load is at its limit within a second.
    await Bun.sleep(1500);
    turnedAway = 0;
    const waits = await probe();
    load.kill();
    await load.exited;
    const [median, p95, p99] = [0.5, 0.95, 0.99].map((share) =>
      percentile(waits, share).toFixed(2),
    );
    const unanswered = String(PROBES - waits.length);
    lines.push([name, String(turnedAway), median ?? "", p95 ?? "", p99 ?? "", unanswered]);
    console.error(lines.at(-1)?.join(" | "));
    // Those that were never acknowledged are given up meanwhile, or end with their sockets.
    await Bun.sleep(1000);
  }
} finally {
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true });
}

const head = ["beside", "turned away", "median ms", "95 % ms", "99 % ms", "unanswered"];
const command = ["bun bench/limits.ts", ...process.argv.slice(2)].join(" ");
const circumstances = `${machineLine(command, `${PROBES} probes each`)}, shared by server, load and probes`;
const text = `${circumstances}\n\n${markdownTable(head, lines, 1)}`;
console.log(text);
if (values.write) await writeBetween("docs/performance.md", "bench-limits", text);

/** Adds up what the log says. It hears of each limit once a second, so the last second's may be missing. */
async function countTurnedAway(): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of server.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      turnedAway += Number(/"requests_refused":(?<count>\d+)/.exec(line)?.groups?.["count"] ?? 0);
    }
  }
}

/** The times from request to first block, in milliseconds, of clients of many networks; what is not answered has none. */
async function probe(): Promise<readonly number[]> {
  const waits: number[] = [];
  for (let count = 0; count < PROBES; count += 1) {
    void ask(`127.1.${count % 250}.1`).then((waitMs) => waitMs !== undefined && waits.push(waitMs));
    await Bun.sleep(PROBE_EVERY_MS);
  }
  // As long as a client would wait before it asks again.
  await Bun.sleep(1000);
  return waits.toSorted((a, b) => a - b);
}

/** Asks with an option, acknowledges the OACK, and takes the first block. */
async function ask(from: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const startMs = performance.now();
  const socket = await Bun.udpSocket({
    hostname: from,
    socket: {
      data(own, datagram, port, address) {
        if (datagram[1] === 6) own.send(Uint8Array.of(0, 4, 0, 0), port, address);
        if (datagram[1] === 3) {
          own.send(Buffer.from("\0\x05\0\0enough\0", "latin1"), port, address);
          resolve(performance.now() - startMs);
        }
        if (datagram[1] === 5) resolve(undefined);
      },
    },
  });
  socket.send("\0\x01file\0octet\0blksize\x001428\0", PORT, "127.0.0.1");
  const timer = setTimeout(() => resolve(undefined), 1000);
  const waitMs = await promise;
  clearTimeout(timer);
  // The ERROR has left with the call; nothing is queued in a UDP socket.
  socket.close();
  return waitMs;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
