// What an upload may take, and what happens at the end of it: sizes, space, quotas, buffers, queues, and a shard's death.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { DiskCall } from "#ffi/disk-call.ts";
import { BUFFER_BYTES } from "#storage/upload-buffers.ts";
import { createUploadLedger } from "#storage/upload-ledger.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";
import { Append } from "#storage/upload.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { cleanUp, temporaryFolder } from "./rig.ts";
import { hasHidden, pattern, textOf, UploadRig } from "./upload-rig.ts";

let root: string;
let rig: UploadRig;

beforeEach(() => {
  root = temporaryFolder();
  rig = new UploadRig(root);
});

afterEach(() => {
  const left = [hasHidden(root), openDescriptors(root), rig.uploads.count];
  cleanUp();
  expect(left).toEqual([false, 1, 0]);
});

describe("limits", () => {
  test("of size hold for what is announced, and for what comes", () => {
    const plan = { bytesMax: 1000 };
    const announced = { ...plan, bytesExpected: 1001 };
    expect(rig.put(pattern(1, 1), announced)).toBe(UploadRefusal.tooLarge);
    expect(rig.put(pattern(1001, 1), plan, 100)).toBe(UploadRefusal.tooLarge);
    expect(rig.put(pattern(1000, 1), plan, 100)).toBe(0);
  });

  test("of free space hold at the request, and while it runs", () => {
    expect(rig.put(pattern(1, 1), { bytesFreeMin: 2 ** 52 })).toBe(UploadRefusal.full);
    expect(rig.put(pattern(1, 1), { bytesExpected: 2 ** 52 })).toBe(UploadRefusal.full);
    const upload = rig.open({ bytesFreeMin: 1 });
    // As if the disk had been filled by somebody else meanwhile: the struct stays zeroed.
    rig.queue.fault = (call) => (call === DiskCall.fstatvfs ? 0 : undefined);
    const isTaken = rig.appendAll(upload, pattern(33 * 1024 * 1024, 1), 65_464);
    expect(isTaken).toBe(false);
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.full);
  });

  test("of the root's and the client's quota hold before a byte is written", () => {
    const root2 = temporaryFolder();
    const quotas = { rootBytesMax: 5000, clientBytesMax: 3000, clientWindowMs: 60_000 };
    const limited = new UploadRig(root2, { quotas });
    expect(limited.put(pattern(1, 1), { bytesExpected: 3001 })).toBe(UploadRefusal.quota);
    expect(limited.put(pattern(3001, 1))).toBe(UploadRefusal.quota);
    expect(limited.queue.made).not.toContain(DiskCall.pwrite);
    expect(limited.put(pattern(3000, 1))).toBe(0);
    expect(limited.put(pattern(1, 1), { path: "more" })).toBe(UploadRefusal.quota);
    const other = { path: "other", client: "192.0.2.2" };
    expect(limited.put(pattern(2001, 1), other)).toBe(UploadRefusal.quota);
    expect(limited.put(pattern(2000, 1), other)).toBe(0);
    expect(limited.ledger.rootBytes).toBe(5000);
    expect(Object.keys(limited.tree())).toEqual(["file", "other"]);
  });
});

describe("a disk that is behind", () => {
  test("makes an upload full after its buffers, and tells of room once", () => {
    const upload = rig.open();
    const block = pattern(BUFFER_BYTES / 2, 1);
    let taken = 0;
    while (rig.append(upload, block) === Append.taken) taken += 1;
    expect(taken).toBe(2 * 4);
    expect(upload.room).toBe(0);
    expect(upload.bytes).toBe(taken * block.length);
    expect(rig.roomed).toEqual([]);
    rig.uploads.reap();
    expect(rig.roomed).toEqual([upload]);
    expect(rig.append(upload, block)).toBe(Append.taken);
    upload.finish();
    rig.settle();
    expect(rig.roomed).toEqual([upload]);
    expect(rig.tree()["file"]?.length).toBe((taken + 1) * block.length);
  });

  test("leaves every upload one buffer, however many others want", () => {
    const tight = new UploadRig(temporaryFolder(), { bufferBytesMax: 4 * BUFFER_BYTES });
    expect(tight.uploads.buffers.uploadsMax).toBe(3);
    const uploads = ["a", "b", "c"].map((path) => tight.open({ path }));
    expect(tight.put(pattern(1, 1), { path: "d" })).toBe(UploadRefusal.busy);
    const content = pattern(10 * BUFFER_BYTES + 3, 1);
    // In turns, so that all want more at the same time.
    for (let position = 0; position < content.length; position += 60_000) {
      for (const upload of uploads) {
        const block = content.subarray(position, position + 60_000);
        while (tight.append(upload, block) === Append.full) tight.uploads.reap();
      }
    }
    for (const upload of uploads) upload.finish();
    tight.settle();
    const text = textOf(content);
    expect(tight.tree()).toEqual({ a: text, b: text, c: text });
  });

  test("with a queue that is full has uploads wait, and none is lost", () => {
    rig.queue.capacity = 1;
    const paths = ["a", "b", "c", "d"];
    const uploads = paths.map((path) => rig.open({ path, isHashed: true }));
    for (const upload of uploads) rig.appendAll(upload, pattern(2 * BUFFER_BYTES, 7), 8192);
    uploads[1]?.abort();
    for (const upload of uploads) upload.finish();
    rig.settle();
    expect(uploads.map(({ refusal }) => refusal)).toEqual([0, UploadRefusal.aborted, 0, 0]);
    expect(Object.keys(rig.tree())).toEqual(["a", "c", "d"]);
  });
});

test("a shard that dies has its names given back, when no disk thread can still write to them", () => {
  const folder = temporaryFolder();
  const ledger = createUploadLedger(8);
  const dead = new UploadRig(folder, { ledger });
  dead.appendAll(dead.open(), pattern(2 * BUFFER_BYTES, 1), 8192);
  const successor = new UploadRig(folder, { ledger });
  const other = new UploadRig(folder, { ledger, shard: 1 });
  successor.queue.isSettled = false;
  successor.settle();
  expect(other.put(pattern(1, 1))).toBe(UploadRefusal.claimed);
  const own = successor.open({ path: "own" });
  successor.queue.isSettled = true;
  successor.settle();
  expect(other.put(pattern(1, 2))).toBe(0);
  own.finish();
  successor.settle();
  expect(own.refusal).toBe(0);
  expect(Object.keys(other.tree())).toEqual(["file", "own"]);
});
