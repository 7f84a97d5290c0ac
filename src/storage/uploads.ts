// All uploads of one shard (storage layer): opens them beneath the upload root, and shares buffers, disk threads and the ledger
// among them. The shard calls `reap` when its doorbell rings; nothing else here takes time.

import { Slab } from "#base/slab.ts";
import { Arena } from "#ffi/arena.ts";
import { removeEntry } from "#ffi/create.ts";
import { isLeft } from "#ffi/holdings.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import type { Disk, DiskQueue } from "./disk-queue.ts";
import { Lookup, type LookupRules } from "./lookup.ts";
import { UploadBuffers } from "./upload-buffers.ts";
import { closeUploadFile, openUploadFile, ROOM_BYTES, type UploadFile } from "./upload-file.ts";
import {
  ClaimRefusal,
  type UploadLedger,
  type UploadQuotas,
  type UploadTraces,
} from "./upload-ledger.ts";
import { hiddenNameOf, hiddenWords } from "./upload-name.ts";
import type { UploadPlan } from "./upload-plan.ts";
import { UploadRefusal } from "./upload-refusal.ts";
import { Upload, type UploadHome, type UploadListener } from "./upload.ts";

/** What {@link Uploads} works with. */
export interface UploadsInit {
  /** The folder beneath which everything is written. */
  readonly rootFd: number;
  /** How folders are looked up beneath it. */
  readonly rules: LookupRules;
  readonly disk: Disk;
  readonly ledger: UploadLedger;
  /** Memory for write buffers: 128 KiB for each upload, and a third more. */
  readonly bufferBytesMax: number;
}

export class Uploads implements UploadHome {
  readonly arena: Arena;
  readonly buffers: UploadBuffers;
  readonly ledger: UploadLedger;
  readonly #disk: Disk;
  readonly #listener: UploadListener;
  readonly #slots: Slab;
  readonly #stat: FileStat = new FileStat();
  /** Uploads whose step found its queue full, and those that found no buffer. */
  readonly #postponed: Set<Upload> = new Set();
  readonly #starved: Set<Upload> = new Set();
  #lookup: Lookup;
  #hasBuffer = false;
  /** Whether what a dead predecessor of this shard held has been given back. */
  #hasRecovered = false;

  constructor(init: UploadsInit, listener: UploadListener) {
    this.#lookup = new Lookup(init.rootFd, init.rules);
    this.#disk = init.disk;
    this.ledger = init.ledger;
    this.ledger.adopt();
    this.#listener = listener;
    this.buffers = new UploadBuffers(init.bufferBytesMax);
    this.#slots = new Slab(this.buffers.uploadsMax);
    this.arena = new Arena(this.buffers.uploadsMax * ROOM_BYTES);
  }

  /** Opens beneath `rootFd` by `rules` from now on, within `quotas`. Uploads that run hold their own folders. */
  moveTo(rootFd: number, rules: LookupRules, quotas: UploadQuotas): void {
    this.#lookup = new Lookup(rootFd, rules);
    this.ledger.adjust(quotas);
  }

  /** How many uploads are not over. */
  get count(): number {
    return this.#slots.taken;
  }

  /**
   * Begins an upload. What can be refused is refused here: returns a value of UploadRefusal, and nothing is left. May wait as
   * long as opening a file does.
   */
  open(plan: UploadPlan): Upload | number {
    const slot = this.#slots.take();
    if (slot < 0) return UploadRefusal.busy;
    const upload = this.#openAt(slot, plan);
    if (typeof upload === "number") this.#slots.release(slot);
    return upload;
  }

