// Where a client keeps what it gets (storage layer): a file that has its name only when it is whole, whatever ends the process
// before, or a stream such as standard output. Calls wait for the disk; nobody else is waiting for a client.

import { writeSync } from "node:fs";
import { basename, dirname } from "node:path";

import { assert } from "#base/assert.ts";
import { Arena } from "#ffi/arena.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { byteStringOf } from "#policy/names.ts";

import { DiskJobs } from "./disk-job.ts";
import { Lookup } from "./lookup.ts";
import { openUploadFile, ROOM_BYTES, type UploadFile } from "./upload-file.ts";
import type { UploadPlan } from "./upload-plan.ts";
import { UploadRefusal, uploadRefusalOf } from "./upload-refusal.ts";
import {
  closeSteps,
  discardSteps,
  IDLE,
  publishSteps,
  type Steps,
  writeSteps,
} from "./upload-steps.ts";

/** Takes a file, piece after piece. Every answer is 0, or a value of UploadRefusal. */
export interface Sink {
  /** Takes the first `bytes` bytes of `arena` as those of the file from `position` on. A stream takes pieces in their order alone. */
  write(arena: Arena, bytes: number, position: number): number;
  /** Reads as many as `bytes` bytes from `position` on into the beginning of `arena`: how many, or a refusal. No stream can. */
  read(arena: Arena, bytes: number, position: number): number;
  /** All is there: the file gets its name, and is closed. */
  publish(): number;
  /** Nothing is to be left of it, where that is possible. */
  discard(): void;
}

/** What a sink is opened for. */
export type Destination =
  /** A regular file, there or not, by an absolute path without symlinks, with these permission bits. */
  | { readonly kind: "file"; readonly path: string; readonly mode: number }
  /** A descriptor that is written to as bytes come, and that stays open. */
  | { readonly kind: "stream"; readonly fd: number };

/** Opens a sink for `bytesExpected` bytes, 0 where that is not known; or a value of UploadRefusal. */
export function openSink(destination: Destination, bytesExpected: number): Sink | number {
  if (destination.kind === "stream") return new StreamSink(destination.fd);
  return openFileSink(destination.path, destination.mode, bytesExpected);
}

function openFileSink(path: string, mode: number, bytesExpected: number): Sink | number {
  const folderFd = openRoot(dirname(path));
  if (folderFd < 0) return uploadRefusalOf(folderFd);
  const arena = new Arena(ROOM_BYTES);
  const file = openUploadFile(new Lookup(folderFd), planOf(path, mode, bytesExpected), arena, 0);
  closeFd(folderFd);
  if (typeof file !== "number") return new FileSink(file, arena);
  arena.unmap();
  return file;
}

/** As an upload that may overwrite, into a folder that is there. */
function planOf(path: string, fileMode: number, bytesExpected: number): UploadPlan {
  return {
    path: byteStringOf(basename(path)),
    client: "",
    mayOverwrite: true,
    mayCreateFolders: false,
    isShared: true,
    bytesExpected,
    bytesMax: 0,
    bytesFreeMin: 0,
    fileMode,
    folderMode: 0,
    userId: -1,
    groupId: -1,
    versionsMax: 0,
    versionsFolder: "",
    isSynced: true,
    isHashed: false,
    isVerified: false,
  };
}

/** An upload's steps, each made at once. */
class FileSink implements Sink {
  readonly #file: UploadFile;
  readonly #arena: Arena;
  readonly #jobs: DiskJobs = new DiskJobs();
  #isOpen = true;

  constructor(file: UploadFile, arena: Arena) {
    this.#file = file;
    this.#arena = arena;
  }

  write(arena: Arena, bytes: number, position: number): number {
    return this.#make(writeSteps(this.#file, arena.address, bytes, position, 0));
  }

  read(arena: Arena, bytes: number, position: number): number {
    const { fd } = this.#file;
    const result = this.#jobs.run(DiskCall.pread, fd, arena.address, bytes, position, 0);
    // What was written is there: a file that ends before it is another's doing.
    if (result === 0) return UploadRefusal.failed;
    return result < 0 ? uploadRefusalOf(result) : result;
  }

  publish(): number {
    const result = this.#make(publishSteps(this.#file));
    if (result < 0) this.discard();
    else this.#close(closeSteps(this.#file));
    return result;
  }

  discard(): void {
    // A client has nobody beside it that writes the same name.
    if (this.#isOpen) this.#close(discardSteps(this.#file, () => true));
  }

  #close(steps: Steps): void {
    this.#isOpen = false;
    this.#make(steps);
    this.#arena.unmap();
  }

  #make(steps: Steps): number {
    let next = steps.next(0);
    while (next.done !== true) {
      assert(next.value !== IDLE, "these steps wait for nothing");
      const [call, a, b = 0, c = 0, d = 0, e = 0] = next.value;
      next = steps.next(this.#jobs.run(call, a, b, c, d, e));
    }
    return next.value;
  }
}

/** How long a pipe that is full is given before it is tried again. A guess: well below what a reader needs for 64 KiB. */
const PIPE_RETRY_MS = 1;

class StreamSink implements Sink {
  readonly #fd: number;
  #bytes = 0;
  readonly #sleep: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(arena: Arena, bytes: number, position: number): number {
    assert(position === this.#bytes, "a stream has no positions");
    this.#bytes += bytes;
    for (let done = 0; done < bytes;) {
      try {
        done += writeSync(this.#fd, arena.u8, done, bytes - done);
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code !== "EAGAIN") return code === "ENOSPC" ? UploadRefusal.full : UploadRefusal.failed;
        Atomics.wait(this.#sleep, 0, 0, PIPE_RETRY_MS);
      }
    }
    return 0;
  }

  read(): number {
    return UploadRefusal.failed;
  }

  publish(): number {
    return 0;
  }

  discard(): void {}
}
