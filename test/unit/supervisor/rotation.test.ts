// A log file that makes room: by size and by age, without losing or cutting a line, and on in the old one where that fails.

import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { RotationSettings } from "#config/settings.ts";
import { LogSink, openLog } from "#supervisor/logsink.ts";
import { Rotation } from "#supervisor/rotation.ts";

test("by size, the youngest is .1, and only so many stay", async () => {
  using log = open({ bytesMax: 100, ageMaxMs: 0, kept: 3 });
  for (let line = 0; line < 60; line += 1) {
    log.sink.line(`line ${line}`.padEnd(49));
    // One write each, so that each file has two lines.
    await log.sink.flush(10_000);
  }
  expect(readdirSync(log.folder).toSorted()).toEqual(["log", "log.1", "log.2", "log.3"]);
  expect(numbersIn(log.path)).toEqual([]);
  expect(numbersIn(`${log.path}.1`)).toEqual([58, 59]);
  expect(numbersIn(`${log.path}.3`)).toEqual([54, 55]);
  expect(log.failures).toEqual([]);
});

test("what waits goes on in the next file, each line once and whole", async () => {
  using log = open({ bytesMax: 64 * 1024, ageMaxMs: 0, kept: 100 });
  for (let line = 0; line < 20_000; line += 1) log.sink.line(`line ${line}`.padEnd(49));
  await log.sink.flush(10_000);
  const files = readdirSync(log.folder).length;
  expect(files).toBeGreaterThan(5);
  const numbers: number[] = [];
  for (let file = files - 1; file > 0; file -= 1) numbers.push(...numbersIn(`${log.path}.${file}`));
  numbers.push(...numbersIn(log.path));
  expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, line) => line));
});

test("by age, with the next line", async () => {
  using log = open({ bytesMax: 0, ageMaxMs: 20, kept: 7 });
  log.sink.line("first");
  await log.sink.flush(10_000);
  await Bun.sleep(30);
  log.sink.line("second");
  await log.sink.flush(10_000);
  expect(readFileSync(`${log.path}.1`, "utf8")).toBe("first\nsecond\n");
  expect(readFileSync(log.path, "utf8")).toBe("");
});

test("a file that was there counts with its size", async () => {
  using log = open({ bytesMax: 100, ageMaxMs: 0, kept: 7 }, "x".repeat(99));
  log.sink.line("y");
  await log.sink.flush(10_000);
  expect(existsSync(`${log.path}.1`)).toBe(true);
});

test("where it cannot be renamed it goes on as it is, and says so once", async () => {
  using log = open({ bytesMax: 10, ageMaxMs: 0, kept: 1 });
  // A folder in the way of the name refuses even root.
  const obstacle = `${log.path}.1`;
  await Bun.write(join(obstacle, "file"), "");
  for (let line = 0; line < 5; line += 1) {
    log.sink.line(`line ${line}`);
    await log.sink.flush(10_000);
  }
  expect(numbersIn(log.path)).toEqual([0, 1, 2, 3, 4]);
  expect(log.failures).toEqual(["EISDIR"]);
});

interface OpenLog extends Disposable {
  readonly sink: LogSink;
  readonly folder: string;
  readonly path: string;
  readonly failures: readonly string[];
}

function open(settings: RotationSettings, before = ""): OpenLog {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-rotation-"));
  chmodSync(folder, 0o755);
  const path = join(folder, "log");
  if (before !== "") writeFileSync(path, before);
  const fd = openLog({ kind: "file", path });
  const failures: string[] = [];
  const rotation = new Rotation(path, fd, settings, (because) => void failures.push(because));
  const sink = new LogSink(fd, (lines) => `${lines} lost`, { rotation });
  return {
    sink,
    folder,
    path,
    failures,
    [Symbol.dispose]: () => {
      sink.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function numbersIn(path: string): readonly number[] {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => Number(/^line (\d+) *$/.exec(line)?.[1]));
}
