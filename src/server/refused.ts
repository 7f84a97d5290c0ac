// Requests that are not served (server layer): what the peer is told, in constant sentences, and what the log is told. One table
// for reads, one for uploads, so that like causes are told alike.

import type { RefusedName } from "#policy/path.ts";
import type { Denial } from "#policy/policy.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import type { Request } from "#protocol/request.ts";
import { OpenRefusal } from "#storage/root.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

import type { RefusalCause } from "./contract.ts";

/** A request that will not be served. `reply` undefined: nothing is sent. */
export interface Refused {
  readonly kind: "refused";
  readonly reply: ErrorReply | undefined;
  readonly cause: RefusalCause;
  readonly name: string;
  readonly isWrite: boolean;
  readonly reason: string;
  /** For `too-large`. */
  readonly fileBytes?: number;
  readonly fileBytesMax?: number;
}

export function refused(
  request: Request,
  reply: ErrorReply,
  cause: RefusalCause,
  reason: string,
): Refused {
  const isWrite = request.kind === "write";
  return { kind: "refused", reply, cause, name: request.name, isWrite, reason };
}

/** What each refused name is told, and the log. */
const nameRefusals: Readonly<
  Record<RefusedName["cause"], readonly [ErrorReply, RefusalCause, string]>
> = {
  traversal: [errorReplies.accessViolation, "traversal", "a segment is `..`"],
  hidden: [errorReplies.notFound, "not-found", "hidden names are not served"],
  empty: [errorReplies.accessViolation, "denied", "the root folder itself"],
  "too-long": [errorReplies.notFound, "not-found", "name too long"],
};

/** A request that the policy denies: with the code that a rule has chosen, and the rule's name in the log. */
export function refuseByPolicy(request: Request, { ruling, cause, folder }: Denial): Refused {
  if (cause === "folder") {
    const reason = `denied by the lists of the folder ${JSON.stringify(folder)}`;
    return refused(request, errorReplies.accessViolation, "denied", reason);
  }
  if (cause !== "denied") {
    const [reply, logged, reason] = nameRefusals[cause];
    return refused(request, reply, logged, reason);
  }
  const { code, decidedBy } = ruling;
  // A name may hold anything that TOML can write.
  const by = decidedBy === "" ? "access.default" : `the rule ${JSON.stringify(decidedBy)}`;
  const reply = denials[code] ?? errorReplies.accessViolation;
  return refused(request, reply, code === 1 ? "not-found" : "denied", `denied by ${by}`);
}

/** By the code that a rule denies with (RFC 1350, appendix; 8 is RFC 2347's): a sentence for each. */
const denials: readonly ErrorReply[] = [
  errorReplies.denied,
  errorReplies.notFound,
  errorReplies.accessViolation,
  errorReplies.diskFull,
  errorReplies.illegalOperation,
  errorReplies.unknownTransfer,
  errorReplies.fileExists,
  errorReplies.noSuchUser,
  errorReplies.optionRefused,
];

const UNFOLLOWED =
  "a symbolic link that is not followed: it leads outside the root, or begins with /, or `symlinks` forbids it";

/** Why a file could not be opened, a value of {@link OpenRefusal}. */
export function refuseOpen(request: Request, refusal: number): Refused {
  const { notFound, accessViolation, busy, readFailed } = errorReplies;
  switch (refusal) {
    case OpenRefusal.notFound:
      return refused(request, notFound, "not-found", "File not found");
    case OpenRefusal.denied:
      return refused(
        request,
        accessViolation,
        "inaccessible",
        "not a regular file, or not readable by the server",
      );
    case OpenRefusal.outside:
      return refused(request, accessViolation, "symlink", UNFOLLOWED);
    case OpenRefusal.busy:
      return refused(request, busy, "busy", "too many open files, or no memory");
    default:
      return refused(request, readFailed, "io-error", "the file system failed");
  }
}

/** Why an upload came to nothing, or does not begin: a value of {@link UploadRefusal}. */
export interface UploadFate {
  readonly reply: ErrorReply;
  readonly cause: RefusalCause;
  readonly reason: string;
}

/** What each refusal of the storage layer is told, and the log. */
export function uploadFate(refusal: number): UploadFate {
  const { notFound, accessViolation, busy, diskFull, fileExists, writeFailed, otherSize } =
    errorReplies;
  switch (refusal) {
    case UploadRefusal.notFound:
      return fate(notFound, "not-found", "the folder does not exist");
    case UploadRefusal.denied:
      return fate(accessViolation, "inaccessible", "the server may not write there");
    case UploadRefusal.outside:
      return fate(accessViolation, "symlink", UNFOLLOWED);
    case UploadRefusal.busy:
      return fate(busy, "busy", "too many uploads, open files, or no memory");
    case UploadRefusal.full:
      return fate(diskFull, "full", "the disk is full, or fuller than it may be");
    case UploadRefusal.quota:
      return fate(diskFull, "full", "the quota is used up");
    case UploadRefusal.exists:
      return fate(fileExists, "exists", "the file exists and may not be overwritten");
    case UploadRefusal.claimed:
      return fate(fileExists, "exists", "another client is writing that name");
    case UploadRefusal.tooLarge:
      return fate(diskFull, "too-large", "more bytes than are allowed");
    case UploadRefusal.otherSize:
      return fate(otherSize, "malformed", "not as many bytes as were announced");
    case UploadRefusal.corrupt:
      return fate(writeFailed, "io-error", "what was read back is not what was written");
    default:
      return fate(writeFailed, "io-error", "the file system failed");
  }
}

function fate(reply: ErrorReply, cause: RefusalCause, reason: string): UploadFate {
  return { reply, cause, reason };
}
