// `bun run bench` (bench): the compiled server on core 0 under the load on core 1, as it is and without GSO, batching and spinning. `--scrapes`: what reading
// /metrics costs; `--before=COMMIT`: reads by an older executable and by this one, in turn. `--write` puts the table into docs/performance.md.

import { parseArgs } from "node:util";

import { compare, type ComparisonRow, comparisonTableOf } from "./compare.ts";
import { machineLine, writeBetween } from "./page.ts";
import { ourProgram } from "./peers/programs.ts";
import { benchScrapes, type ScrapeRow, scrapeTableOf } from "./scrapes.ts";
import { benchVariants, type VariantRow, variantTablesOf } from "./variants.ts";

const HELP = `bun run bench [--scrapes | --before COMMIT] [--only TEXT] [--repeats N] [--json] [--write]

  --scrapes    a load without and with scrapes of /metrics
  --before     reads by the executable of an older commit, which is built for it, or at a path; may be repeated
  --only       loads whose name contains TEXT
  --repeats    how often everything is run, in turn: 3
  --quick      small files, to see whether it works
  --json       the figures as they are
  --write      into docs/performance.md`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    scrapes: { type: "boolean", default: false },
    before: { type: "string", multiple: true, default: [] },
    only: { type: "string", default: "" },
    repeats: { type: "string", default: "3" },
  },
});
const repeats: number = Number(values.repeats);
const command: string = ["bun run bench", ...process.argv.slice(2)].join(" ");
if (values.help) {
  console.log(HELP);
} else if (values.quick && values.write) {
  console.error("what --quick measures is not for the page: leave out one of --quick and --write");
  process.exitCode = 1;
} else {
  await bench(await ourProgram());
}

async function bench(binary: string): Promise<void> {
  if (values.scrapes) {
    const rows: ScrapeRow[] = [];
    for await (const row of benchScrapes(binary, repeats, values.only)) {
      rows.push(row);
      console.error(scrapeTableOf([row]).split("\n")[2]);
    }
    await publish("bench-scrapes", rows, scrapeTableOf(rows), `${repeats} pairs`);
  } else if (values.before.length > 0) {
    const rows: ComparisonRow[] = [];
    for (const before of values.before) {
      for await (const row of compare(before, binary, repeats, values.only)) {
        rows.push(row);
        console.error(comparisonTableOf([row]).split("\n")[2]);
      }
    }
    await publish("bench-before", rows, comparisonTableOf(rows), `${repeats} pairs`);
  } else {
    const rows: VariantRow[] = [];
    for await (const some of benchVariants(binary, repeats, values.only, values.quick)) {
      rows.push(...some);
      console.error(variantTablesOf(some));
    }
    await publish("bench", rows, variantTablesOf(rows), `best of ${repeats}`);
  }
}

/** Prints tables with their circumstances, or the figures as they are, and puts them on the page where that was asked for. */
async function publish(
  name: string,
  rows: readonly object[],
  tables: string,
  times: string,
): Promise<void> {
  const text = `${machineLine(command, times)}\n\n${tables}`;
  console.log(values.json ? JSON.stringify(rows, undefined, 2) : text);
  if (values.write) await writeBetween("docs/performance.md", name, text);
}
