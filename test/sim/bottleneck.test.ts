// What a slow link with a short queue carries when the windows are longer than the queue, and how competing transfers share it.
// In virtual time, from a fixed seed; prints what docs/reliability.md says.

import { describe, expect, test } from "bun:test";

import { type BottleneckOptions, type BottleneckResult, runBottleneck } from "./bottleneck.ts";

/** An old switch: 100 Mbit/s with room for 16 packets, and windows of 64 blocks. */
const usual: BottleneckOptions = {
  link: { bitsPerSecond: 1e8, queuePackets: 16 },
  transfers: 1,
  staggerUs: 0,
  fileBytes: 30_000_000,
  blockBytes: 1428,
  windowBlocks: 64,
  dialect: "plain",
  delayUs: 100,
  loss: 0,
  isPaced: true,
};

/** The same with and without pacing; prints both. */
function compare(title: string, options: Partial<BottleneckOptions>): [number, number] {
  const [paced, unpaced] = [true, false].map((isPaced) =>
    runBottleneck({ ...usual, ...options, isPaced }),
  ) as [BottleneckResult, BottleneckResult];
  const text = `carries ${percent(paced.carried)}, without pacing ${percent(unpaced.carried)}`;
  process.stdout.write(`bottleneck, ${title}: ${text}\n`);
  return [paced.carried, unpaced.carried];
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

describe("100 Mbit/s with a queue of 16 packets, windows of 64 blocks of 1,428 bytes", () => {
  test.each([
    ["plain", 0.9],
    ["edk2", 0.9],
    // It says nothing of a gap, so that every loss costs a timeout.
    ["grub", 0.7],
    ["ipxe", 0.9],
  ] as const)(
    "a client of %s's kind gets most of the link",
    (dialect, least) => {
      const [paced, unpaced] = compare(dialect, { dialect });
      expect(paced).toBeGreaterThan(least);
      expect(paced).toBeGreaterThan(unpaced);
    },
    60_000,
  );

  test("two transfers share it, whenever the second begins", () => {
    for (const staggerUs of [0, 1_000, 30_001, 300_000]) {
      const options = { ...usual, transfers: 2, fileBytes: 80_000_000, staggerUs };
      const { shares, carried } = runBottleneck(options);
      const ratio = Math.min(...shares) / Math.max(...shares);
      const text = `share ${percent(ratio)}, the link carries ${percent(carried)}`;
      process.stdout.write(`bottleneck, the second ${staggerUs} µs later: ${text}\n`);
      expect(ratio).toBeGreaterThan(0.8);
      expect(carried).toBeGreaterThan(0.85);
    }
  }, 120_000);
});

describe("other links", () => {
  test.each([
    ["10 Mbit/s, queue of 16", { link: { bitsPerSecond: 1e7, queuePackets: 16 } }],
    ["100 Mbit/s, queue of 4", { link: { bitsPerSecond: 1e8, queuePackets: 4 } }],
    ["100 Mbit/s, queue of 16, windows of 256", { windowBlocks: 256 }],
    ["1 Mbit/s, queue of 16", { link: { bitsPerSecond: 1e6, queuePackets: 16 }, fileBytes: 2e6 }],
  ])(
    "%s",
    (title, options) => {
      const [paced, unpaced] = compare(title, { fileBytes: 10_000_000, ...options });
      expect(paced).toBeGreaterThan(0.8);
      expect(paced).toBeGreaterThan(unpaced);
    },
    60_000,
  );

  test("where the queue takes a whole window, nothing is paced and nothing lost", () => {
    const link = { bitsPerSecond: 1e8, queuePackets: 64 };
    const [paced, unpaced] = compare("100 Mbit/s, queue of 64", { link });
    expect(paced).toBe(unpaced);
    expect(paced).toBeGreaterThan(0.95);
  });

  test("losses by chance are no reason to go slowly", () => {
    const link = { bitsPerSecond: 1e8, queuePackets: 100 };
    for (const loss of [0.001, 0.01, 0.05]) {
      const title = `100 Mbit/s, queue of 100, ${percent(loss)} lost each way`;
      const [paced, unpaced] = compare(title, { link, loss, fileBytes: 20_000_000 });
      expect(paced).toBeGreaterThan(0.75 * unpaced);
    }
  });
});
