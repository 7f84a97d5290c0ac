// The file on this machine that a get fills (client layer): opened when the server has answered, looked at when all of it is there,
// and named when it is what was announced. Whatever went wrong is told in words, and in an ERROR for the server.

import { errorReplies } from "#protocol/error-reply.ts";
import { IncomingFile } from "#storage/incoming.ts";
import { openSink } from "#storage/sink.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

import type { Failure, GetJob } from "./contract.ts";
import type { SideFault } from "./side.ts";

/** dnsmasq and others print 32 bits of a size. */
const SIZE_WRAP = 2 ** 32;

export class GotFile {
  /** SHA-256 of what came in hexadecimal digits, once it was {@link judge}d; empty where nobody wants it. */
  sha256 = "";
  readonly #job: GetJob;
  readonly #bytesAnnounced: number | undefined;
  readonly #file: IncomingFile;

  /** Opens it where `job` says; `bytesAnnounced` is its size, if the server told it. */
  static open(job: GetJob, bytesAnnounced: number | undefined): GotFile | SideFault {
    const sink = openSink(job.destination, bytesAnnounced ?? 0);
    if (typeof sink === "number") return writeFault(sink);
    const isHashed = job.isHashed || job.sha256 !== undefined;
    return new GotFile(job, bytesAnnounced, new IncomingFile(sink, isHashed));
  }

  private constructor(job: GetJob, bytesAnnounced: number | undefined, file: IncomingFile) {
    this.#job = job;
    this.#bytesAnnounced = bytesAnnounced;
    this.#file = file;
  }

  /** Bytes that have come. */
  get bytes(): number {
    return this.#file.bytes;
  }

  /** Takes `bytes` from `address` (arena memory): the next ones, or those from `position` on. 0, or a value of UploadRefusal. */
  append(address: number, bytes: number, position?: number): number {
    return this.#file.append(address, bytes, position);
  }

  /** All has come. 0 if it is safe with the kernel, or a value of UploadRefusal. */
  finish(): number {
    return this.#file.finish();
  }

  /** Why it is not what was announced, or what its user wants; undefined where it is. Asked once, after {@link finish}. */
  judge(): Failure | undefined {
    const { bytes } = this;
    this.sha256 = this.#file.digest();
    const announced = this.#bytesAnnounced;
    if (announced !== undefined && announced !== bytes && announced !== bytes % SIZE_WRAP) {
      return { cause: "corrupt", text: `${bytes} bytes came where ${announced} were announced` };
    }
    const wanted = this.#job.sha256;
    if (wanted === undefined || wanted === this.sha256) return undefined;
    return { cause: "corrupt", text: `its SHA-256 is ${this.sha256} instead of ${wanted}` };
  }

  /** Gives it its name. */
  publish(): "complete" | Failure {
    const published = this.#file.publish();
    return published < 0 ? writeFault(published) : "complete";
  }

  /** Nothing is left of it, unless it was published. */
  discard(): void {
    this.#file.discard();
  }
}

/** Why this machine's file could not be written, for a value of UploadRefusal. */
export function writeFault(refusal: number): SideFault {
  const isFull = refusal === UploadRefusal.full;
  const reply = isFull ? errorReplies.diskFull : errorReplies.writeFailed;
  return { cause: "local", text: writeFaultText(refusal), reply };
}

function writeFaultText(refusal: number): string {
  switch (refusal) {
    case UploadRefusal.notFound:
      return "the folder to write to is not there, or the name is too long";
    case UploadRefusal.denied:
      return "writing here is not permitted, or something of that name is no regular file";
    case UploadRefusal.busy:
      return "too many files are open (raise ulimit -n)";
    case UploadRefusal.full:
      return "the disk is full";
    default:
      return "writing failed";
  }
}
