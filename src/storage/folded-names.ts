// Names whose case does not matter (storage layer): finds what a path is called on disk, segment by segment. A name that is spelled
// exactly so wins; else the one that differs in the case of the letters A to Z alone, and of several the first by its bytes.

import { closeFd } from "#ffi/file.ts";
import { listFolder } from "#ffi/folder.ts";
import { FileStat, statFd } from "#ffi/stat.ts";
import { lowerCase, textOf } from "#policy/names.ts";
import { segmentsOf } from "#policy/path.ts";

/** Opens a folder beneath the root to be read, `.` being the root itself, by its byte string. Returns an fd or −errno. */
export type FolderOpener = (path: string) => number;

/** The names of one folder, by what they are without case. Undefined: there are too many. */
interface Listing {
  readonly version: string;
  readonly untilMs: number;
  readonly names: ReadonlyMap<string, readonly string[]> | undefined;
  readonly count: number;
}

/** Folders on the way to a name; boot files do not lie deeper (a guess). */
const SEGMENTS_MAX = 16;
/** Names of one folder: to read and sort so many stops a shard for 5 ms, once a second at most. A larger folder is not folded. */
const NAMES_MAX = 4096;
/** Names that are remembered beneath one root, of all folders together: about 10 MiB; 16 of the largest. */
const REMEMBERED_MAX = 65_536;
/** How long a listing is believed: two changes within one tick of the file system's clock have the same time. */
const BELIEVED_MS = 1000;

/** One per root and shard. */
export class FoldedNames {
  /** Why the last answer was one of several; empty if there was no choice. */
  remark = "";
  readonly #open: FolderOpener;
  readonly #namesMax: number;
  readonly #listings: Map<string, Listing> = new Map();
  readonly #stat: FileStat = new FileStat();
  #remembered = 0;

  /** A folder of more than `namesMax` names is not searched. */
  constructor(open: FolderOpener, namesMax: number = NAMES_MAX) {
    this.#open = open;
    this.#namesMax = namesMax;
  }

  /** The path, a byte string, as it is on disk; undefined if there is none such, or a folder on the way is too large. */
  find(path: string): string | undefined {
    this.remark = "";
    const segments = segmentsOf(path);
    if (segments.length > SEGMENTS_MAX) return undefined;
    const found: string[] = [];
    for (const segment of segments) {
      const names = this.#namesIn(found.join("/") || ".")?.get(lowerCase(segment));
      const name = names?.includes(segment) === true ? segment : names?.[0];
      if (name === undefined || names === undefined) return undefined;
      if (name !== segment && names.length > 1) this.#noteChoice(names);
      found.push(name);
    }
    return found.join("/");
  }

  #noteChoice(names: readonly string[]): void {
    const [first, ...others] = names.slice(0, CHOICES_MAX).map(textOf);
    this.remark = `${first} was chosen, and not ${others.join(" or ")}: they differ in case alone`;
  }

  #namesIn(path: string): Listing["names"] {
    const fd = this.#open(path);
    if (fd < 0) return undefined;
    const listing = statFd(fd, this.#stat) < 0 ? undefined : this.#listingOf(path, fd);
    closeFd(fd);
    return listing?.names;
  }

  /** The listing of the folder that `fd` was opened for and {@link #stat} describes. */
  #listingOf(path: string, fd: number): Listing | undefined {
    const version = this.#stat.versionKey();
    const nowMs = performance.now();
    const known = this.#listings.get(path);
    if (known !== undefined && known.version === version && nowMs < known.untilMs) return known;
    this.#forget(path);
    const names = listFolder(fd, this.#namesMax);
    // Reading may fail for want of a right, which is no secret worth keeping: nothing is found.
    const isRead = typeof names !== "number";
    const listing: Listing = {
      version,
      untilMs: nowMs + BELIEVED_MS,
      names: isRead ? byFold(names) : undefined,
      count: isRead ? names.length : 1,
    };
    while (this.#listings.size > 0 && this.#remembered + listing.count > REMEMBERED_MAX) {
      this.#forget(this.#listings.keys().next().value ?? "");
    }
    this.#listings.set(path, listing);
    this.#remembered += listing.count;
    return listing;
  }

  #forget(path: string): void {
    this.#remembered -= this.#listings.get(path)?.count ?? 0;
    this.#listings.delete(path);
  }
}

/** Names that a remark spells out. */
const CHOICES_MAX = 4;

function byFold(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>();
  // Byte strings compare as their bytes do.
  for (const name of names.toSorted((one, other) => (one < other ? -1 : 1))) {
    const key = lowerCase(name);
    const same = map.get(key);
    if (same === undefined) map.set(key, [name]);
    else same.push(name);
  }
  return map;
}
