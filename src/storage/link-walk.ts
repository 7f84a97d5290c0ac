// Symlinks that may lead into listed folders (storage layer): a look-up that opens one segment after the other, never follows a
// link in the kernel, and enters a folder only through a descriptor that was opened for it at the start.
//
// So whoever swaps a folder for a link meanwhile is found out at that very segment, and a `..` never asks the kernel for a parent.

import { Errno } from "#ffi/errno.ts";
import { closeFd, openSegment } from "#ffi/file.ts";
import { readLink } from "#ffi/folder.ts";
import { bytesOf, byteStringOf } from "#policy/names.ts";
import { segmentsOf } from "#policy/path.ts";

/** A folder that links may lead into: its absolute path, as links spell it, and its descriptor. */
export interface LinkTarget {
  readonly path: string;
  readonly fd: number;
}

/** A {@link LinkTarget} whose path is taken apart. */
interface Base {
  readonly segments: readonly string[];
  readonly fd: number;
}

/** Links that one look-up follows: MAXSYMLINKS, linux/namei.h, as in the kernel's own. */
const LINKS_MAX = 40;
/** Segments that one look-up opens, those of links included: far more than any tree of boot files has, and under a millisecond. */
const STEPS_MAX = 256;

/** One look-up at a time: the folders that it passes through are open only while it lasts. */
export class LinkWalk {
  readonly #root: Base;
  readonly #bases: readonly Base[];
  /** The folder that the walk entered last. */
  #base: Base;
  /** The folders beneath it that the walk stands in. */
  #folders: number[] = [];
  /** What is still to be opened. */
  #left: string[] = [];

  /** `root` is a folder that links may lead into as well. */
  constructor(root: LinkTarget, targets: readonly LinkTarget[]) {
    this.#root = baseOf(root);
    this.#bases = [this.#root, ...targets.map(baseOf)];
    this.#base = this.#root;
  }

  /**
   * Opens `path` (a byte string) beneath the root: a file, or a folder to be read. Returns an fd or −errno: −EXDEV, a link leads
   * to where nothing is listed; −ELOOP, too many links; and those of openSegment.
   */
  open(path: string, kind: "file" | "folder"): number {
    this.#base = this.#root;
    this.#left = segmentsOf(path);
    const fd = this.#walk(kind);
    this.#leaveAll();
    return fd;
  }

  #walk(kind: "file" | "folder"): number {
    let links = 0;
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const segment = this.#left.shift() ?? ".";
      if (segment === "..") {
        if (!this.#leave()) return -Errno.EXDEV;
        continue;
      }
      const isLast = this.#left.length === 0;
      const folderFd = this.#folders.at(-1) ?? this.#base.fd;
      const fd = openSegment(folderFd, bytesOf(segment), isLast ? kind : "way");
      if (fd >= 0 && isLast) return fd;
      if (fd >= 0) {
        this.#folders.push(fd);
        continue;
      }
      if (fd !== -Errno.ELOOP && fd !== -Errno.ENOTDIR) return fd;
      links += 1;
      if (links > LINKS_MAX) return -Errno.ELOOP;
      const target = readLink(folderFd, bytesOf(segment));
      if (typeof target === "string") {
        if (!this.#follow(target)) return -Errno.EXDEV;
      } else if (target !== -Errno.EINVAL) {
        return target;
      } else if (fd === -Errno.ENOTDIR) {
        return fd;
      } else {
        // It was a link a moment ago and is none any more: look again.
        this.#left.unshift(segment);
      }
    }
    return -Errno.ELOOP;
  }

  /** Goes on with a link's target. False: it leads to where nothing is listed. */
  #follow(target: string): boolean {
    this.#left.unshift(...segmentsOf(target));
    return target.startsWith("/") ? this.#enter([]) : true;
  }

  /** Goes to the parent folder. False: that is none that is listed, and nothing listed follows from it. */
  #leave(): boolean {
    const fd = this.#folders.pop();
    if (fd === undefined) return this.#enter(this.#base.segments.slice(0, -1));
    closeFd(fd);
    return true;
  }

  /** Follows what is left by its words alone, from the absolute path `from` on, until they spell a listed folder. */
  #enter(from: readonly string[]): boolean {
    const path = [...from];
    for (;;) {
      const base = this.#bases.find(({ segments }) => isSame(segments, path));
      if (base !== undefined) {
        this.#leaveAll();
        this.#base = base;
        return true;
      }
      const segment = this.#left.shift();
      if (segment === undefined) return false;
      if (segment === "..") path.pop();
      else path.push(segment);
    }
  }

  #leaveAll(): void {
    for (const fd of this.#folders) closeFd(fd);
    this.#folders = [];
  }
}

function baseOf({ path, fd }: LinkTarget): Base {
  return { segments: segmentsOf(byteStringOf(path)), fd };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((segment, index) => segment === other[index]);
}
