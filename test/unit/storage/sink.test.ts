// Where a client's files go: a file that has its name when it is whole and not before, and a stream.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Random } from "#base/random.ts";
import { Arena } from "#ffi/arena.ts";
import { IncomingFile } from "#storage/incoming.ts";
import { openSink, type Sink } from "#storage/sink.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

import { bytesOf } from "../../e2e/bytes.ts";

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "snow-owl-sink-")));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fileSink(name: string, bytesExpected = 0, mode = 0o644): Sink | number {
  return openSink({ kind: "file", path: join(folder, name), mode }, bytesExpected);
}

function opened(sink: Sink | number): Sink {
  if (typeof sink === "number") throw new Error(`refused: ${sink}`);
  return sink;
}

/** Gives `bytes` to the file in blocks of 1,428. */
function fill(file: IncomingFile, bytes: Uint8Array): void {
  const arena = new Arena(2048);
  for (let start = 0; start < bytes.length; start += 1428) {
    const block = bytes.subarray(start, start + 1428);
    arena.u8.set(block);
    expect(file.append(arena.address, block.length)).toBe(0);
  }
  arena.unmap();
}

/** The numbers below `count` in an order of their own. */
function shuffled(count: number): readonly number[] {
  const random = new Random(2090);
  const numbers = [...Array(count).keys()];
  return numbers.toSorted(() => random.below(3) - 1);
}

// Shorter than a piece, a piece and a bit, several pieces.
const sizes = [0, 1, 200_000, 262_144, 262_145, 1_500_000];

describe.each(["file", "stream"] as const)("a %s", (kind) => {
  test.each(sizes)("takes %i bytes, and their SHA-256 is known", (size) => {
    const bytes = bytesOf(size);
    const path = join(folder, "f");
    const fd = kind === "stream" ? openSync(path, "w") : -1;
    const sink = kind === "stream" ? openSink({ kind, fd }, 0) : fileSink("f", size);
    const file = new IncomingFile(opened(sink), true);
    fill(file, bytes);
    expect(file.bytes).toBe(size);
    expect(file.finish()).toBe(0);
    expect(file.digest()).toBe(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
    if (kind === "file") expect(readdirSync(folder)).toEqual([]);
    expect(file.publish()).toBe(0);
    if (fd >= 0) closeSync(fd);
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
    expect(readdirSync(folder)).toEqual(["f"]);
    // What is over stays as it is.
    file.discard();
    expect(readdirSync(folder)).toEqual(["f"]);
  });
});

describe("a file", () => {
  test("has the permissions that were wanted, whatever had its name", () => {
    writeFileSync(join(folder, "f"), "old");
    const file = new IncomingFile(opened(fileSink("f", 0, 0o640)), false);
    fill(file, bytesOf(10));
    file.finish();
    expect(readFileSync(join(folder, "f"), "latin1")).toBe("old");
    expect(file.publish()).toBe(0);
    expect(statSync(join(folder, "f")).mode & 0o7777).toBe(0o640);
    expect(file.digest()).toBe("");
  });

  test("takes blocks in any order, each for its place, and is hashed as it is", () => {
    const bytes = bytesOf(1_000_000);
    const order = shuffled(Math.ceil(bytes.length / 1000));
    // The beginning in order, which is hashed on its way.
    const blocks = [...Array(300).keys(), ...order.filter((block) => block >= 300)];
    const arena = new Arena(1000);
    const file = new IncomingFile(opened(fileSink("f", bytes.length)), true);
    for (const block of blocks) {
      const part = bytes.subarray(block * 1000, (block + 1) * 1000);
      arena.u8.set(part);
      expect(file.append(arena.address, part.length, block * 1000)).toBe(0);
    }
    arena.unmap();
    expect(file.finish()).toBe(0);
    expect(file.digest()).toBe(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
    expect(file.publish()).toBe(0);
    expect(Buffer.compare(readFileSync(join(folder, "f")), bytes)).toBe(0);
  });

  test("that is discarded leaves what was there, and nothing else", () => {
    writeFileSync(join(folder, "f"), "old");
    const file = new IncomingFile(opened(fileSink("f")), false);
    fill(file, bytesOf(600_000));
    file.discard();
    file.discard();
    expect(readdirSync(folder)).toEqual(["f"]);
    expect(readFileSync(join(folder, "f"), "latin1")).toBe("old");
  });

  test("is refused where it cannot be, before anything comes", () => {
    expect(fileSink("no/such")).toBe(UploadRefusal.notFound);
    mkdirSync(join(folder, "d"));
    expect(fileSink("d")).toBe(UploadRefusal.denied);
    expect(fileSink("huge", 2 ** 52)).toBe(UploadRefusal.full);
    expect(fileSink("x".repeat(300))).toBe(UploadRefusal.notFound);
    if (process.getuid?.() !== 0) {
      chmodSync(folder, 0o500);
      expect(fileSink("f")).toBe(UploadRefusal.denied);
    }
    expect(readdirSync(folder)).toEqual(["d"]);
  });
});

test("a stream that is broken is a failure, and a full one is no room", () => {
  const reader = openSync("/dev/null", "r");
  const file = new IncomingFile(opened(openSink({ kind: "stream", fd: reader }, 0)), false);
  fill(file, bytesOf(10));
  expect(file.finish()).toBe(UploadRefusal.failed);
  closeSync(reader);
  const full = openSync("/dev/full", "w");
  const other = new IncomingFile(opened(openSink({ kind: "stream", fd: full }, 0)), false);
  fill(other, bytesOf(10));
  expect(other.finish()).toBe(UploadRefusal.full);
  closeSync(full);
});
