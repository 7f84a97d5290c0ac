// From a request to a decision (server layer): parse, ask the policy, open the file, negotiate. Everything that can
// be refused is refused here, before the first reply (RFC 2347: no ERROR after an OACK for what was known before it).

import { assert } from "#base/assert.ts";
import { at } from "#base/bytes.ts";
import type { Settings } from "#config/settings.ts";
import { compilePolicy, Policy } from "#policy/policy.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import { parseRequest, type Request } from "#protocol/request.ts";
import type { CachedFile } from "#storage/cached-file.ts";
import type { FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import { NetasciiPayload, OctetPayload, type Payload } from "#storage/payload.ts";

import type { ShardTerms } from "./contract.ts";
import { Finder, UNREADABLE } from "./finder.ts";
import { limitsUnder, readLimits } from "./limits.ts";
import type { LinkLimit } from "./link-limit.ts";
import { type Arrival, type Lookups, Question } from "./question.ts";
import { refuseByPolicy, type Refused, refused, refuseOpen } from "./refused.ts";
import type { AdmittedWrite, Writes } from "./writes.ts";

/** A read request that will be served. */
export interface AdmittedRead {
  readonly kind: "read";
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  readonly fileBytes: number;
  readonly payload: Payload;
  /** Most blocks of a window in one burst; Infinity for no limit. */
  readonly burstBlocksMax: number;
  /** The class of bandwidth that a rule chose; empty for none. */
  readonly rateClass: string;
  /** What the log should say of how the file was found; empty for most. */
  readonly remark: string;
}

export type Admitted = AdmittedRead | AdmittedWrite;

/** What is to be sent: a file that was opened and its size, or a text. */
interface Source {
  readonly fd: number;
  readonly bytes: number;
  readonly text: Uint8Array | undefined;
  /** As in {@link AdmittedRead}. */
  readonly burstBlocksMax: number;
  readonly rateClass: string;
  readonly remark: string;
}

/** Decides requests for one shard. */
export class Admission {
  readonly #settings: Settings;
  readonly #policy: Policy;
  readonly #lookups: Lookups;
  readonly #finder: Finder;
  readonly #writes: Writes | undefined;
  readonly #cache: FileCache;
  readonly #limits: GrantLimits;
  readonly #netasciiLimits: GrantLimits;
  readonly #link: LinkLimit;

  /** `writes` is undefined where nothing may be written. */
  constructor(
    init: Pick<ShardTerms, "settings" | "folderFds" | "linkTargetFds">,
    lookups: Lookups,
    cache: FileCache,
    writes: Writes | undefined,
    link: LinkLimit,
  ) {
    const { settings } = init;
    const compiled = compilePolicy(settings.policy);
    assert(compiled instanceof Policy, "a configuration that loaded has a policy");
    this.#settings = settings;
    this.#policy = compiled;
    this.#lookups = lookups;
    this.#link = link;
    this.#finder = new Finder(settings, init);
    this.#writes = writes;
    this.#cache = cache;
    this.#limits = readLimits(settings, "octet");
    this.#netasciiLimits = readLimits(settings, "netascii");
  }

  /** Decides the request in the first `length` bytes, which came in as `arrival` says. */
  decide(bytes: Uint8Array, length: number, arrival: Arrival): Admitted | Refused {
    const request = parseRequest(bytes, length);
    if (request.kind === "fault") {
      const reply = request.reply === "drop" ? undefined : request.reply;
      const { reason } = request;
      return { kind: "refused", reply, cause: "malformed", name: "", isWrite: false, reason };
    }
    const isWrite = request.kind === "write";
    if (isWrite && this.#writes === undefined) {
      const reason = "writes disabled in configuration";
      return refused(request, errorReplies.accessViolation, "write-disabled", reason);
    }
    const { name } = at(this.#settings.listeners, arrival.listener);
    const decision = this.#policy.decide(new Question(request, arrival, name, this.#lookups));
    if (!decision.isAllowed) return refuseByPolicy(request, decision);
    const linkBytesMax = this.#link.blockBytesMax(arrival.name, arrival.local);
    if (isWrite && this.#writes !== undefined) {
      return this.#writes.decide(request, decision, arrival.name, linkBytesMax);
    }
    const { ruling, virtual: text, candidates } = decision;
    const limits = request.mode === "octet" ? this.#limits : this.#netasciiLimits;
    const narrowed = limitsUnder(limits, ruling, linkBytesMax);
    const { burstBlocksMax, rate: rateClass } = ruling;
    if (text !== undefined) {
      const made = { fd: NO_FD, bytes: text.length, text, remark: "" };
      const source = { ...made, burstBlocksMax, rateClass };
      return this.#serve(request, narrowed, source);
    }
    const fd = this.#finder.open(candidates);
    if (fd >= 0) {
      const { stat, remark } = this.#finder;
      const source = { fd, bytes: stat.bytes, text, burstBlocksMax, rateClass, remark };
      return this.#serve(request, narrowed, source);
    }
    if (fd !== UNREADABLE) return refuseOpen(request, fd);
    const reason = "uploads may not be read back, nor what is in quarantine";
    return refused(request, errorReplies.accessViolation, "denied", reason);
  }

  #serve(request: Request, limits: GrantLimits, source: Source): AdmittedRead | Refused {
    const { bytes: fileBytes, remark, burstBlocksMax, rateClass } = source;
    const { fileBytesMax } = this.#settings;
    if (fileBytesMax > 0 && fileBytes > fileBytesMax) {
      this.#drop(source);
      const reason = `file of ${fileBytes} bytes, limit ${fileBytesMax}`;
      const refusal = refused(request, errorReplies.accessViolation, "too-large", reason);
      return { ...refusal, fileBytes, fileBytesMax };
    }
    const grant = negotiate(request, limits, fileBytes);
    const oack = encodeOack(grant);
    const { chunkBytes } = this.#cache;
    if (request.mode === "octet") {
      const framing = Framing.packets(chunkBytes, grant.blockBytes, grant.rolloverTo);
      const payload = new OctetPayload(this.#cache, this.#hold(source, framing));
      return {
        kind: "read",
        request,
        grant,
        oack,
        fileBytes,
        payload,
        burstBlocksMax,
        rateClass,
        remark,
      };
    }
    const ring = this.#cache.reserve();
    if (ring < 0) {
      this.#drop(source);
      return refused(request, errorReplies.busy, "busy", "no memory for a netascii transfer");
    }
    const file = this.#hold(source, Framing.raw(chunkBytes));
    const payload = new NetasciiPayload(this.#cache, file, ring, grant);
    return {
      kind: "read",
      request,
      grant,
      oack,
      fileBytes,
      payload,
      burstBlocksMax,
      rateClass,
      remark,
    };
  }

  #hold({ fd, text }: Source, framing: Framing): CachedFile {
    if (text !== undefined) return this.#cache.holdText(text, framing);
    return this.#cache.hold(fd, this.#finder.stat, framing);
  }

  #drop({ fd }: Source): void {
    if (fd !== NO_FD) this.#finder.close(fd);
  }
}

/** Instead of a file's fd, where a text is sent. */
const NO_FD = -1;
