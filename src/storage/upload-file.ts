// The file of one upload on the disk (storage layer): created without a name, or with a hidden one where the file system knows
// no other way, in the folder that it will be published in. What it is called when is known here; what is done, in the steps.

import { existsSync } from "node:fs";

import { assert } from "#base/assert.ts";
import { Statvfs } from "#ffi/abi.ts";
import type { Arena } from "#ffi/arena.ts";
import {
  createNamed,
  createUnnamed,
  freeBytes,
  lockFile,
  makeFolder,
  openEntry,
  removeEntry,
} from "#ffi/create.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd, type FollowedLinks, openFolderBeneath } from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";
import { bytesOf, type ByteString, kernelName } from "#policy/names.ts";

import { DIGEST_BYTES } from "./disk-job.ts";
import type { Lookup } from "./lookup.ts";
import { type FolderFds, openUploadFolder } from "./upload-folder.ts";
import { createHiddenName, isHiddenName, versionName } from "./upload-name.ts";
import type { UploadPlan } from "./upload-plan.ts";
import { UploadRefusal, uploadRefusalOf } from "./upload-refusal.ts";

/** NAME_MAX, linux/limits.h: bytes of a name in a folder, and its final NUL. */
const NAME_BYTES = 256;

// Where an upload keeps what its system calls point to: names, a struct statvfs, and two SHA-256.
const NAMES = 192;
const AFTER_NAMES: number = NAMES + 3 * NAME_BYTES;
type RoomPlace =
  | "unnamed"
  | "hidden"
  | "kept"
  | "leaf"
  | "versionFrom"
  | "versionTo"
  | "space"
  | "digest"
  | "readDigest";
const Room: Readonly<Record<RoomPlace, number>> = {
  /** `/proc/self/fd/N`: the only way to a file without a name that needs no privilege. */
  unnamed: 0,
  hidden: 64,
  /** Another hidden name, for the previous version on its way. */
  kept: 128,
  leaf: NAMES,
  versionFrom: NAMES + NAME_BYTES,
  versionTo: NAMES + 2 * NAME_BYTES,
  space: AFTER_NAMES,
  digest: AFTER_NAMES + Statvfs.size,
  readDigest: AFTER_NAMES + Statvfs.size + DIGEST_BYTES,
};

/** Bytes that each upload needs for all of them. */
export const ROOM_BYTES = 1280;

/** The descriptors, the names, and how far the file has come. */
export class UploadFile {
  readonly plan: UploadPlan;
  readonly fd: number;
  readonly folderFd: number;
  /** Where versions go; the same as {@link folderFd} where they lie beside the file. */
  readonly versionsFd: number;
  /** Folders that must be synced because something new is in them, the target folder first. */
  readonly folderFds: FolderFds;
  /** The last segment of the plan's path. */
  readonly leaf: ByteString;
  readonly hidden: string;
  /** The hidden name of its predecessor on its way to being a version. */
  readonly kept: string = createHiddenName();
  /** Whether nothing had the name, as far as is known: see {@link measureReplaced}. */
  isNew: boolean;
  /** Bytes of the file that goes when this one comes: the present one, or its oldest version. */
  replacedBytes: number;
  /** What has a hidden name on the disk now: the file itself, its predecessor. */
  isHidden: boolean;
  isKept = false;
  /** Whether previous versions have begun to make room for another: the oldest may be gone. */
  haveVersionsMoved = false;
  /** Whether the file has the client's name. */
  isPublished = false;
  readonly #arena: Arena;
  readonly #room: number;

  constructor(
    plan: UploadPlan,
    folders: Folders,
    created: Created,
    isNew: boolean,
    replacedBytes: number,
    arena: Arena,
    room: number,
  ) {
    this.plan = plan;
    this.fd = created.fd;
    [this.folderFd] = folders.folderFds;
    this.folderFds = folders.folderFds;
    this.versionsFd = folders.versionsFd;
    this.leaf = leafOf(plan.path);
    this.hidden = created.hidden;
    this.isNew = isNew;
    this.replacedBytes = replacedBytes;
    this.isHidden = created.isHidden;
    this.#arena = arena;
    this.#room = room;
    this.#write(Room.unnamed, `/proc/self/fd/${created.fd}`);
    this.#write(Room.hidden, created.hidden);
    this.#write(Room.kept, this.kept);
    this.#write(Room.leaf, this.leaf);
  }

