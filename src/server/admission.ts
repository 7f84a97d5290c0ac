// From a request to a decision (server layer): parse, clean the name, open the file, negotiate. Everything that can
// be refused is refused here, before the first reply (RFC 2347: no ERROR after an OACK for what was known before it).

import type { Settings } from "#config/settings.ts";
import { cleanName } from "#policy/path.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import { parseRequest, type Request } from "#protocol/request.ts";
import type { FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import { OpenRefusal, type Root } from "#storage/root.ts";

import type { RefusalRecord } from "./contract.ts";
import { NetasciiPayload, OctetPayload, type Payload } from "./payload.ts";

/** A request that will be served. */
export interface Admitted {
  readonly kind: "admitted";
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  readonly fileBytes: number;
  readonly payload: Payload;
}

/** A request that will not. `reply` undefined: nothing is sent. */
export interface Refused {
  readonly kind: "refused";
  readonly reply: ErrorReply | undefined;
  readonly cause: RefusalRecord["cause"];
  readonly name: string;
  readonly isWrite: boolean;
  readonly reason: string;
  /** For `too-large`. */
  readonly fileBytes?: number;
  readonly fileBytesMax?: number;
}

/** Decides requests for one shard. */
export class Admission {
  readonly #settings: Settings;
  readonly #root: Root;
  readonly #cache: FileCache;
  readonly #limits: GrantLimits;
  readonly #netasciiLimits: GrantLimits;

  constructor(settings: Settings, root: Root, cache: FileCache) {
    this.#settings = settings;
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

  /** Decides the request in the first `length` bytes. */
  decide(bytes: Uint8Array, length: number): Admitted | Refused {
    const request = parseRequest(bytes, length);
    if (request.kind === "fault") {
      const reply = request.reply === "drop" ? undefined : request.reply;
      const { reason } = request;
      return { kind: "refused", reply, cause: "malformed", name: "", isWrite: false, reason };
    }
    if (request.kind === "write") {
      const reason = "writes disabled in configuration";
      return refused(request, errorReplies.accessViolation, "write-disabled", reason);
    }
    const clean = cleanName(request.name, this.#settings.rootDir);
    if (!clean.isClean) return refuseName(request, clean.cause);
    return this.#open(request, clean.path);
  }

  #open(request: Request, path: string): Admitted | Refused {
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
    const grant = negotiate(request, isOctet ? this.#limits : this.#netasciiLimits, fileBytes);
    const oack = encodeOack(grant);
    const { chunkBytes } = this.#cache;
    if (isOctet) {
      const framing = Framing.packets(chunkBytes, grant.blockBytes, grant.rolloverTo);
      const file = this.#cache.hold(fd, this.#root.stat, framing);
      const payload = new OctetPayload(this.#cache, file);
      return { kind: "admitted", request, grant, oack, fileBytes, payload };
    }
    const ring = this.#cache.reserve();
    if (ring < 0) {
      this.#root.close(fd);
      return refused(request, errorReplies.busy, "busy", "no memory for a netascii transfer");
    }
    const file = this.#cache.hold(fd, this.#root.stat, Framing.raw(chunkBytes));
    const payload = new NetasciiPayload(this.#cache, file, ring, grant);
    return { kind: "admitted", request, grant, oack, fileBytes, payload };
  }
}

function refused(
  request: Request,
  reply: ErrorReply,
  cause: RefusalRecord["cause"],
  reason: string,
): Refused {
  const isWrite = request.kind === "write";
  return { kind: "refused", reply, cause, name: request.name, isWrite, reason };
}

/** What each refused name is told, and the log. */
const nameRefusals = {
  traversal: [errorReplies.accessViolation, "traversal", "a segment is `..`"],
  hidden: [errorReplies.notFound, "not-found", "hidden names are not served"],
  empty: [errorReplies.accessViolation, "denied", "the root folder itself"],
  "too-long": [errorReplies.notFound, "not-found", "name too long"],
} as const;

function refuseName(request: Request, name: keyof typeof nameRefusals): Refused {
  const [reply, cause, reason] = nameRefusals[name];
  return refused(request, reply, cause, reason);
}

function refuseOpen(request: Request, refusal: number): Refused {
  switch (refusal) {
    case OpenRefusal.notFound:
      return refused(request, errorReplies.notFound, "not-found", "File not found");
    case OpenRefusal.denied:
      return refused(
        request,
        errorReplies.accessViolation,
        "denied",
        "not a regular file, or not readable by the server",
      );
    case OpenRefusal.outside:
      return refused(
        request,
        errorReplies.accessViolation,
        "traversal",
        "a symbolic link leads outside the root, or begins with /",
      );
    case OpenRefusal.busy:
      return refused(request, errorReplies.busy, "busy", "too many open files, or no memory");
    default:
      return refused(request, errorReplies.readFailed, "io-error", "the file system failed");
  }
}
