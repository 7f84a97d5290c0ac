// The log's queue against descriptors that fail: nothing throws, nothing waits, and losses are counted and told.

import { expect, test } from "bun:test";
import { fstatSync, openSync } from "node:fs";

import { LogSink, type WriteBytes } from "#supervisor/logsink.ts";

test("lines are written in order and joined while a write runs", async () => {
  const device = new Device();
  const sink = sinkOn(device);
  for (let line = 0; line < 100; line++) sink.line(`line ${line}`);
  await sink.flush(1000);
  expect(device.lines()).toEqual(Array.from({ length: 100 }, (_, line) => `line ${line}`));
  expect(device.writes).toBeLessThan(5);
});

test("a short write goes on where it stopped", async () => {
  const device = new Device();
  device.bytesMax = 3;
  const sink = sinkOn(device);
  sink.line("a long line");
  sink.line("another");
  await sink.flush(1000);
  expect(device.lines()).toEqual(["a long line", "another"]);
});

test("a slow pipe (EAGAIN) loses nothing", async () => {
  const device = new Device();
  device.failures = ["EAGAIN"];
  const sink = sinkOn(device);
  sink.line("first");
  sink.line("second");
  await sink.flush(5000);
  expect(device.lines()).toEqual(["first", "second"]);
  expect(sink.lostLines).toBe(0);
});

test.each(["EPIPE", "ENOSPC", "EIO"])(
  "%s loses lines, which the next good line tells",
  async (code) => {
    const device = new Device();
    device.failures = [code];
    const sink = sinkOn(device);
    sink.line("lost");
    await Bun.sleep(1);
    expect(sink.lostLines).toBe(1);
    sink.line("kept");
    await sink.flush(5000);
    expect(device.lines()).toEqual([`1 lost: ${code}`, "kept"]);
    expect(sink.lostLines).toBe(0);
  },
);

test("a reader that stops fills the queue and no more", async () => {
  const device = new Device();
  device.isStuck = true;
  const sink = sinkOn(device);
  const line = "x".repeat(1023);
  for (let count = 0; count < 10_000; count++) sink.line(line);
  // 4 MiB of 1 KiB lines wait; the rest is counted.
  expect(sink.lostLines).toBe(10_000 - 4096);
  await sink.flush(10);
  expect(device.lines()).toEqual([]);
});

test("a reopened log leaves whole lines in the old file, and closes it", async () => {
  const device = new Device();
  device.bytesMax = 3;
  const [first, second] = [devNull(), devNull()];
  const sink = sinkOn(device, first);
  sink.line("begun in the old one");
  sink.line("behind it");
  await Bun.sleep(1);
  sink.reopen(second);
  sink.line("in the new one");
  await sink.flush(1000);
  expect(device.linesOn(first)).toEqual(["begun in the old one"]);
  expect(device.linesOn(second)).toEqual(["behind it", "in the new one"]);
  expect(isOpen(first)).toBe(false);
  expect(isOpen(second)).toBe(true);
  sink.close();
  expect(isOpen(second)).toBe(false);
});

test("a line that the old file does not take to its end is lost, and what follows is not", async () => {
  const device = new Device();
  const sink = sinkOn(device, devNull());
  device.bytesMax = 3;
  device.failures = ["", "ENOSPC"];
  sink.line("cut off");
  while (device.writes < 2 || device.isBusy) await Bun.sleep(1);
  const fd = devNull();
  sink.reopen(fd);
  device.bytesMax = 100;
  sink.line("whole");
  await sink.flush(1000);
  expect(device.linesOn(fd)).toEqual(["1 lost: the log was reopened", "whole"]);
  sink.close();
});

test("standard output is not closed", () => {
  const sink = sinkOn(new Device(), 1);
  sink.reopen(1);
  sink.close();
  expect(isOpen(1)).toBe(true);
});

/** A descriptor with moods. */
class Device {
  bytesMax = Number.POSITIVE_INFINITY;
  failures: string[] = [];
  isStuck = false;
  writes = 0;
  isBusy = false;
  #text = "";
  readonly #texts = new Map<number, string>();

  readonly write: WriteBytes = (fd, bytes, done) => {
    this.writes += 1;
    if (this.isStuck) return;
    this.isBusy = true;
    setTimeout(() => {
      this.isBusy = false;
      const code = this.failures.shift() ?? "";
      if (code !== "") {
        done(Object.assign(new Error(code), { code }), 0);
        return;
      }
      const taken = bytes.subarray(0, this.bytesMax);
      const text = new TextDecoder().decode(taken);
      this.#text += text;
      this.#texts.set(fd, (this.#texts.get(fd) ?? "") + text);
      done(null, taken.length);
    }, 0);
  };

  lines(): string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  linesOn(fd: number): string[] {
    return (this.#texts.get(fd) ?? "").split("\n").slice(0, -1);
  }
}

function sinkOn(device: Device, fd = -1): LogSink {
  return new LogSink(fd, (lines, because) => `${lines} lost: ${because}`, { write: device.write });
}

function devNull(): number {
  return openSync("/dev/null", "a");
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
