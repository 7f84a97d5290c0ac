// The uploads of one shard (server layer): decides write requests, ties each upload to its receiver, and reports its end when
// the disk has said what became of it. Everything that can be refused is refused before the first reply.

import { Random } from "#base/random.ts";
import type { Settings } from "#config/settings.ts";
import { peerAddressText } from "#io/inbox.ts";
import type { Kernel } from "#io/kernel.ts";
import { MappedMemory } from "#io/memory.ts";
import { pathText } from "#policy/names.ts";
import type { Permit } from "#policy/policy.ts";
import { type AllowedUpload, UploadPolicy } from "#policy/upload.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import { Receiver } from "#protocol/receiver.ts";
import type { Request } from "#protocol/request.ts";
import type { Disk } from "#storage/disk-queue.ts";
import { UploadLedger, type UploadQuotas } from "#storage/upload-ledger.ts";
import type { UploadPlan } from "#storage/upload-plan.ts";
import type { Upload, UploadListener } from "#storage/upload.ts";
import { Uploads } from "#storage/uploads.ts";

import type { ShardTerms, WritesInit } from "./contract.ts";
import { Intake, TEXT_BYTES } from "./intake.ts";
import { limitsUnder, writeLimits } from "./limits.ts";
import { uploadLookupRules } from "./lookup-rules.ts";
import { type Refused, refused, uploadFate } from "./refused.ts";
import type { Exchange, WriteTransfer } from "./transfer.ts";

/** A write request that will be served. Its upload is open, and must be given to {@link Writes.begin} or aborted. */
export interface AdmittedWrite {
  readonly kind: "write";
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  /** The upload root, absolute. */
  readonly rootDir: string;
  readonly path: string;
  /** The class of bandwidth that a rule chose; empty for none. */
  readonly rateClass: string;
  readonly upload: Upload;
}

/** Told what the disk's answers mean for transfers. */
export interface WritesListener {
  /** The transfer may have something to send. */
  handleReply(transfer: WriteTransfer): void;
  /** The transfer's file is published, or nothing is left of it. The transfer itself may have ended before, or goes on. */
  handleOutcome(transfer: WriteTransfer): void;
  /** The time of this turn. */
  readonly nowUs: number;
}

/** What of a shard's terms uploads are decided by. */
type WriteTerms = Pick<ShardTerms, "settings" | "linkTargetFds">;

/** How long a repeated last block is acknowledged again: twice the 5 s after which the slowest usual client repeats it. */
const DALLY_US = 10_000_000;

export class Writes implements UploadListener {
  readonly #uploads: Uploads;
  readonly #listener: WritesListener;
  readonly #random: Random;
  readonly #transfers: Map<Upload, WriteTransfer> = new Map();
  #settings: Settings;
  #policy: UploadPolicy;
  #limits: GrantLimits;
  /** Where netascii is decoded; mapped when the first such upload comes. */
  #text: MappedMemory | undefined;

