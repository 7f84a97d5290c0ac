// What `bun run profile` makes of what perf and the engine leave: names for compiled code, stacks that can be counted, a picture of them.
// The inputs are short ones of the same form; that perf gives such is seen by running it.

import { expect, test } from "bun:test";

import { flameGraph } from "../../../bench/profile/flame.ts";
import { jitSymbolsOf, livingOf, perfMapOf } from "../../../bench/profile/jit-symbols.ts";
import {
  dearestOf,
  foldedText,
  hottestOf,
  sharesOf,
  stacksOf,
} from "../../../bench/profile/stacks.ts";

const script = `Worker   375
\tffffffff8203fd77 udp_send_skb ([kernel.kallsyms])
\t          10b106 __sendmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    7fed288ed4fc JSC-DFG: flush#CFrVnq (/tmp/perf-357.map)
\t    7fed288ed800 JSC-DFG: turn#B9wqUk (/tmp/perf-357.map)
\t         1879aa1 [unknown] (/usr/local/bin/bun)
\t         18562c4 [unknown] (/usr/local/bin/bun)

Worker   376
\t         1879aa1 [unknown] (/usr/local/bin/bun)
\t    7fed288ed4fc JSC-FTL: flush#DFrVnq (/tmp/perf-357.map)
\t    7fed288ed800 JSC-FTL: turn#A9wqUk (/tmp/perf-357.map)
\t         1879aa1 [unknown] (/usr/local/bin/bun)

Worker   375
\t         1879aa1 [unknown] (/usr/local/bin/bun)
\t    7fed288ed4fc JSC-FTL: flush#DFrVnq (/tmp/perf-357.map)
\t    7fed288ed800 JSC-FTL: turn#A9wqUk (/tmp/perf-357.map)
\t         1879aa1 [unknown] (/usr/local/bin/bun)

bun  357
\tffffffff81000130 schedule ([kernel.kallsyms])
`;

test("samples of one stack are counted together, whichever thread and compiler they are of", () => {
  expect(foldedText(stacksOf(script))).toBe(
    [
      "Worker;engine;turn;flush;__sendmmsg;udp_send_skb 1",
      "Worker;engine;turn;flush;engine 2",
      "bun;schedule 1",
      "",
    ].join("\n"),
  );
});

test("time is told by place, by origin and by our function that it was spent for", () => {
  const stacks = stacksOf(script);
  expect(hottestOf(stacks, 2)).toEqual([
    ["engine", 0.5],
    ["udp_send_skb", 0.25],
  ]);
  expect(sharesOf(stacks)).toEqual([
    ["kernel", 0.5],
    ["engine", 0.5],
  ]);
  expect(dearestOf(stacks, 9)).toEqual([
    ["flush", 0.75],
    ["(no function: bun)", 0.25],
  ]);
});

test("a flame graph has a titled frame for each place, as wide as its share", () => {
  const svg = flameGraph(stacksOf(script), "a < b");
  expect(svg).toContain("a &lt; b");
  const frames = [
    ...svg.matchAll(
      /<title>([^:]+): ([\d.]+) %, (\d+) samples<\/title><rect x="([\d.]+)" [^>]*width="([\d.]+)"/g,
    ),
  ].map(([, name, ...numbers]) => ({ name, numbers: numbers.map(Number) }));
  expect(frames).toContainEqual({ name: "all", numbers: [100, 4, 0, 1599.6] });
  expect(frames).toContainEqual({ name: "flush", numbers: [75, 3, 0, 1199.6] });
  expect(frames).toContainEqual({ name: "schedule", numbers: [25, 1, 1200, 399.6] });
  expect(svg.match(/<g>/g)?.length).toBe(svg.match(/<\/g>/g)?.length);
});

test("compiled code gets its names from the engine's dump, but for a record that is not whole", () => {
  const name = new TextEncoder().encode("JSC-DFG: turn#A9wqUk\0");
  const header = 40;
  const record = 56 + name.length + 3;
  const dump = new Uint8Array(header + record + 20);
  const view = new DataView(dump.buffer);
  view.setUint32(0, 0x4a695444, true);
  view.setUint32(8, header, true);
  for (const at of [header, header + record]) {
    view.setUint32(at + 4, record, true);
    if (at + record > dump.length) break;
    view.setBigUint64(at + 32, 0x7fed_288e_d000n, true);
    view.setBigUint64(at + 40, 0x40n, true);
    dump.set(name, at + 56);
  }
  expect(perfMapOf(jitSymbolsOf(dump))).toBe("7fed288ed000 40 JSC-DFG: turn#A9wqUk\n");
  expect(() => jitSymbolsOf(new Uint8Array(64))).toThrow("no jitdump");
});

test("of code that lay in one place after another only the last is there", () => {
  const dumped = (
    [
      [0x100n, "gone: its end was written over"],
      [0x200n, "stays"],
      [0x120n, "gone: its beginning was"],
      [0x108n, "first"],
      [0x118n, "second"],
      [0x210n, "behind"],
    ] as const
  ).map(([address, name]) => ({ address, bytes: 0x10n, name }));
  const names = livingOf(dumped).map(({ name }) => name);
  expect(names).toEqual(["first", "second", "stays", "behind"]);
});
