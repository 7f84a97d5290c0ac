// The files that a simulated server serves: real ones on a file system in memory, whose contents at every time are known. They are
// replaced, and changed in place, at times of the simulation, which their times of modification tell.

import { renameSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Random } from "#base/random.ts";

import { fileOf, netasciiOf, pick } from "../scenario.ts";

/** What a file held from one time to another. */
interface Version {
  readonly bytes: Uint8Array;
  readonly fromUs: number;
  untilUs: number;
  encoded?: Uint8Array;
}

export interface ServedFile {
  /** Of letters that come twice each, so that no bit that is garbled makes one name of another. */
  readonly name: string;
  readonly versions: Version[];
}

const COUNT = 10;
const BLOCK_EDGES = [0, 1, 511, 512, 513, 1024, 1432, 1468, 2 * 1408, 4 * 1468];
const LONG_BYTES_MAX = 80_000;
const LONGEST_BYTES: number = 8 * 65_536 + 1500;

export class ServedFiles {
  readonly files: readonly ServedFile[];
  readonly #folder: string;
  readonly #random: Random;

  /** Makes them in `folder`. With `hasLong` the first is so long that blocks of eight bytes are numbered anew. */
  constructor(folder: string, random: Random, nowUs: number, hasLong: boolean) {
    this.#folder = folder;
    this.#random = random;
    this.files = Array.from({ length: COUNT }, (_, index) => {
      const letter = String.fromCharCode(97 + index);
      return { name: `${letter}${letter}`, versions: [this.#newVersion(nowUs)] };
    });
    if (hasLong) {
      const bytes = fileOf(random, LONGEST_BYTES, "octet");
      this.files[0]?.versions.splice(0, 1, { bytes, fromUs: nowUs, untilUs: Infinity });
    }
    for (const file of this.files) this.#write(file, file.name);
  }

  /** Another one takes the place of a file, whose name is returned; who has it open keeps what it was. */
  replace(nowUs: number): string {
    const file = this.#supersede(nowUs);
    this.#write(file, ".new");
    renameSync(join(this.#folder, ".new"), join(this.#folder, file.name));
    return file.name;
  }

  /** A file gets other contents while it may be open. */
  change(nowUs: number): string {
    const file = this.#supersede(nowUs);
    this.#write(file, file.name);
    return file.name;
  }

  /** A file loses its end while it may be open. */
  truncate(nowUs: number): string {
    const file = pick(this.#random, this.files);
    const last = file.versions.at(-1);
    if (last === undefined || last.bytes.length < 2) return file.name;
    last.untilUs = nowUs;
    const length = this.#random.below(last.bytes.length);
    file.versions.push({ bytes: last.bytes.slice(0, length), fromUs: nowUs, untilUs: Infinity });
    const path = join(this.#folder, file.name);
    truncateSync(path, length);
    utimesSync(path, nowUs / 1e6, nowUs / 1e6);
    return file.name;
  }

  #supersede(nowUs: number): ServedFile {
    const file = pick(this.#random, this.files);
    const last = file.versions.at(-1);
    if (last !== undefined) last.untilUs = nowUs;
    file.versions.push(this.#newVersion(nowUs));
    return file;
  }

  #newVersion(fromUs: number): Version {
    const random = this.#random;
    // Most are short: what goes wrong goes wrong at the edges of blocks and windows, and a block costs time.
    const lengthMax = random.chance(0.15) ? LONG_BYTES_MAX : 12_000;
    const length = random.chance(0.5) ? pick(random, BLOCK_EDGES) : random.below(lengthMax);
    const mode = random.chance(0.5) ? "netascii" : "octet";
    return { bytes: fileOf(random, length, mode), fromUs, untilUs: Infinity };
  }

  #write(file: ServedFile, name: string): void {
    const version = file.versions.at(-1);
    if (version === undefined) return;
    const path = join(this.#folder, name);
    writeFileSync(path, version.bytes);
    utimesSync(path, version.fromUs / 1e6, version.fromUs / 1e6);
  }
}

/** Whether `file` was this at any time from `startUs` to `endUs`, as it goes over the wire in `mode`. */
export function wasEver(
  file: ServedFile,
  bytes: Uint8Array,
  mode: "octet" | "netascii",
  startUs: number,
  endUs: number,
): boolean {
  return file.versions.some((version) => {
    if (version.fromUs > endUs || version.untilUs < startUs) return false;
    if (mode === "netascii") version.encoded ??= netasciiOf(version.bytes);
    const sent = mode === "octet" ? version.bytes : version.encoded;
    return sent !== undefined && Buffer.compare(sent, bytes) === 0;
  });
}