  constructor(
    terms: WriteTerms,
    { rootFd, ledger }: WritesInit,
    disk: Disk,
    shard: number,
    listener: WritesListener,
    kernel: Kernel,
  ) {
    const { settings } = terms;
    this.#settings = settings;
    this.#policy = new UploadPolicy(settings.uploads);
    this.#limits = writeLimits(settings);
    this.#listener = listener;
    this.#random = new Random(kernel.randomSeed());
    this.#uploads = new Uploads(
      {
        rootFd,
        rules: uploadLookupRules(settings, terms.linkTargetFds),
        disk,
        ledger: new UploadLedger(ledger, shard, quotasOf(settings), () => kernel.nowUs() / 1000),
        bufferBytesMax: settings.uploadBytesMax / settings.workers,
      },
      this,
    );
  }

  /** Decides by these settings from now on. Uploads that run keep their terms; what they still bring counts by the new quotas. */
  switchTo({ settings, linkTargetFds }: WriteTerms, { rootFd }: WritesInit): void {
    this.#settings = settings;
    this.#policy = new UploadPolicy(settings.uploads);
    this.#limits = writeLimits(settings);
    this.#uploads.moveTo(rootFd, uploadLookupRules(settings, linkTargetFds), quotasOf(settings));
  }

  /** How many uploads are not over, those included whose transfer has ended. */
  get count(): number {
    return this.#uploads.count;
  }

  /**
   * Decides a write request of the peer `name` (a raw sockaddr) that rules permit, and opens what it may write. Blocks of
   * `linkBytesMax` fit its link.
   */
  decide(
    request: Request,
    permit: Permit,
    name: Uint8Array,
    linkBytesMax: number,
  ): AdmittedWrite | Refused {
    const limits = limitsUnder(this.#limits, permit.ruling, linkBytesMax);
    const grant = negotiate(request, limits, undefined);
    const decision = this.#policy.decide(permit.path, grant.announcedBytes);
    if (!decision.isAllowed) {
      const { reply, cause, reason, fileBytes, fileBytesMax } = decision;
      const refusal = refused(request, errorReplies[reply], cause, reason);
      const isMeasured = fileBytes !== undefined && fileBytesMax !== undefined;
      return isMeasured ? { ...refusal, fileBytes, fileBytesMax } : refusal;
    }
    const client = peerAddressText(name);
    const upload = this.#uploads.open(this.#planOf(decision, grant, request, client));
    if (typeof upload === "number") {
      const { reply, cause, reason } = uploadFate(upload);
      return refused(request, reply, cause, reason);
    }
    const { rootDir } = this.#settings.uploads;
    const path = pathText(permit.path);
    const { rate: rateClass } = permit.ruling;
    const oack = encodeOack(grant);
    return { kind: "write", request, grant, oack, rootDir, path, rateClass, upload };
  }

  /** The transfer of an admitted write; its first reply is due. */
  begin(admitted: AdmittedWrite, exchange: Exchange): WriteTransfer {
    const { grant, rootDir, path, upload } = admitted;
    const receiver = new Receiver({
      blockBytes: grant.blockBytes,
      windowBlocks: grant.windowBlocks,
      rolloverTo: grant.rolloverTo,
      timeoutUs: grant.timeoutUs,
      firstTimeoutUs: this.#settings.timeoutMs * 1000,
      random: this.#random,
      patienceUs: this.#settings.uploads.patienceMs * 1000,
      firstReply: admitted.oack === undefined ? "ack-0" : "oack",
      dallyUs: DALLY_US,
    });
    const intake = new Intake(upload, receiver, grant, this.#textFor(admitted.request));
    const transfer: WriteTransfer = { ...exchange, kind: "write", rootDir, path, receiver, intake };
    this.#transfers.set(upload, transfer);
    receiver.start(this.#listener.nowUs);
    return transfer;
  }

  /** Hands out what the disk threads have answered. */
  reap(): void {
    this.#uploads.reap();
  }

  handleUploadRoom(upload: Upload): void {
    const transfer = this.#transfers.get(upload);
    if (transfer !== undefined) this.#listener.handleReply(transfer);
  }

  handleUploadEnd(upload: Upload): void {
    const transfer = this.#transfers.get(upload);
    if (transfer === undefined) return;
    this.#transfers.delete(upload);
    this.#listener.handleOutcome(transfer);
    const { receiver } = transfer;
    if (receiver.outcome !== "running") return;
    if (upload.refusal === 0) receiver.complete(this.#listener.nowUs);
    else receiver.refuse(uploadFate(upload.refusal).reply);
    this.#listener.handleReply(transfer);
  }

  #textFor(request: Request): MappedMemory | undefined {
    if (request.mode === "octet") return undefined;
    this.#text ??= new MappedMemory(TEXT_BYTES);
    return this.#text;
  }

  #planOf(decision: AllowedUpload, grant: Grant, request: Request, client: string): UploadPlan {
    const { uploads } = this.#settings;
    const { terms } = decision;
    return {
      path: decision.target,
      client,
      mayOverwrite: terms.mayOverwrite,
      mayCreateFolders: decision.mayCreateFolders,
      isShared: uploads.concurrentWriters === "last-complete-wins",
      // The size that is announced for netascii is that of the encoded text, which is never less than the file's.
      bytesExpected: request.mode === "octet" ? (grant.announcedBytes ?? 0) : 0,
      bytesMax: terms.fileBytesMax,
      bytesFreeMin: uploads.freeBytesMin,
      fileMode: uploads.fileMode,
      folderMode: uploads.folderMode,
      userId: uploads.ownerId ?? KEEP,
      groupId: uploads.groupId ?? KEEP,
      versionsMax: terms.versionsKept,
      versionsFolder: uploads.versionsFolder,
      isSynced: uploads.isSynced,
      isHashed: uploads.isHashed,
      isVerified: uploads.isVerified,
    };
  }
}

function quotasOf({ uploads }: Settings): UploadQuotas {
  const { rootBytesMax, clientBytesMax, clientWindowMs } = uploads;
  return { rootBytesMax, clientBytesMax, clientWindowMs };
}

/** An owner that is left to the kernel: chown(2). */
const KEEP = -1;
