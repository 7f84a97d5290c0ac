// `bun run bench:peers` (bench): ours beside others and all other figures of docs/performance.md anew, one command after the other, each of which writes its own part of the page.
// What fails is told at the end; the others are run all the same.

import { parseArgs } from "node:util";

import { machineLine, markdownTable, writeBetween } from "./page.ts";
import { ALL, type Section, sections } from "./sections.ts";

const HELP = `bun run bench:peers [--only TEXT] [--list]

  --only       sections whose title contains TEXT; more than once, any of them
  --list       prints what would be run

Installs what the project needs, builds the executable, and writes docs/performance.md, docs/img and README.md. Needs root, perf and strace, and a machine with
nothing else to do.`;

const root = `${import.meta.dir}/..`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [""] },
  },
});
const chosen: readonly Section[] = sections.filter(({ title }) =>
  values.only.some((text) => title.includes(text)),
);
if (values.help) {
  console.log(HELP);
} else if (values.list) {
  for (const { title, command } of chosen) console.log(`${command.join(" ")}  # ${title}`);
} else {
  process.exitCode = await runAll();
}

async function runAll(): Promise<number> {
  const missing = ["perf", "strace"].filter((program) => Bun.which(program) === null);
  if (missing.length > 0) {
    console.error(`missing: ${missing.join(" and ")}; apt-get install linux-perf strace`);
    return 1;
  }
  // In a fresh clone nothing is there; elsewhere what lies in dist may be another commit's.
  await seconds(["bun", "install", "--frozen-lockfile", "--silent"]);
  await seconds(["bun", "build.ts"]);
  const lines: string[][] = [];
  let failures = 0;
  let total = 0;
  for (const { title, command } of chosen) {
    const text = command.join(" ");
    console.error(`\n== ${title}: ${text}`);
    const spent = await seconds(command);
    if (Number.isNaN(spent)) failures += 1;
    else total += spent;
    const minutes = Number.isNaN(spent) ? "failed" : (spent / 60).toFixed(1);
    lines.push([title, `\`${text}\``, minutes]);
    console.error(`== ${title}: ${minutes} minutes`);
  }
  lines.push(["all", "`bun run bench:peers`", (total / 60).toFixed(1)]);
  const table = markdownTable(["section", "command", "minutes"], lines, 2);
  const command = ["bun run bench:peers", ...process.argv.slice(2)].join(" ");
  const text = `${machineLine(command, "once")}\n\n${table}`;
  console.log(text);
  const isWhole = failures === 0 && chosen.length === sections.length;
  if (isWhole) await writeBetween("docs/performance.md", ALL, text);
  return failures === 0 ? 0 : 1;
}

/** How long `command` took; NaN if it failed. */
async function seconds(command: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const [first = "", ...rest] = command;
  const words = [first === "bun" ? process.execPath : first, ...rest];
  const child = Bun.spawn(words, { cwd: root, stdout: "inherit", stderr: "inherit" });
  const exitCode = await child.exited;
  return exitCode === 0 ? (performance.now() - startMs) / 1000 : Number.NaN;
}
