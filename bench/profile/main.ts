// `bun run profile SCENARIO` (bench): where the time of one load goes. Runs the server from its sources, whose functions have names, and leaves a CPU profile
// of kernel and user code, a flame graph, context switches, system calls and allocation per packet in profile-out/. `--missed` explains missed targets.

import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { machineLine, markdownTable, writeBetween } from "../page.ts";
import { hasGroups } from "../peers/group.ts";
import { type Row, rowName, rows, shrunk } from "../peers/rows.ts";
import { flameGraph } from "./flame.ts";
import { type Account, isPerTransfer, missedIn, missedTables, type Spent } from "./missed.ts";
import { type Profile, profiled } from "./record.ts";
import { dearestOf, foldedText, hottestOf, sharesOf } from "./stacks.ts";

const HELP = `bun run profile SCENARIO
bun run profile --missed [--only TEXT] [--repeats N] [--write]

  SCENARIO     a part of the name of a row of the comparison
  --list       prints those names
  --missed     every row of which the comparison in docs/performance.md missed a target, and its floor
  --only       of those, whose name contains TEXT; more than once, any of them
  --repeats    how often each is profiled: 2
  --write      into docs/performance.md`;

const root: string = resolve(import.meta.dir, "../..");
const page = "docs/performance.md";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    missed: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [""] },
    repeats: { type: "string", default: "2" },
    write: { type: "boolean", default: false },
  },
});
const command: string = ["bun run profile", ...process.argv.slice(2)].join(" ");
const [wanted] = positionals;
const chosen: Row | undefined = rows.find((row) => rowName(row).includes(wanted ?? "\n"));
if (values.help) {
  console.log(HELP);
} else if (values.list || (chosen === undefined && !values.missed)) {
  console.log(`${HELP}\n`);
  for (const row of rows) console.log(`  ${rowName(row)}`);
  process.exitCode = values.list ? 0 : 1;
} else if (Bun.which("perf") === null) {
  console.error("perf is missing: apt-get install linux-perf");
  process.exitCode = 1;
} else if (!hasGroups()) {
  console.error(
    "CPU time is counted as the comparison counts it, by control groups: run it as root",
  );
  process.exitCode = 1;
} else if (values.missed) {
  await explainMissed(Number(values.repeats));
} else if (chosen !== undefined) {
  // Half as large, as in the comparison.
  await profileOne(shrunk(chosen, 0.5));
}

async function profileOne(row: Row): Promise<void> {
  const out = await emptyFolder(rowName(row));
  const profile = await profiled("ours", row, out, true);
  await leave(profile, out, rowName(row));
  const text = summary(row, profile, await allocationText());
  await Bun.write(`${out}/summary.md`, text);
  console.log(`${text}\n${out}/flame.svg`);
}

/** Profiles ours and the floor in turn. */
async function explainMissed(repeats: number): Promise<void> {
  const missed = missedIn(await Bun.file(`${root}/${page}`).text()).filter(({ row }) =>
    values.only.some((text) => rowName(row).includes(text)),
  );
  const accounts: Account[] = [];
  for (const { row, targets } of missed) {
    const profiles: Record<"ours" | "floor", Profile[]> = { ours: [], floor: [] };
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      for (const who of row.hasFloor ? (["ours", "floor"] as const) : (["ours"] as const)) {
        const name = `${rowName(row)} ${who} ${repeat}`;
        const out = await emptyFolder(name);
        const profile = await profiled(who, row, out);
        await leave(profile, out, name);
        profiles[who].push(profile);
      }
    }
    const floor = row.hasFloor ? spentBy(row, profiles.floor) : undefined;
    const account = { row, targets, ours: spentBy(row, profiles.ours), floor };
    console.error(missedTables([account]));
    accounts.push(account);
  }
  const line = machineLine(command, `${repeats} processes of each, up to four runs in a process`);
  const tables =
    accounts.length === 0 ? "The last comparison met every target." : missedTables(accounts);
  const text = `${line}\n\n${tables}`;
  console.log(text);
  if (values.write) await writeBetween(page, "profile-missed", text);
}

/** All runs together. */
function spentBy(row: Row, profiles: readonly Profile[]): Spent {
  const sum = (of: (profile: Profile) => number): number =>
    profiles.reduce((total, profile) => total + of(profile), 0);
  const cpu = sum(({ run }) => run.cpuSeconds);
  const cost = isPerTransfer(row)
    ? (cpu / sum(({ run }) => run.completed)) * 1e6
    : (cpu / sum(({ run }) => run.bytes)) * 1e9;
  const switches = profiles.flatMap((profile) => profile.switches);
  const perRun = (of: (each: (typeof switches)[number]) => number): number =>
    switches.reduce((total, each) => total + of(each), 0) / sum(({ runs }) => runs);
  return {
    cost,
    stacks: profiles.flatMap(({ stacks }) => stacks),
    waits: perRun(({ voluntary }) => voluntary),
    preemptions: perRun(({ involuntary }) => involuntary),
  };
}

async function emptyFolder(name: string): Promise<string> {
  const out = `${root}/profile-out/${name.replaceAll(/[^\w]+/g, "-")}`;
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  return out;
}

/** The same stacks for other tools, and as a picture. */
async function leave({ stacks }: Profile, out: string, name: string): Promise<void> {
  await Bun.write(`${out}/stacks.folded`, foldedText(stacks));
  await Bun.write(`${out}/flame.svg`, flameGraph(stacks, name));
}

/** What bench/allocation.ts says: of a load of its own, for a heap has to be asked from within. */
async function allocationText(): Promise<string> {
  const child = Bun.spawn([process.execPath, `${root}/bench/allocation.ts`, "--json"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const found = JSON.parse(text) as { shard: { packets: number; bytesPerPacketMax: number } };
  const { packets, bytesPerPacketMax } = found.shard;
  return `at most ${bytesPerPacketMax.toFixed(2)} bytes of heap per packet, in ${packets} packets`;
}

function summary(row: Row, profile: Profile, allocation: string): string {
  const { run: result, stacks, switches, syscalls } = profile;
  const megabytes = result.bytes / 1e6;
  const calls =
    syscalls === undefined
      ? "System calls could not be counted."
      : `System calls: ${(syscalls / row.transfers).toFixed(1)} per transfer` +
        (megabytes > 0 ? `, ${(syscalls / megabytes).toFixed(1)} per MB.` : ".");
  const dearest = dearestOf(stacks, 25).map(([name, share]) => [`\`${name}\``, percent(share)]);
  const hottest = hottestOf(stacks, 25).map(([name, share]) => [`\`${name}\``, percent(share)]);
  const shares = sharesOf(stacks).map(([origin, share]) => [origin, percent(share)]);
  const threads = switches.map(({ thread, voluntary, involuntary }) => [
    thread,
    String(voluntary),
    String(involuntary),
  ]);
  return [
    `# ${rowName(row)}`,
    machineLine(command, `${profile.runs} runs`),
    `${result.completed} of ${result.transfers} complete in ${result.seconds.toFixed(2)} s. ${calls} Allocation: ${allocation}.`,
    markdownTable(["samples in", "share"], shares, 1),
    markdownTable(["our function, with what it calls elsewhere", "share"], dearest, 1),
    markdownTable(["place, by itself", "share"], hottest, 1),
    markdownTable(["thread", "waits", "preemptions"], threads, 1),
  ].join("\n\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