  /** Whether it can be given up so that everything is as it was. */
  get isRevocable(): boolean {
    return !this.isPublished && !this.haveVersionsMoved;
  }

  /** The address of what is kept at `place`. */
  address(place: RoomPlace): number {
    return this.#arena.address + this.#room + Room[place];
  }

  /** Where it lies in the arena. */
  offset(place: RoomPlace): number {
    return this.#room + Room[place];
  }

  /** Writes the name of the `version`-th version and returns its address; two can be written at a time. */
  versionAddress(place: "versionFrom" | "versionTo", version: number): number {
    this.#write(Room[place], versionName(this.leaf, version));
    return this.address(place);
  }

  #write(place: number, name: ByteString): void {
    assert(name.length < NAME_BYTES, "names were measured before");
    const start = this.#room + place;
    this.#arena.u8.set(bytesOf(name), start);
    this.#arena.u8[start + name.length] = 0;
  }
}

/** Folders that are open for an upload: see {@link UploadFile}. */
interface Folders {
  readonly folderFds: FolderFds;
  readonly versionsFd: number;
}

/** A file that was created. */
interface Created {
  readonly fd: number;
  readonly hidden: string;
  readonly isHidden: boolean;
}

/**
 * Opens what an upload needs for `plan` where `lookup` finds its folder, with its names at byte `room` of `arena`. Returns the file; or a
 * value of {@link UploadRefusal}, and nothing is open or left.
 */
export function openUploadFile(
  lookup: Lookup,
  plan: UploadPlan,
  arena: Arena,
  room: number,
): UploadFile | number {
  const leaf = leafOf(plan.path);
  const longest = plan.versionsMax > 0 ? versionName(leaf, plan.versionsMax) : leaf;
  if (longest.length >= NAME_BYTES) return UploadRefusal.notFound;
  if (isHiddenName(leaf)) return UploadRefusal.denied;
  const folderFds = openUploadFolder(lookup, plan);
  if (typeof folderFds === "number") return uploadRefusalOf(folderFds);
  const [folderFd] = folderFds;
  const previous = new FileStat();
  const refusal = admit(folderFd, leaf, plan, previous);
  const versionsFd =
    refusal < 0 ? refusal : openVersionsFolder(folderFd, plan, lookup.followedLinks);
  const created = versionsFd < 0 ? versionsFd : createFile(folderFd);
  if (typeof created !== "number") {
    const isNew = !previous.isRegular;
    const replacedBytes = isNew ? 0 : replacedBytesOf(versionsFd, leaf, plan, previous);
    const folders = { folderFds, versionsFd };
    return new UploadFile(plan, folders, created, isNew, replacedBytes, arena, room);
  }
  closeFolders({ folderFds, versionsFd });
  return created;
}

/** Whether the name and the disk admit the file: 0 or a refusal. `previous` describes the file that has the name, if any. */
function admit(folderFd: number, leaf: ByteString, plan: UploadPlan, previous: FileStat): number {
  const fd = openEntry(folderFd, kernelName(leaf));
  if (fd === -Errno.ENOENT) return spaceRefusal(folderFd, plan);
  if (fd < 0) return uploadRefusalOf(fd);
  const result = statFd(fd, previous);
  closeFd(fd);
  if (result < 0) return uploadRefusalOf(result);
  // Not even one that leads to a file inside: what a name is must not depend on what it was a moment ago.
  if (previous.isLink) return UploadRefusal.outside;
  if (!previous.isRegular) return UploadRefusal.denied;
  return plan.mayOverwrite ? spaceRefusal(folderFd, plan) : UploadRefusal.exists;
}

/**
 * Looks once more at what the file is about to replace: where several may write one name at a time, another one has perhaps been
 * published since this one began. Two that are published at one moment may still both miss each other.
 */
export function measureReplaced(file: UploadFile): void {
  const { versionsFd, leaf, plan } = file;
  const present = new FileStat();
  if (!findPresent(file, present)) return;
  file.isNew = false;
  file.replacedBytes = replacedBytesOf(versionsFd, leaf, plan, present);
}

