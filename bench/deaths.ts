// What the death of a worker costs its clients (bench): `bun bench/deaths.ts [--deaths=N] [--write]` kills the only worker of a server N times (100),
// and tells how long a client waits that asks every millisecond, and what is left of memory and descriptors.

import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { deathsOf, startMortal } from "../test/e2e/mortal.ts";
import { ack, openPeer, readRequest } from "../test/e2e/wire.ts";
import { machineLine, markdownTable, writeBetween } from "./page.ts";

const { values } = parseArgs({
  options: {
    deaths: { type: "string", default: "100" },
    write: { type: "boolean", default: false },
  },
});
const deaths = Number(values.deaths);

await using server = await startMortal(1);
server.put("file", new Uint8Array(400));

/** Asks for the file every millisecond; resolves to how long the first block took. */
async function answerMs(): Promise<number> {
  using peer = await openPeer();
  const startMs = performance.now();
  for (;;) {
    peer.send(readRequest("file"), server.port);
    await Bun.sleep(1);
    const first = peer.waiting().find(({ text }) => text === "DATA 1 400");
    if (first === undefined) continue;
    const waitedMs = performance.now() - startMs;
    peer.send(ack(1), first.port);
    return waitedMs;
  }
}

/** Resident MiB, and descriptors. */
function holdings(): readonly string[] {
  const rssKb = /^VmRSS:\s+(?<kb>\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"));
  const fds = readdirSync(`/proc/${server.pid}/fd`).length;
  return [(Number(rssKb?.groups?.["kb"]) / 1024).toFixed(0), String(fds)];
}

for (let warm = 0; warm < 20; warm += 1) await answerMs();
const before = holdings();
const waits: number[] = [];
for (let death = 1; death <= deaths; death += 1) {
  using peer = await openPeer();
  peer.send(readRequest("die-throwing"), server.port);
  waits.push(await answerMs());
  while (deathsOf(server).length < death) await Bun.sleep(1);
  // The next thread in reserve has loaded by then.
  await Bun.sleep(200);
}
waits.sort((one, other) => one - other);
const after = holdings();
const at = (share: number): string =>
  (waits[Math.floor(share * (waits.length - 1))] ?? 0).toFixed(1);
const head = ["a client waits, ms", "least", "median", "95 %", "most"];
const table = markdownTable(head, [[`in ${deaths} deaths`, at(0), at(0.5), at(0.95), at(1)]], 1);
const held = markdownTable(
  ["the process holds", "resident MiB", "descriptors"],
  [
    ["before", ...before],
    [`after ${deaths} deaths`, ...after],
  ],
  1,
);
const command = ["bun bench/deaths.ts", ...process.argv.slice(2)].join(" ");
const text = `${machineLine(command, `${deaths} deaths`)}\n\n${table}\n\n${held}`;
console.log(text);
if (values.write) await writeBetween("docs/performance.md", "bench-deaths", text);
