// Bars and lines, as they are written, at times that the test says.

import { expect, test } from "bun:test";

import { type Moving, ProgressView } from "#cli/progress.ts";

/** ECMA-48: the cursor goes up so many lines, and what is below goes. */
const ONE_UP = "\u001B[1A\u001B[J";
const TWO_UP = "\u001B[2A\u001B[J";

function moving(name: string, bytes: number, bytesTotal?: number): Moving {
  return { name, startMs: 0, progress: { bytes, bytesTotal } };
}

function view(columns?: number): { readonly view: ProgressView; readonly written: () => string } {
  let text = "";
  const width = columns === undefined ? undefined : (): number => columns;
  const made = new ProgressView((more) => (text += more), width, 0);
  const written = (): string => {
    const taken = text;
    text = "";
    return taken;
  };
  return { view: made, written };
}

test("on a terminal, a bar per file, drawn over the one before", () => {
  const { view: bars, written } = view(100);
  bars.draw([moving("boot.wim", 0, 10_000_000)], 0);
  bars.draw([moving("boot.wim", 2_500_000, 10_000_000)], 1000);
  bars.draw([moving("boot.wim", 5_000_000, 10_000_000), moving("unknown", 1_234_567)], 2000);
  bars.draw([moving("boot.wim", 5_000_001, 10_000_000)], 2050);
  bars.clear();
  expect(written().split("\n")).toEqual([
    "boot.wim                   0 % [>                             ]      0 B                      ",
    `${ONE_UP}boot.wim                  25 % [#######>                      ]   2.5 MB    2.5 MB/s  ETA 0:03`,
    `${ONE_UP}boot.wim                  50 % [###############>              ]   5.0 MB    2.5 MB/s  ETA 0:02`,
    "unknown                          1.2 MB    0.6 MB/s          ",
    TWO_UP,
  ]);
});

test("a narrow terminal gets no bar, and no line that is longer than it", () => {
  const { view: bars, written } = view(60);
  bars.draw([moving(`${"folder/".repeat(10)}name`, 5_000_000, 10_000_000)], 1000);
  const [line = ""] = written().split("\n");
  expect(line).toStartWith("…lder/folder/folder/name");
  expect(line.length).toBeLessThan(60);
  expect(line).not.toContain("[");
});

test("elsewhere, a line every ten seconds", () => {
  const { view: lines, written } = view();
  lines.draw([moving("boot.wim", 1_000_000, 100_000_000)], 5000);
  expect(written()).toBe("");
  lines.draw([moving("boot.wim", 10_000_000, 100_000_000), moving("text", 500)], 10_000);
  expect(written()).toBe("boot.wim: 10 % of 100 MB, 1.0 MB/s, ETA 1:30\ntext: 500 B, 0.000 MB/s\n");
  lines.draw([moving("boot.wim", 11_000_000, 100_000_000)], 15_000);
  expect(written()).toBe("");
  lines.clear();
  expect(written()).toBe("");
});
