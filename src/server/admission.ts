// From a request to a decision (server layer): parse, clean the name, open the file, negotiate. Everything that can
// be refused is refused here, before the first reply (RFC 2347: no ERROR after an OACK for what was known before it).

import type { Settings } from "#config/settings.ts";
import { cleanName } from "#policy/path.ts";
import { UploadPolicy } from "#policy/upload.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import { parseRequest, type Request } from "#protocol/request.ts";
import type { FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import type { Root } from "#storage/root.ts";

import type { LinkLimit } from "./link-limit.ts";
import { NetasciiPayload, OctetPayload, type Payload } from "./payload.ts";
import { type Refused, refused, refuseName, refuseOpen } from "./refused.ts";
import type { AdmittedWrite, Writes } from "./writes.ts";

/** A read request that will be served. */
export interface AdmittedRead {
  readonly kind: "read";
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  readonly fileBytes: number;
  readonly payload: Payload;
}

export type Admitted = AdmittedRead | AdmittedWrite;

/** Decides requests for one shard. */
export class Admission {
  readonly #settings: Settings;
  readonly #uploads: UploadPolicy;
  readonly #writes: Writes | undefined;
  readonly #root: Root;
  readonly #cache: FileCache;
  readonly #limits: GrantLimits;
  readonly #netasciiLimits: GrantLimits;
  readonly #link: LinkLimit;

  /** `writes` is undefined where nothing may be written. */
  constructor(
    settings: Settings,
    root: Root,
    cache: FileCache,
    writes: Writes | undefined,
    link: LinkLimit,
  ) {
    this.#settings = settings;
    this.#link = link;
    this.#uploads = new UploadPolicy(settings.uploads);
    this.#writes = writes;
    this.#root = root;
    this.#cache = cache;
    this.#limits = {
      blockBytesMax: settings.blockBytesMax,
      windowBlocksMax: settings.windowBlocksMax,
      windowBytesMax: settings.windowBytesMax,
      refused: new Set(settings.refusedOptions),
    };
    // A netascii window is kept encoded, in one chunk; with its headers, which are half as long as the shortest block.
    const windowBytesMax = Math.min(
      settings.windowBytesMax,
      Math.floor((cache.chunkBytes * 2) / 3),
    );
    this.#netasciiLimits = { ...this.#limits, windowBytesMax };
  }

  /** Decides the request in the first `length` bytes, which came from `name` (a raw sockaddr) to the address `local`. */
  decide(
    bytes: Uint8Array,
    length: number,
    name: Uint8Array,
    local: Uint8Array,
  ): Admitted | Refused {
    const request = parseRequest(bytes, length);
    if (request.kind === "fault") {
      const reply = request.reply === "drop" ? undefined : request.reply;
      const { reason } = request;
      return { kind: "refused", reply, cause: "malformed", name: "", isWrite: false, reason };
    }
    const blockBytesMax = this.#link.blockBytesMax(name, local);
    if (request.kind === "write") {
      if (this.#writes !== undefined) return this.#writes.decide(request, name, blockBytesMax);
      const reason = "writes disabled in configuration";
      return refused(request, errorReplies.accessViolation, "write-disabled", reason);
    }
    const clean = cleanName(request.name, this.#settings.rootDir);
    if (!clean.isClean) return refuseName(request, clean.cause);
    if (!this.#uploads.mayRead(clean.path)) {
      const reason = "uploads may not be read back, nor what is in quarantine";
      return refused(request, errorReplies.accessViolation, "denied", reason);
    }
    return this.#open(request, clean.path, blockBytesMax);
  }

  #open(request: Request, path: string, blockBytesMax: number): AdmittedRead | Refused {
    const fd = this.#root.open(path);
    if (fd < 0) return refuseOpen(request, fd);
    const fileBytes = this.#root.stat.bytes;
    const { fileBytesMax } = this.#settings;
    if (fileBytesMax > 0 && fileBytes > fileBytesMax) {
      this.#root.close(fd);
      const reason = `file of ${fileBytes} bytes, limit ${fileBytesMax}`;
      const refusal = refused(request, errorReplies.accessViolation, "too-large", reason);
      return { ...refusal, fileBytes, fileBytesMax };
    }
    const isOctet = request.mode === "octet";
    const limits = isOctet ? this.#limits : this.#netasciiLimits;
    const grant = negotiate(request, { ...limits, blockBytesMax }, fileBytes);
    const oack = encodeOack(grant);
    const { chunkBytes } = this.#cache;
    if (isOctet) {
      const framing = Framing.packets(chunkBytes, grant.blockBytes, grant.rolloverTo);
      const file = this.#cache.hold(fd, this.#root.stat, framing);
      const payload = new OctetPayload(this.#cache, file);
      return { kind: "read", request, grant, oack, fileBytes, payload };
    }
    const ring = this.#cache.reserve();
    if (ring < 0) {
      this.#root.close(fd);
      return refused(request, errorReplies.busy, "busy", "no memory for a netascii transfer");
    }
    const file = this.#cache.hold(fd, this.#root.stat, Framing.raw(chunkBytes));
    const payload = new NetasciiPayload(this.#cache, file, ring, grant);
    return { kind: "read", request, grant, oack, fileBytes, payload };
  }
}
