// What the tests of uploads share: a root, uploads that are driven by hand, and what may be left of them.

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { Arena } from "#ffi/arena.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { Disk, type DiskQueue } from "#storage/disk-queue.ts";
import { type LookupRules, plainRules } from "#storage/lookup.ts";
import { BUFFER_BYTES } from "#storage/upload-buffers.ts";
import { createUploadLedger, UploadLedger, type UploadQuotas } from "#storage/upload-ledger.ts";
import { isHiddenName } from "#storage/upload-name.ts";
import type { UploadPlan } from "#storage/upload-plan.ts";
import { Append, type Upload, type UploadListener } from "#storage/upload.ts";
import { Uploads } from "#storage/uploads.ts";

import { afterwards, HeldQueue } from "./rig.ts";

/** A plan that allows what needs no configuration. */
const plainPlan: UploadPlan = {
  path: "file",
  client: "192.0.2.1",
  mayOverwrite: false,
  mayCreateFolders: false,
  isShared: false,
  bytesExpected: 0,
  bytesMax: 0,
  bytesFreeMin: 0,
  fileMode: 0o644,
  folderMode: 0o755,
  userId: -1,
  groupId: -1,
  versionsMax: 0,
  versionsFolder: "",
  isSynced: true,
  isHashed: false,
  isVerified: false,
};

const noQuotas: UploadQuotas = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 1000 };

/** Uploads beneath a folder, whose system calls are made by `queue` when {@link UploadRig.settle} is called. */
export class UploadRig implements UploadListener {
  readonly root: string;
  readonly queue: HeldQueue;
  readonly ledger: UploadLedger;
  readonly uploads: Uploads;
  readonly ended: Upload[] = [];
  readonly roomed: Upload[] = [];
  readonly #data: Arena = new Arena(BUFFER_BYTES);

  constructor(root: string, options: UploadRigOptions = {}) {
    this.root = root;
    this.queue = new HeldQueue();
    const memory = options.ledger ?? createUploadLedger(64);
    this.ledger = new UploadLedger(memory, options.shard ?? 0, options.quotas ?? noQuotas);
    const rootFd = openRoot(root);
    const disk = new Disk([options.queue ?? this.queue]);
    const { ledger } = this;
    const bufferBytesMax = options.bufferBytesMax ?? 32 * BUFFER_BYTES;
    const rules = options.rules ?? plainRules;
    this.uploads = new Uploads({ rootFd, rules, disk, ledger, bufferBytesMax }, this);
    afterwards(() => {
      closeFd(rootFd);
      this.#data.unmap();
      this.uploads.buffers.unmap();
      this.uploads.arena.unmap();
    });
  }

  handleUploadRoom(upload: Upload): void {
    this.roomed.push(upload);
  }

  handleUploadEnd(upload: Upload): void {
    this.ended.push(upload);
  }

  /** Opens an upload; fails the test if it is refused. */
  open(change: Partial<UploadPlan> = {}): Upload {
    const upload = this.uploads.open({ ...plainPlan, ...change });
    if (typeof upload === "number") throw new Error(`refused: ${upload}`);
    return upload;
  }

  /** Offers `bytes`; a value of Append. */
  append(upload: Upload, bytes: Uint8Array): number {
    this.#data.u8.set(bytes);
    return upload.append(this.#data.address, bytes.length);
  }

  /** Appends `content` in blocks, making system calls where the upload is full. False: it failed. */
  appendAll(upload: Upload, content: Uint8Array, blockBytes: number): boolean {
    for (let position = 0; position < content.length; position += blockBytes) {
      const block = content.subarray(position, position + blockBytes);
      for (;;) {
        const answer = this.append(upload, block);
        if (answer === Append.taken) break;
        if (answer === Append.failed) return false;
        this.uploads.reap();
      }
    }
    return true;
  }

  /** A whole upload of `content`, to its end; its refusal or 0. */
  put(content: Uint8Array, change: Partial<UploadPlan> = {}, blockBytes = 1428): number {
    const upload = this.uploads.open({ ...plainPlan, ...change });
    if (typeof upload === "number") return upload;
    if (this.appendAll(upload, content, blockBytes)) upload.finish();
    this.settle();
    if (!upload.hasEnded) throw new Error("an upload did not end");
    return upload.refusal;
  }

  /** Makes system calls until there are none to make. */
  settle(): void {
    do this.uploads.reap();
    while (this.queue.pending > 0);
  }

  /** Everything beneath the root, each file with its content. */
  tree(): Readonly<Record<string, string>> {
    return treeOf(this.root);
  }
}

export interface UploadRigOptions {
  readonly ledger?: SharedArrayBuffer;
  readonly shard?: number;
  readonly quotas?: UploadQuotas;
  readonly bufferBytesMax?: number;
  readonly queue?: DiskQueue;
  readonly rules?: LookupRules;
}

/** Everything beneath `root`, no symlink followed: each file's path with its content, each empty folder's with `/`. */
export function treeOf(root: string): Readonly<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const path of pathsIn(root)) {
    const whole = join(root, path);
    const stat = lstatSync(whole);
    if (stat.isFile()) tree[path] = readFileSync(whole, "latin1");
    else if (stat.isDirectory() && readdirSync(whole).length === 0) tree[`${path}/`] = "";
  }
  return tree;
}

/** Whether any name beneath `root` is a hidden one of uploads. */
export function hasHidden(root: string): boolean {
  return pathsIn(root).some((path) => isHiddenName(basename(path)));
}

function pathsIn(root: string, folder = "", paths: string[] = []): readonly string[] {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    paths.push(path);
    if (entry.isDirectory()) pathsIn(root, path, paths);
  }
  return paths.toSorted();
}

/** Bytes that tell their position, and which `seed` they are of. */
export function pattern(bytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index += 1) content[index] = index * 31 + (index >>> 8) + seed;
  return content;
}

/** Content as {@link treeOf} tells it. */
export function textOf(content: Uint8Array): string {
  return Buffer.from(content).toString("latin1");
}
