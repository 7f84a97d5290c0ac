// What a shard decides requests with (server layer): the terms in force, and the rules, the admission and the uploads that follow
// them. A reload replaces all of it at once; uploads that run stay where they are.

import type { Settings } from "#config/settings.ts";
import type { Kernel } from "#io/kernel.ts";
import type { Disk } from "#storage/disk-queue.ts";
import type { FileCache } from "#storage/file-cache.ts";

import { Admission, type Admitted } from "./admission.ts";
import type { ShardTerms } from "./contract.ts";
import { type Interest, interestOf } from "./interest.ts";
import { LinkLimit } from "./link-limit.ts";
import type { Arrival, Lookups } from "./question.ts";
import type { Refused } from "./refused.ts";
import { Writes, type WritesListener } from "./writes.ts";

/** What of a shard outlives any terms. */
export interface Premises {
  readonly shardIndex: number;
  readonly serviceFd: number;
  readonly kernel: Kernel;
  readonly lookups: Lookups;
  readonly cache: FileCache;
  readonly disk: Disk;
  readonly listener: WritesListener;
}

export class Reception {
  readonly #premises: Premises;
  #terms: ShardTerms;
  #interest: Interest;
  #writes: Writes | undefined;
  #admission: Admission;

  constructor(premises: Premises, terms: ShardTerms) {
    this.#premises = premises;
    this.#terms = terms;
    this.#interest = interestOf(terms.settings);
    this.#admission = this.#admissionOn(terms);
  }

  get generation(): number {
    return this.#terms.generation;
  }

  get settings(): Settings {
    return this.#terms.settings;
  }

  /** Which reports anybody reads. */
  get interest(): Interest {
    return this.#interest;
  }

  /** The uploads; undefined as long as none was ever allowed. */
  get writes(): Writes | undefined {
    return this.#writes;
  }

  /** Decides by `terms` from now on, and uses none of the descriptors of earlier ones any more. */
  switchTo(terms: ShardTerms): void {
    this.#terms = terms;
    this.#interest = interestOf(terms.settings);
    this.#admission = this.#admissionOn(terms);
  }

  /** See {@link Admission.decide}. */
  decide(bytes: Uint8Array, length: number, arrival: Arrival): Admitted | Refused {
    return this.#admission.decide(bytes, length, arrival);
  }

  #admissionOn(terms: ShardTerms): Admission {
    const { shardIndex, serviceFd, kernel, lookups, cache, disk, listener } = this.#premises;
    const { settings, writes } = terms;
    if (writes !== undefined && this.#writes === undefined) {
      this.#writes = new Writes(terms, writes, disk, shardIndex, listener, kernel);
    } else if (writes !== undefined) {
      this.#writes?.switchTo(terms, writes);
    }
    // Where uploads are not allowed any more, those that run are finished all the same.
    const allowed = writes === undefined ? undefined : this.#writes;
    const link = new LinkLimit(settings, serviceFd, kernel);
    return new Admission(terms, lookups, cache, allowed, link);
  }
}