  /** Hands out what the disk threads have answered (to all owners), and whatever waited for that. */
  reap(): void {
    this.#disk.reap();
    this.#recover();
    for (const upload of this.#postponed) {
      this.#postponed.delete(upload);
      upload.retry();
      if (this.#postponed.has(upload)) break;
    }
    if (!this.#hasBuffer) return;
    this.#hasBuffer = false;
    const starved = Array.from(this.#starved);
    // Who finds no room again comes back into the set.
    this.#starved.clear();
    for (const upload of starved) {
      if (!upload.hasEnded) this.#listener.handleUploadRoom(upload);
    }
  }

  leastLoaded(): DiskQueue {
    return this.#disk.leastLoaded();
  }

  postpone(upload: Upload): void {
    this.#postponed.add(upload);
  }

  handleBuffer(): void {
    this.#hasBuffer = true;
  }

  handleFull(upload: Upload): void {
    this.#starved.add(upload);
  }

  handlePublished({ claim, bytes, file }: Upload): void {
    this.ledger.settle(claim, bytes, file.replacedBytes);
  }

  handleEnd(upload: Upload): void {
    if (upload.refusal < 0) this.#giveUp(upload);
    this.#starved.delete(upload);
    this.#slots.release(upload.slot);
    this.#listener.handleUploadEnd(upload);
  }

  /** Ends the claim of an upload that came to nothing. Where a disk has failed half-way, what it was to replace is gone all the same. */
  #giveUp({ claim, bytes, file }: Upload): void {
    if (file.isRevocable) this.ledger.release(claim);
    else this.ledger.settle(claim, file.isPublished ? bytes : 0, file.replacedBytes);
  }

  #openAt(slot: number, plan: UploadPlan): Upload | number {
    const { bytesMax, bytesExpected } = plan;
    if (bytesMax > 0 && bytesExpected > bytesMax) return UploadRefusal.tooLarge;
    const file = openUploadFile(this.#lookup, plan, this.arena, slot * ROOM_BYTES);
    if (typeof file === "number") return file;
    // The folder as it is on the disk: several paths may lead to it.
    if (statFd(file.folderFd, this.#stat) < 0) return closeUploadFile(file, UploadRefusal.failed);
    const { deviceMajor, deviceMinor, inodeHigh, inodeLow } = this.#stat;
    const name = `${deviceMajor}:${deviceMinor}:${inodeHigh}:${inodeLow}/${file.leaf}`;
    const claim = this.ledger.claim(name, plan.client, plan.isShared);
    if (claim < 0) return closeUploadFile(file, refusalOfClaim(claim));
    if (bytesExpected > 0 && !this.ledger.reserve(claim, bytesExpected)) {
      this.ledger.release(claim);
      return closeUploadFile(file, UploadRefusal.quota);
    }
    this.ledger.note(claim, tracesOf(file));
    return new Upload(this, file, slot, claim, bytesExpected);
  }

  /** Settles what a dead predecessor has left, as soon as no disk thread can still be working on it. */
  #recover(): void {
    if (this.#hasRecovered || !this.#disk.isSettled) return;
    this.#hasRecovered = true;
    for (const [claim, traces] of this.ledger.left()) {
      const bytes = traces === undefined ? NOTHING : this.#bytesPublished(traces);
      if (bytes >= 0) this.ledger.settle(claim, bytes, traces?.replacedBytes ?? 0);
      else this.ledger.release(claim);
    }
  }

  /**
   * Removes the hidden names of an upload that was cut off. Returns the bytes of its file if that has got its name all the same,
   * or {@link NOTHING}.
   */
  #bytesPublished({ fd, folderFd, versionsFd, hidden, kept }: UploadTraces): number {
    // Descriptors that are closed already may be another's by now; then the next start removes what is left.
    if (!isLeft(fd) || !isLeft(folderFd) || !isLeft(versionsFd)) return NOTHING;
    removeEntry(folderFd, hiddenNameOf(hidden));
    removeEntry(versionsFd, hiddenNameOf(kept));
    return statFd(fd, this.#stat) === 0 && this.#stat.linkCount > 0 ? this.#stat.bytes : NOTHING;
  }
}

const NOTHING = -1;

function tracesOf(file: UploadFile): UploadTraces {
  const { fd, folderFd, versionsFd, replacedBytes } = file;
  const [hidden, kept] = [hiddenWords(file.hidden), hiddenWords(file.kept)];
  return { fd, folderFd, versionsFd, hidden, kept, replacedBytes };
}

function refusalOfClaim(claim: number): number {
  return claim === ClaimRefusal.taken ? UploadRefusal.claimed : UploadRefusal.busy;
}
