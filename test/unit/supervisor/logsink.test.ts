// The log's queue against descriptors that fail: nothing throws, nothing waits, and losses are counted and told.

import { expect, test } from "bun:test";

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

/** A descriptor with moods. */
class Device {
  bytesMax = Number.POSITIVE_INFINITY;
  failures: string[] = [];
  isStuck = false;
  writes = 0;
  #text = "";

  readonly write: WriteBytes = (_fd, bytes, done) => {
    this.writes += 1;
    if (this.isStuck) return;
    setTimeout(() => {
      const code = this.failures.shift();
      if (code !== undefined) {
        done(Object.assign(new Error(code), { code }), 0);
        return;
      }
      const taken = bytes.subarray(0, this.bytesMax);
      this.#text += new TextDecoder().decode(taken);
      done(null, taken.length);
    }, 0);
  };

  lines(): string[] {
    return this.#text.split("\n").slice(0, -1);
  }
}

function sinkOn(device: Device): LogSink {
  return new LogSink(-1, (lines, because) => `${lines} lost: ${because}`, device.write);
}
