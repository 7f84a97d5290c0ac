// Where a permitted name is found (server layer): the candidates that a policy names are tried in their order, and the first that
// exists is the answer, whatever it is. `check --explain` looks with this code, too.

import { at } from "#base/bytes.ts";
import { kernelName, pathText } from "#policy/names.ts";
import type { Candidate } from "#policy/roots.ts";
import type { UploadPlace, UploadPolicy } from "#policy/upload.ts";
import { type FileStat, OpenRefusal, Root } from "#storage/root.ts";

/** What {@link Finder.open} answers beyond {@link OpenRefusal}: what is there may not be read back. */
export const UNREADABLE = -100;

/** Hears what became of each candidate: its size, a value of {@link OpenRefusal}, or {@link UNREADABLE}. */
export type CandidateTrace = (candidate: Candidate, result: number) => void;

/** Opens files beneath several folders. */
export class Finder {
  readonly #roots: readonly Root[];
  readonly #uploads: UploadPolicy;
  readonly #places: readonly UploadPlace[];
  #last: Root;

  /** `folderFds` and `places` belong to the same folders. */
  constructor(folderFds: readonly number[], uploads: UploadPolicy, places: readonly UploadPlace[]) {
    this.#roots = folderFds.map((fd) => new Root(fd));
    this.#last = at(this.#roots, 0);
    this.#uploads = uploads;
    this.#places = places;
  }

  /** Describes the file that was opened last. */
  get stat(): FileStat {
    return this.#last.stat;
  }

  /** The fd of the first candidate that exists. Else why there is none: a value of {@link OpenRefusal}, or {@link UNREADABLE}. */
  open(candidates: readonly Candidate[], trace?: CandidateTrace): number {
    let refusal: number = OpenRefusal.notFound;
    for (const candidate of candidates) {
      const result = this.#openOne(candidate);
      trace?.(candidate, result);
      // What may not be read back is as good as missing, but for what its client is told.
      if (result === UNREADABLE) refusal = UNREADABLE;
      else if (result !== OpenRefusal.notFound) return result;
    }
    return refusal;
  }

  /** Closes what {@link open} returned and nobody took. */
  close(fd: number): void {
    this.#last.close(fd);
  }

  #openOne({ folder, path }: Candidate): number {
    if (!this.#uploads.mayRead(pathText(path), at(this.#places, folder))) return UNREADABLE;
    this.#last = at(this.#roots, folder);
    return this.#last.open(kernelName(path));
  }
}
