// Where a permitted name is found (server layer): the candidates that a policy names are tried in their order, and the first that
// exists is the answer, whatever it is. `check --explain` looks with this code, too.

import { at } from "#base/bytes.ts";
import type { Settings } from "#config/settings.ts";
import { type ByteString, kernelName, pathText } from "#policy/names.ts";
import type { Candidate } from "#policy/roots.ts";
import { type UploadPlace, UploadPolicy } from "#policy/upload.ts";
import { type FileStat, OpenRefusal, Root } from "#storage/root.ts";

import type { ShardTerms } from "./contract.ts";
import { lookupRules } from "./lookup-rules.ts";

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

  constructor(
    settings: Pick<Settings, "lookup" | "policy" | "uploads">,
    { folderFds, linkTargetFds }: Pick<ShardTerms, "folderFds" | "linkTargetFds">,
  ) {
    const rules = lookupRules(settings, linkTargetFds);
    this.#roots = folderFds.map((fd, folder) => new Root(fd, at(rules, folder)));
    this.#last = at(this.#roots, 0);
    this.#uploads = new UploadPolicy(settings.uploads);
    this.#places = settings.policy.uploadPlaces;
  }

  /** Describes the file that was opened last. */
  get stat(): FileStat {
    return this.#last.stat;
  }

  /** What the last file is called on disk, where that differs in case from the name it was opened by. */
  get otherName(): ByteString | undefined {
    return this.#last.otherName;
  }

  /** What the log should say of how the last file was found; empty for most. */
  get remark(): string {
    return this.#last.remark;
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
    if (!this.#mayRead(folder, path)) return UNREADABLE;
    this.#last = at(this.#roots, folder);
    const fd = this.#last.open(kernelName(path));
    const { otherName } = this.#last;
    if (fd < 0 || otherName === undefined || this.#mayRead(folder, otherName)) return fd;
    // In another case it is a name of uploads.
    this.#last.close(fd);
    return UNREADABLE;
  }

  #mayRead(folder: number, path: ByteString): boolean {
    return this.#uploads.mayRead(pathText(path), at(this.#places, folder));
  }
}
