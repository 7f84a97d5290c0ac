// SHA-256 of served files: once for each version, and nothing rather than something false. The queue makes its calls when it is
// told to.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import type { CachedFile } from "#storage/cached-file.ts";
import { Disk } from "#storage/disk-queue.ts";
import { FileCache } from "#storage/file-cache.ts";
import { FileHashes } from "#storage/file-hashes.ts";
import { Framing } from "#storage/framing.ts";
import { Root } from "#storage/root.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { afterwards, cleanUp, HeldQueue, temporaryFolder } from "./rig.ts";

const CHUNK = 4096;
const NO_ADVICE = { isSequential: false, isWillneed: false, isDontneedAfter: false };

let folder: string;
let root: Root;
let queue: HeldQueue;
let cache: FileCache;
let hashes: FileHashes;

beforeEach(() => {
  folder = temporaryFolder();
  const rootFd = openRoot(folder);
  afterwards(() => closeFd(rootFd));
  root = new Root(rootFd);
  queue = new HeldQueue();
  const disk = new Disk([queue]);
  cache = new FileCache(3 * CHUNK, CHUNK, NO_ADVICE, disk);
  hashes = new FileHashes(disk, cache);
});

afterEach(cleanUp);

const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => (index * 31) >>> 3);

test.each([0, 1, 128 * 1024, 300_001])("a file of %d bytes", (length) => {
  const content = bytes.slice(0, length);
  expect(hashOf(hold("file", content))).toBe(sha256Of(content));
});

test("a version is read once, whoever asks and with whatever block size; another version is another file", () => {
  const first = hold("file", bytes);
  const answers: (string | undefined)[] = [];
  for (const file of [first, hold("file", undefined, 512), first]) {
    hashes.request(file, (sha256) => void answers.push(sha256));
  }
  queue.drain();
  const reads = readCount();
  expect(answers).toEqual([sha256Of(bytes), sha256Of(bytes), sha256Of(bytes)]);
  hashes.request(first, (sha256) => void answers.push(sha256));
  expect(answers).toHaveLength(4);
  expect(readCount()).toBe(reads);
  expect(hashOf(hold("file", bytes.slice(1)))).toBe(sha256Of(bytes.slice(1)));
});

test("files are hashed one after the other, and no descriptor stays", () => {
  const before = openDescriptors(folder);
  const names = ["a", "b", "c"];
  const files = names.map((name) => hold(name, Buffer.from(name)));
  const answers: (string | undefined)[] = [];
  for (const file of files) hashes.request(file, (sha256) => void answers.push(sha256));
  // Their transfers end meanwhile.
  for (const file of files) cache.close(file);
  expect(queue.pending).toBe(1);
  queue.drain();
  expect(answers).toEqual(names.map((name) => sha256Of(Buffer.from(name))));
  expect(openDescriptors(folder)).toEqual(before);
});

test("a text is hashed at once", () => {
  const text = Buffer.from("kernel=vmlinuz\n");
  const answers: (string | undefined)[] = [];
  hashes.request(cache.holdText(text, Framing.raw(CHUNK)), (sha256) => void answers.push(sha256));
  expect(answers).toEqual([sha256Of(text)]);
});

test("a file that changes under the hand has no hash, neither now nor later", () => {
  const file = hold("file", bytes);
  const answers: (string | undefined)[] = [];
  hashes.request(file, (sha256) => void answers.push(sha256));
  queue.step();
  queue.step();
  writeFileSync(join(folder, "file"), bytes.toReversed());
  queue.drain();
  expect(answers).toEqual([undefined]);
  expect(hashOf(file)).toBeUndefined();
});

test.each([
  ["a read that fails", () => (queue.fault = (call) => failing(call, -Errno.EIO))],
  ["a file that ends early", () => (queue.fault = (call) => failing(call, 0))],
  ["a queue that is full", () => (queue.capacity = 0)],
])("%s is no hash, and the next file has one", (_, break_) => {
  const mend = { fault: queue.fault, capacity: queue.capacity };
  break_();
  expect(hashOf(hold("file", bytes))).toBeUndefined();
  Object.assign(queue, mend);
  expect(hashOf(hold("other", Buffer.from("x")))).toBe(sha256Of(Buffer.from("x")));
});

test("a shard that ends tells everybody who waits", () => {
  const answers: (string | undefined)[] = [];
  for (const name of ["a", "b"]) {
    hashes.request(hold(name, bytes), (sha256) => void answers.push(sha256));
  }
  queue.step();
  hashes.abandon();
  expect(answers).toEqual([undefined, undefined]);
  queue.drain();
  expect(answers).toHaveLength(2);
});

test("too many who wait are told at once", () => {
  const file = hold("file", bytes);
  let answered = 0;
  for (let asker = 0; asker < 5000; asker += 1) hashes.request(file, () => void (answered += 1));
  expect(answered).toBe(5000 - 4096);
  queue.drain();
  expect(answered).toBe(5000);
});

/** Holds the file, written anew where `content` is given. */
function hold(name: string, content?: Uint8Array, blockBytes = 1428): CachedFile {
  if (content !== undefined) writeFileSync(join(folder, name), content);
  const framing = Framing.packets(CHUNK, blockBytes, 0);
  return cache.hold(root.open(name), root.stat, framing);
}

function hashOf(file: CachedFile): string | undefined {
  const answers: (string | undefined)[] = [];
  hashes.request(file, (sha256) => void answers.push(sha256));
  queue.drain();
  expect(answers).toHaveLength(1);
  return answers[0];
}

function sha256Of(content: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex");
}

function failing(call: number, result: number): number | undefined {
  return call === DiskCall.pread ? result : undefined;
}

function readCount(): number {
  return queue.made.filter((call) => call === DiskCall.pread).length;
}
