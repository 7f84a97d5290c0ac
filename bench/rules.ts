// How long a decision takes (bench): ten thousand rules of each of several kinds, requests of which some meet one of them,
// and the median and the 99th percentile of the time of one decision. `bun bench/rules.ts [--write]`

import { parseArgs } from "node:util";

import { Random } from "#base/random.ts";
import { parseAddress } from "#policy/address.ts";
import type { Policy } from "#policy/policy.ts";
import type { Asking, RuleSpec } from "#policy/rule.ts";

import { asking, glob, policyOf, ruleSpec } from "../test/unit/policy/rig.ts";
import { machineLine, markdownTable, writeBetween } from "./page.ts";

const RULES = 10_000;
const REQUESTS = 20_000;

const random: Random = new Random(1);

/** Kinds of lists, by what their rules ask. */
const kinds: Readonly<Record<string, (index: number) => Partial<RuleSpec>>> = {
  "one file each": (index) => ({
    pattern: glob(`configs/switch-${index}.cfg`),
    rewrite: `s/${index}`,
  }),
  "one prefix each": (index) => ({
    pattern: glob(`rack${index}/*`),
    roots: [{ folder: 0, path: `r/${index}` }],
  }),
  "one suffix each": (index) => ({
    pattern: glob(`*-${hex(index)}.img`),
    rewrite: "images/{1}.img",
  }),
  "one regex each": (index) => ({
    pattern: {
      kind: "regex",
      text: `^pxelinux\\.cfg/01-(${hex(index)})-[0-9a-f]+$`,
      ignoreCase: true,
    },
    rewrite: "cfg/{1}",
  }),
  "one client each": (index) => ({ client: [clientAt(index)], rate: "slow" }),
  "one network each": (index) => ({
    client: [`10.${index >>> 8}.${index & 255}.0/24`],
    blockBytesMax: 1428,
  }),
  "one hardware address each": (index) => ({
    mac: [macAt(index)],
    roots: [{ folder: 0, path: `h/${index}` }],
  }),
  "all of these": (index) => {
    const each = Object.values(kinds)[index % 7];
    return each === undefined ? {} : each(index);
  },
};

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const head = [
  "what each rule asks",
  "median, µs",
  "99 %, µs",
  "compiled in, ms",
  "rewritten or rated",
];
const lines: string[][] = Object.keys(kinds).map(lineOf);
const command: string = ["bun bench/rules.ts", ...process.argv.slice(2)].join(" ");
const line: string = machineLine(command, "the second of 2 rounds");
const text: string = `${line}\n\n${markdownTable(head, lines, 1)}`;
console.log(text);
if (values.write) await writeBetween("docs/performance.md", "bench-rules", text);

function lineOf(kind: string): string[] {
  const startMs = performance.now();
  const policy = policyWith(kinds[kind] ?? (() => ({})));
  const compileMs = performance.now() - startMs;
  const requests = Array.from({ length: REQUESTS }, (_, index) => requestAt(index));
  const times = new Float64Array(REQUESTS);
  let matches = 0;
  for (let round = 0; round < 2; round += 1) {
    // The first round warms up.
    matches = 0;
    for (const [index, request] of requests.entries()) {
      const start = Bun.nanoseconds();
      const decision = policy.decide(request);
      times[index] = Bun.nanoseconds() - start;
      if (decision.ruling.name !== request.name || decision.ruling.rate !== "") matches += 1;
    }
  }
  times.sort();
  const median = ((times[REQUESTS >>> 1] ?? 0) / 1000).toFixed(1);
  const late = ((times[Math.floor(REQUESTS * 0.99)] ?? 0) / 1000).toFixed(1);
  const share = `${Math.round((100 * matches) / REQUESTS)} %`;
  return [kind, median, late, compileMs.toFixed(0), share];
}

function policyWith(rule: (index: number) => Partial<RuleSpec>): Policy {
  const rules = Array.from({ length: RULES }, (_, index) =>
    ruleSpec({ label: `rule ${index}`, ...rule(index) }),
  );
  return policyOf({ rules });
}

/** A request for one of the files that some kind of list knows, or for another. */
function requestAt(index: number): Asking {
  const number = random.below(RULES);
  const names = [
    `configs/switch-${number}.cfg`,
    `rack${number}/vmlinuz-6.1.0-28-amd64`,
    `/boot/image-${hex(number)}.img`,
    `pxelinux.cfg/01-${hex(number)}-ff`,
    "EFI/BOOT/grubx64.efi",
  ];
  const name = names[index % names.length] ?? "";
  return asking(name, { client: parseAddress(clientAt(number)) ?? "", mac: macAt(number) });
}

function hex(index: number): string {
  return (0xa0_00_00 + index * 7).toString(16);
}

function clientAt(index: number): string {
  return `10.${index >>> 8}.${index & 255}.7`;
}

function macAt(index: number): string {
  const digits = (0x12_34_56_78_00_00 + index).toString(16).padStart(12, "0");
  return digits.replaceAll(/..(?!$)/g, "$&:");
}
