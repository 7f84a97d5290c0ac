// From a cleaned name to an open file or folder (storage layer): the policy of symlinks and of case beneath one root. The kernel decides
// what is contained; where links may lead into listed folders, LinkWalk does, with the kernel's help at each segment.

import { Errno } from "#ffi/errno.ts";
import {
  type FollowedLinks,
  openBeneath,
  openByWalk,
  openFolderBeneath,
  openFolderByWalk,
} from "#ffi/file.ts";
import { bytesOf, type ByteString, byteString, byteStringOf } from "#policy/names.ts";

import { FoldedNames } from "./folded-names.ts";
import { type LinkTarget, LinkWalk } from "./link-walk.ts";

/** How names are looked up beneath a root. */
export interface LookupRules {
  /**
   * Which symlinks are followed: `none`; `inside`, those that stay inside the root on the whole way and do not begin with a `/`;
   * `listed`, those that lead to somewhere inside the root or one of {@link linkTargets}.
   */
  readonly links: "none" | "inside" | "listed";
  readonly linkTargets: readonly LinkTarget[];
  /** The absolute path of the root, as links spell it. */
  readonly rootDir: string;
  /** Whether a name that is not there is looked for in another case. */
  readonly foldsCase: boolean;
}

/** The two ways of opening beneath a root. */
export interface LookupWay {
  readonly file: (rootFd: number, name: string | Uint8Array, links: FollowedLinks) => number;
  readonly folder: (rootFd: number, name: string | Uint8Array, links: FollowedLinks) => number;
}

/** By openat2, or as this kernel makes it necessary. */
const kernelsWay: LookupWay = { file: openBeneath, folder: openFolderBeneath };
/** Segment by segment, and through no symlink: what kernels without openat2 are left with. */
export const walkingWay: LookupWay = { file: openByWalk, folder: openFolderByWalk };

/** What a root has without rules of its own. */
export const plainRules: LookupRules = {
  links: "inside",
  linkTargets: [],
  rootDir: "/",
  foldsCase: false,
};

export class Lookup {
  /** Which symlinks the kernel follows where it looks something up by itself. */
  readonly followedLinks: FollowedLinks;
  readonly #rootFd: number;
  readonly #way: LookupWay;
  readonly #walk: LinkWalk | undefined;
  readonly #names: FoldedNames | undefined;
  #otherName: ByteString | undefined;
  #remark = "";

  constructor(rootFd: number, rules: LookupRules = plainRules, way: LookupWay = kernelsWay) {
    const { links, linkTargets, rootDir, foldsCase } = rules;
    this.#rootFd = rootFd;
    this.followedLinks = links === "none" ? "none" : "inside";
    this.#way = way;
    if (links === "listed") {
      this.#walk = new LinkWalk({ path: rootDir, fd: rootFd }, linkTargets);
    }
    if (foldsCase) this.#names = new FoldedNames((path) => this.#openAs("folder", bytesOf(path)));
  }

  /** What the last look-up found where it was in another case; undefined for most. */
  get otherName(): ByteString | undefined {
    return this.#otherName;
  }

  /** What the log should say of the last look-up; empty for most. */
  get remark(): string {
    return this.#remark;
  }

  /** Opens `path` (relative, clean; text is UTF-8) to be read. Returns an fd, of any kind of file, or −errno. */
  open(path: string | Uint8Array): number {
    this.#otherName = undefined;
    this.#remark = "";
    const fd = this.#openAs("file", path);
    if (this.#names === undefined) return fd;
    if (fd !== -Errno.ENOENT && fd !== -Errno.ENOTDIR) return fd;
    const asked = nameOf(path);
    const found = this.#names.find(asked);
    if (found === undefined || found === asked) return fd;
    this.#otherName = found;
    this.#remark = this.#names.remark;
    return this.#openAs("file", bytesOf(found));
  }

  /** Opens the folder `path`, `.` being the root itself, exactly as it is called: what is beneath it can be opened and it can be synced. */
  openFolder(path: string | Uint8Array): number {
    return this.#openAs("folder", path);
  }

  #openAs(kind: "file" | "folder", path: string | Uint8Array): number {
    const fd = this.#way[kind](this.#rootFd, path, this.followedLinks);
    if (this.#walk === undefined || !mayBeLink(fd)) return fd;
    return this.#walk.open(nameOf(path), kind);
  }
}

function nameOf(path: string | Uint8Array): ByteString {
  return typeof path === "string" ? byteStringOf(path) : byteString(path);
}

/** What {@link LookupWay} answers where a symlink leads outside, or where it follows none. */
function mayBeLink(result: number): boolean {
  return result === -Errno.EXDEV || result === -Errno.ELOOP || result === -Errno.ENOTDIR;
}