/** Whether the file has its name still: another one may have come in its place. */
export function hasItsName(file: UploadFile): boolean {
  const own = new FileStat();
  const present = new FileStat();
  if (statFd(file.fd, own) < 0 || !findPresent(file, present)) return false;
  return present.hasSameBytes(own);
}

/** Sets `present` to what has the file's name. False: nothing has. */
function findPresent({ folderFd, leaf }: UploadFile, present: FileStat): boolean {
  return findEntry(folderFd, leaf, present);
}

/** Sets `found` to what is called `name` in the folder. False: nothing is. */
function findEntry(folderFd: number, name: ByteString, found: FileStat): boolean {
  const fd = openEntry(folderFd, kernelName(name));
  if (fd < 0) return false;
  const result = statFd(fd, found);
  closeFd(fd);
  return result >= 0;
}

/** Bytes of what goes when the file `present` is replaced. */
function replacedBytesOf(
  folderFd: number,
  leaf: ByteString,
  plan: UploadPlan,
  present: FileStat,
): number {
  const { versionsMax } = plan;
  if (versionsMax === 0) return lastNameBytes(present);
  const version = new FileStat();
  // Where a disk has failed before, one may be missing: then nothing moves to the place of the oldest.
  const mayMove =
    versionsMax === 1 || findEntry(folderFd, versionName(leaf, versionsMax - 1), version);
  const isThere = mayMove && findEntry(folderFd, versionName(leaf, versionsMax), version);
  return isThere ? lastNameBytes(version) : 0;
}

/** Bytes that go with one name of a file: none as long as it has another, as two versions do after a disk has failed between two renames. */
function lastNameBytes({ bytes, linkCount }: FileStat): number {
  return linkCount > 1 ? 0 : bytes;
}

function spaceRefusal(folderFd: number, plan: UploadPlan): number {
  const wanted = plan.bytesFreeMin + plan.bytesExpected;
  if (wanted === 0) return 0;
  const free = freeBytes(folderFd);
  if (free < 0) return uploadRefusalOf(free);
  return free < wanted ? UploadRefusal.full : 0;
}

/** The folder for versions, made if it is missing; the target folder itself where none is named. An fd or a refusal. */
function openVersionsFolder(folderFd: number, plan: UploadPlan, links: FollowedLinks): number {
  if (plan.versionsMax === 0 || plan.versionsFolder === "") return folderFd;
  let fd = openFolderBeneath(folderFd, plan.versionsFolder, links);
  if (fd === -Errno.ENOENT) {
    const made = makeFolder(folderFd, plan.versionsFolder, plan.folderMode);
    const isThere = made >= 0 || made === -Errno.EEXIST;
    fd = isThere ? openFolderBeneath(folderFd, plan.versionsFolder, links) : made;
  }
  return fd < 0 ? uploadRefusalOf(fd) : fd;
}

/** A file that nobody sees yet, or a refusal. Its lock tells a sweep of another process that it is alive. */
function createFile(folderFd: number): Created | number {
  const hidden = createHiddenName();
  let fd = hasProc ? createUnnamed(folderFd) : -Errno.EOPNOTSUPP;
  // Each file system that knows no such files has an errno of its own for it; a real fault comes again.
  const isHidden = fd < 0;
  if (isHidden) fd = createNamed(folderFd, hidden);
  if (fd < 0) return uploadRefusalOf(fd);
  // A file system without locks has left-overs that are removed a little early at worst.
  lockFile(fd);
  return { fd, hidden, isHidden };
}

/** Without /proc a file without a name could never get one. */
const hasProc: boolean = existsSync("/proc/self/fd");

/** Undoes {@link openUploadFile} at once, and returns `refusal`. */
export function closeUploadFile(file: UploadFile, refusal: number): number {
  if (file.isHidden) removeEntry(file.folderFd, file.hidden);
  closeFd(file.fd);
  closeFolders(file);
  return refusal;
}

function closeFolders({ folderFds, versionsFd }: Folders): void {
  for (const fd of folderFds) closeFd(fd);
  if (versionsFd >= 0 && versionsFd !== folderFds[0]) closeFd(versionsFd);
}

function leafOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}
