// What a simulated server serves from, and by which settings: folders on a file system in memory, the ledger of uploads, and terms
// that differ from reload to reload.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Random } from "#base/random.ts";
import { loadConfig } from "#config/load.ts";
import { resolveSettings, type Settings } from "#config/settings.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { bytesOf, type ByteString, byteString } from "#policy/names.ts";
import type { ShardTerms } from "#server/contract.ts";
import { createUploadLedger, UploadLedger } from "#storage/upload-ledger.ts";

import { pick } from "../scenario.ts";

/** Claims of the ledger: more than there are stations. */
const CLAIMS_MAX = 256;
const NO_QUOTAS = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 1000 };

export class Premises {
  readonly folder: string;
  readonly served: string;
  readonly uploads: string;
  readonly terms: ShardTerms;
  readonly ledger: UploadLedger;
  /** Whether several may write one name at a time: then two that are published at one moment may both miss each other. */
  hasRivals = false;
  readonly #random: Random;
  readonly #fixed: Pick<
    Settings,
    "transfersMax" | "cacheChunkBytes" | "cacheBytesMax" | "cacheSparingFromBytes"
  >;
  readonly #rootFd: number;
  readonly #uploadFd: number;

  constructor(random: Random) {
    this.#random = random;
    this.folder = mkdtempSync(join(memoryFolder, "snow-owl-sim-"));
    this.served = join(this.folder, "served");
    this.uploads = join(this.folder, "uploads");
    mkdirSync(this.served);
    mkdirSync(this.uploads);
    this.#rootFd = openRoot(this.served);
    this.#uploadFd = openRoot(this.uploads);
    const memory = createUploadLedger(CLAIMS_MAX);
    // The view of nobody's shard.
    this.ledger = new UploadLedger(memory, CLAIMS_MAX, NO_QUOTAS);
    this.ledger.setRootBytes(0);
    const cacheChunkBytes = pick(random, [4096, 16_384, 65_536]);
    this.#fixed = {
      transfersMax: pick(random, [12, 400, 400]),
      cacheChunkBytes,
      cacheBytesMax: cacheChunkBytes * pick(random, [32, 300, 300]),
      cacheSparingFromBytes: cacheChunkBytes * pick(random, [0, 8, Infinity]),
    };
    this.terms = {
      generation: 0,
      settings: this.settings(),
      folderFds: [this.#rootFd],
      linkTargetFds: [],
      writes: { rootFd: this.#uploadFd, ledger: memory },
    };
  }

  /** Settings as a configuration file might have them; each call draws others. */
  settings(): Settings {
    const random = this.#random;
    const text = `
root_dir = "${this.served}"
# All reports are counted.
[logging]
level = "debug"
[transfer]
max_windowsize = ${pick(random, [1, 4, 64, 512])}
retransmit_timeout_ms = ${pick(random, [300, 1000, 3000])}
patience_secs = ${pick(random, [20, 60])}
mtu_clamp = "${pick(random, ["off", "interface"])}"
[write_config]
enabled = true
allow_overwrite = ${random.chance(0.5)}
allowed_patterns = ["*"]
[uploads]
root_dir = "${this.uploads}"
verify = ${random.chance(0.3)}
keep_versions = ${random.chance(0.3) ? 2 : 0}
concurrent_writers = "${pick(random, ["refuse", "last-complete-wins"])}"
patience_secs = ${pick(random, [20, 60])}
`;
    const { config, problems } = loadConfig(text, "sim.toml");
    if (config === undefined) throw new Error(JSON.stringify(problems));
    const settings = resolveSettings(config, { cores: 1, memoryBytes: 2 ** 30 });
    this.hasRivals ||= settings.uploads.concurrentWriters === "last-complete-wins";
    return {
      ...settings,
      // The clock stands still during a turn: a spin would not end.
      spinUs: 0,
      ...this.#fixed,
      blockBytesMax: Math.min(settings.blockBytesMax, this.#fixed.cacheChunkBytes - 4),
    };
  }

  /** The descriptors that are open for something in here, beyond the two folders themselves. */
  openFds(): readonly number[] {
    const fds: number[] = [];
    for (const name of readdirSync("/proc/self/fd")) {
      const fd = Number(name);
      if (fd !== this.#rootFd && fd !== this.#uploadFd && this.#isOurs(fd)) fds.push(fd);
    }
    return fds;
  }

  /** What lies in the upload root. */
  uploadedNames(): readonly ByteString[] {
    return readdirSync(this.uploads, "buffer").map(byteString);
  }

  /** The upload of this name, if there is one. */
  uploaded(name: ByteString): Uint8Array | undefined {
    try {
      return readFileSync(this.#pathOf(name));
    } catch {
      return undefined;
    }
  }

  /** Bytes of all uploads, one with several names counted once. */
  uploadedBytes(): number {
    const stats = this.uploadedNames().map((name) => lstatSync(this.#pathOf(name)));
    const files = new Map(stats.map(({ ino, size }) => [ino, size]));
    return Array.from(files.values()).reduce((sum, size) => sum + size, 0);
  }

  remove(): void {
    closeFd(this.#rootFd);
    closeFd(this.#uploadFd);
    rmSync(this.folder, { recursive: true });
  }

  /** A name that was garbled on its way may be no UTF-8. */
  #pathOf(name: ByteString): Buffer {
    return Buffer.concat([Buffer.from(`${this.uploads}/`), bytesOf(name)]);
  }

  #isOurs(fd: number): boolean {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(this.folder);
    } catch {
      // That of the listing itself is gone.
      return false;
    }
  }
}

/** Where files are in memory: a simulation must not wait for a disk. */
const memoryFolder: string = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
