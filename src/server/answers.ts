// What a shard has answered (server layer): noted in memory that outlives its thread, so that its successor knows a request that comes
// once more, and does not answer it in other words. Its client may have the first answer, and go by that.

import { i32At, u8 } from "#base/bytes.ts";

import type { AdmittedRead } from "./admission.ts";
import { FNV_PRIME, hashOf } from "./peer-table.ts";
import type { Arrival } from "./question.ts";
import type { ReadTransfer, Transfer } from "./transfer.ts";
import type { AdmittedWrite } from "./writes.ts";

/**
 * So long after its successor has begun, a request that a dead shard has answered may come again late: more than a round trip, because who
 * has the answer asks no more. As long as a transfer that stands still keeps out its own request (repetition.ts).
 */
const LATE_US = 2_000_000;

/** For each slot of a transfer: the hashes of its request and of the answer. */
const Word = { request: 0, answer: 1 } as const;
const WORDS = 2;
/** Instead of a request's hash. */
const NONE = 0;

/** Memory for the answers of a shard that has so many transfers at the most. */
export function createAnswers(transfersMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(transfersMax * WORDS * Int32Array.BYTES_PER_ELEMENT);
}

export class Answers {
  readonly #words: Int32Array;
  /** What a predecessor that died was at: its answers, by request. */
  readonly #earlier: Map<number, number> = new Map();
  readonly #untilUs: number;

  /** What `memory` holds is a predecessor's. It stays until its place is needed, for a successor may die at once, too. */
  constructor(memory: SharedArrayBuffer, nowUs: number) {
    this.#words = new Int32Array(memory);
    this.#untilUs = nowUs + LATE_US;
    for (let place = 0; place < this.#words.length; place += WORDS) {
      const request = i32At(this.#words, place + Word.request);
      if (request !== NONE) this.#earlier.set(request, i32At(this.#words, place + Word.answer));
    }
  }

  note(transfer: Transfer): void {
    const place = transfer.slot * WORDS;
    this.#words[place + Word.answer] = answerHash(transfer);
    this.#words[place + Word.request] = requestHash(transfer.name, transfer.requestBytes);
  }

  forget({ slot }: Transfer): void {
    this.#words[slot * WORDS + Word.request] = NONE;
  }

  /**
   * Whether the predecessor, in the middle of whose transfers this shard began a moment ago, has answered the request otherwise than with
   * `answer`: by another OACK, or from another version of the file.
   */
  isOther(answer: Answer, requestBytes: Uint8Array, { name, sinceUs }: Arrival): boolean {
    if (this.#earlier.size === 0 || sinceUs >= this.#untilUs) return false;
    const earlier = this.#earlier.get(requestHash(name, requestBytes));
    return earlier !== undefined && earlier !== answerHash(answer);
  }
}

type Answer =
  | Pick<AdmittedRead | ReadTransfer, "kind" | "oack" | "payload">
  | Pick<AdmittedWrite, "kind" | "oack">;

/** A request and the peer that it is from. FNV-1a goes on where the peer's hash ended. */
export function requestHash(name: Uint8Array, requestBytes: Uint8Array): number {
  const hash = hashedOn(hashOf(0, name, 0), requestBytes);
  return (hash ^ (hash >>> 15)) & 0x7fff_ffff;
}

/** Likewise of what is agreed on, and of the version of the file. */
function answerHash(answer: Answer): number {
  const agreed = answer.oack === undefined ? 0 : hashedOn(0, answer.oack);
  return answer.kind === "read" ? Bun.hash.crc32(answer.payload.file.key, agreed) | 0 : agreed;
}

function hashedOn(start: number, bytes: Uint8Array): number {
  let hash = start;
  for (let index = 0; index < bytes.length; index += 1) {
    hash = Math.imul(hash ^ u8(bytes, index), FNV_PRIME);
  }
  return hash;
}
