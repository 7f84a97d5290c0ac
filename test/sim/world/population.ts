// Who asks a simulated server for what: each attempt of each station is drawn here, in the dialect of a real client, on its usual
// port or on the next one.

import type { Random } from "#base/random.ts";

import { fileOf, netasciiOf, pick } from "../scenario.ts";
import { senderDialects } from "../sender.ts";
import { type Dialect, dialects } from "./dialects.ts";
import { Fetch, type Quirk } from "./fetch.ts";
import type { Path } from "./path.ts";
import { Put } from "./put.ts";
import type { ServedFile } from "./served-files.ts";
import type { Weather } from "./weather.ts";

type Send = (bytes: Uint8Array, fd: number | undefined) => void;
type Later = (delayUs: number, happen: () => void) => void;

const fetchQuirks: readonly Quirk[] = ["vanishes", "closes", "starts-over", "slow"];
const putQuirks: readonly Quirk[] = ["vanishes", "closes"];
const uploadBlockSizes = ["512", "8", "1428", "8192"];
/** Uploads to a name that others write, too. */
const SHARED_NAMES = ["shared-a", "shared-b"];

export class Population {
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #files: readonly ServedFile[];
  #uploads = 0;
  /** Whether somebody has asked for the long file. Once is enough: it has as many blocks as all the others of a world. */
  #hasLong = false;

  constructor(random: Random, weather: Weather, files: readonly ServedFile[]) {
    this.#random = random;
    this.#weather = weather;
    this.#files = files;
  }

  /** What a station at the end of `path` tries next. */
  attempt(path: Path, reusesPort: boolean, send: Send, later: Later): Fetch | Put {
    if (this.#random.chance(this.#weather.uploads)) return this.#put(send);
    return this.#fetch(path, reusesPort, send, later);
  }

  /** A read that nothing disturbs. */
  plainFetch(send: Send, later: Later): Fetch {
    const dialect = pick(this.#random, dialects);
    return new Fetch({
      dialect,
      name: this.#shortFile().name,
      mode: "octet",
      asks: dialect.asks(this.#random),
      isProbe: false,
      quirk: "none",
      afterBlocks: 0,
      reusesPort: false,
      thinkUs: 0,
      send,
      later,
    });
  }

  #fetch(path: Path, reusesPort: boolean, send: Send, later: Later): Fetch {
    const random = this.#random;
    const weather = this.#weather;
    const isMiss = random.chance(weather.misses);
    const isLong = weather.hasLongFile && !this.#hasLong && isQuick(path);
    this.#hasLong ||= isLong;
    const dialect = isLong ? lockstep : pick(random, dialects);
    const isProbe = dialect.probes !== undefined && random.chance(0.3);
    const file = isLong ? this.#files[0] : this.#shortFile();
    const quirk = !isLong && random.chance(weather.quirks) ? pick(random, fetchQuirks) : "none";
    const mode = !isLong && random.chance(weather.netascii) ? "netascii" : "octet";
    const long = { blksize: "8", windowsize: "64", rollover: pick(random, ["0", "1"]) };
    const asks = isProbe && dialect.probes !== undefined ? dialect.probes : dialect.asks(random);
    return new Fetch({
      dialect,
      name: isMiss ? `pxelinux.cfg/${random.below(1000)}` : (file?.name ?? ""),
      mode: isMiss ? "octet" : mode,
      asks: isLong ? long : asks,
      isProbe,
      quirk,
      afterBlocks: 1 + random.below(pick(random, [2, 20])),
      reusesPort,
      thinkUs: 10 ** random.below(7),
      send,
      later,
    });
  }

  #put(send: Send): Put {
    const random = this.#random;
    const { netascii, quirks } = this.#weather;
    const mode = random.chance(netascii) ? "netascii" : "octet";
    const blockBytes = pick(random, uploadBlockSizes);
    const windowBlocks = pick(random, ["1", "1", "4", "16"]);
    const asks: Record<string, string> = {};
    if (random.chance(0.8)) asks["blksize"] = blockBytes;
    if (windowBlocks !== "1") asks["windowsize"] = windowBlocks;
    const length = random.below(Number(blockBytes) * pick(random, [2, 30]));
    const bytes = fileOf(random, length, mode);
    if (random.chance(0.5) && mode === "octet") asks["tsize"] = String(length);
    this.#uploads += 1;
    const isShared = random.chance(0.2);
    return new Put({
      dialect: pick(random, senderDialects),
      random,
      name: isShared ? pick(random, SHARED_NAMES) : `upload-${this.#uploads}`,
      mode,
      bytes,
      encoded: mode === "netascii" ? netasciiOf(bytes) : bytes,
      asks,
      quirk: random.chance(quirks) ? pick(random, putQuirks) : "none",
      afterBlocks: 1 + random.below(10),
      send,
    });
  }

  /** Any but the long one, which takes its time. */
  #shortFile(): ServedFile {
    return pick(this.#random, this.#weather.hasLongFile ? this.#files.slice(1) : this.#files);
  }
}

/** Whether tens of thousands of round trips take no hours. */
function isQuick({ faults }: Path): boolean {
  const { delayUs, jitterUs, lossToServer, lossToClient, bytesPerSecond } = faults;
  const isNear = delayUs + jitterUs < 5000 && bytesPerSecond === 0;
  return isNear && lossToServer + lossToClient < 0.02;
}

const lockstep: Dialect = pickNamed("lockstep");

function pickNamed(name: string): Dialect {
  const found = dialects.find((dialect) => dialect.name === name);
  if (found === undefined) throw new Error(`no dialect is called ${name}`);
  return found;
}
