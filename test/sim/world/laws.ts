// What holds in every simulated world, whatever the weather. Each law is told apart from what the weather excuses, and throws where
// it is broken.

import type { Fetch } from "./fetch.ts";
import type { Path, PathCounts } from "./path.ts";
import type { Premises } from "./premises.ts";
import type { Put } from "./put.ts";
import { type ServedFile, wasEver } from "./served-files.ts";

/** A law that was broken, by what the server did to `station`; −1 where it concerns no one alone. */
export class Broken extends Error {
  readonly station: number;

  constructor(law: string, station: number = -1) {
    super(law);
    this.station = station;
  }
}

/** A read that has ended, and what may excuse how it did. */
export interface EndedFetch {
  readonly station: number;
  readonly fetch: Fetch;
  /** Undefined: there is no such file. */
  readonly file: ServedFile | undefined;
  readonly startUs: number;
  readonly endUs: number;
  /** DATA packets that the server has sent for it. */
  readonly dataReceived: number;
  readonly path: Path;
  /** What the path did meanwhile. */
  readonly damage: PathCounts;
  /** How often the server itself was not well meanwhile: died, paused, was full, refused or broken. */
  readonly troubles: number;
  /** Whether it has died at all, be it before. */
  readonly hasDied: boolean;
}

/** Round trips above this may be mistaken for silence by a server that waits 300 ms first. */
const NEAR_US = 60_000;
/** The server waits at least so long: a jitter below this is never mistaken for silence, and one above may be, once in a million packets. */
const SHORTEST_WAIT_US = 50_000;
/** The largest window that any client here asks for. */
const WINDOW_MAX = 64;
/** What a client that meets nothing bad takes for one round trip, disks and turns of everybody included. */
const ROUND_US = 500_000;

/**
 * Every completed transfer is byte-exact: unless a request was garbled on its way, and so asked for something else; or a client
 * that asks twice from one port, and is not sure of an OACK, cannot tell the blocks of the two apart.
 */
export function checkBytes({ station, fetch, file, startUs, endUs, damage }: EndedFetch): void {
  if (fetch.ending !== "complete" || damage.garbled > 0) return;
  const { mode, name, reusesPort } = fetch.options;
  if (reusesPort && !fetch.expectsOack) return;
  if (fetch.hasOversized) throw new Broken("a block is longer than was agreed", station);
  if (file === undefined) throw new Broken(`${name} was sent, and there is no such file`, station);
  if (wasEver(file, fetch.bytes, mode, startUs, endUs)) return;
  throw new Broken(`${name} was never what was sent: ${fetch.bytes.length} bytes`, station);
}

/** Nobody is sent more than what the losses made necessary. */
export function checkCost(ended: EndedFetch): void {
  const { station, fetch, dataReceived, path, damage, endUs, startUs } = ended;
  const { options, agreed, blocks, repeats } = fetch;
  if (options.quirk === "starts-over" || options.isProbe) return;
  const { delayUs, jitterUs, bytesPerSecond } = path.faults;
  const isNear = delayUs + jitterUs < NEAR_US && bytesPerSecond === 0;
  const isPrompt = options.quirk !== "slow" && isNear && ended.troubles === 0;
  const window = agreed.windowBlocks;
  // In lockstep an ACK that comes twice is no reason to send anything.
  const doubled = window > 1 ? damage.duplicated : 0;
  const faults = damage.lost + damage.late + damage.garbled + doubled + repeats + ended.troubles;
  const isSteady = jitterUs === 0 || 2 * (delayUs + jitterUs) < SHORTEST_WAIT_US;
  const isExact = isPrompt && isSteady && faults === 0 && options.quirk === "none";
  // The server's own timer: at the least 50 ms apart, and its first repetitions come at twice the time each.
  const seconds = (endUs - startUs) / 1e6;
  // A delay that varies by more than that is at times estimated too low: of each hundred blocks once at the most.
  const timeouts = isPrompt ? (isSteady ? 0 : blocks / 100) : 8 + 4 * seconds;
  // The first block of a client that wants no OACK is what a request is answered with that comes twice.
  const first = damage.duplicated > 0 ? 1 : 0;
  // What was before from the same port may have a window on its way, or repeat one before its last ACK is read.
  const before = options.reusesPort ? 2 * WINDOW_MAX : 0;
  const least = isExact ? blocks + first : blocks + window * (2 + 3 * faults + timeouts);
  const most = least + before;
  if (dataReceived <= most) return;
  const why = `${faults} faults, ${repeats} of them repetitions, in ${seconds} s`;
  throw new Broken(`${dataReceived} DATA for ${blocks} blocks, at most ${most}: ${why}`, station);
}

/** Who loses nothing on the way is served, and soon, whatever is done to others, and however often a datagram comes twice. */
export function checkService(ended: EndedFetch, roomForAll: boolean): void {
  const { station, fetch, file, path, troubles, startUs, endUs } = ended;
  const { options, ending, blocks, agreed, errorCode, errorText } = fetch;
  const { damage } = ended;
  const isDamaged = damage.lost + damage.late + damage.garbled + path.faults.bytesPerSecond > 0;
  const isBothered = options.quirk !== "none" || isDamaged || troubles > 0 || !roomForAll;
  if (isBothered || ending === "probed") return;
  if (file === undefined) {
    if (errorCode === 1) return;
    // The last ACK of the attempt before, from the same port, may have found a worker that had just taken a dead one's place.
    if (options.reusesPort && ended.hasDied && errorCode === 5) return;
    throw new Broken(`no file, but ${ending} ${errorCode} ${errorText}`, station);
  }
  // A file that changes in place cannot be had as it was.
  const hasChanged = file.versions.some(({ fromUs }) => fromUs >= startUs && fromUs <= endUs);
  // An ERROR may have been meant for an attempt before this one, from the same port.
  const isMeant = ending === "refused" && !hasChanged && !options.reusesPort;
  if (ending !== "complete" && (ending !== "refused" || isMeant)) {
    throw new Broken(`${options.dialect.name} ${ending}: ${errorCode} ${errorText}`, station);
  }
  const { delayUs, jitterUs } = path.faults;
  const rounds = 3 + Math.ceil(blocks / agreed.windowBlocks);
  const mostUs = rounds * (2 * (delayUs + jitterUs) + ROUND_US);
  if (ending === "refused" || endUs - startUs <= mostUs) return;
  throw new Broken(`${endUs - startUs} µs for ${rounds} round trips`, station);
}

/** An upload that was acknowledged is there, whole: under another name if its request was garbled on its way. */
export function checkUpload(
  station: number,
  put: Put,
  damage: PathCounts,
  present: Uint8Array | undefined,
  others: readonly Uint8Array[],
): void {
  const { name, bytes } = put.options;
  if (put.ending !== "complete" || damage.garbled > 0) return;
  if (present === undefined)
    throw new Broken(`${name} was acknowledged, and is not there`, station);
  const isWhole = [bytes, ...others].some((sent) => Buffer.compare(sent, present) === 0);
  if (!isWhole) throw new Broken(`${name} is nothing that was sent`, station);
}

/** What is mapped when it is needed for the first time: where netascii is decoded, and a larger inbox. */
const MAPPINGS_MORE = 2;

/** A world after its end. */
export interface Aftermath {
  readonly premises: Premises;
  /** What was sent under each name. */
  readonly sent: ReadonlyMap<string, readonly Uint8Array[]>;
  /** Mappings beyond those that a shard begins with. */
  readonly mappings: number;
  /** Whether a request has asked for another name than was meant, or for blocks of another size. */
  readonly isGarbled: boolean;
  readonly hasDied: boolean;
}

/** Descriptors, mappings, names and the ledger are as they were at the start, and what the dead have left is given back. */
export function checkPremises(aftermath: Aftermath): void {
  const { premises, sent, mappings, isGarbled, hasDied } = aftermath;
  const open = premises.openFds();
  if (open.length > 0) throw new Broken(`${open.length} descriptors stay open`);
  if (mappings > MAPPINGS_MORE) throw new Broken(`${mappings} mappings more than at the start`);
  for (const name of premises.uploadedNames()) {
    const present = premises.uploaded(name) ?? new Uint8Array();
    const isHidden = name.startsWith(".");
    if (isHidden && !hasDied) throw new Broken(`${name} is left`);
    const versions = sent.get(name.replace(/\.~\d~$/, "")) ?? [];
    const isWhole = versions.some((each) => Buffer.compare(each, present) === 0);
    if (!isHidden && !isWhole && !isGarbled) throw new Broken(`${name} is nothing that was sent`);
  }
  const counted = premises.ledger.rootBytes;
  const bytes = premises.uploadedBytes();
  if (hasDied || premises.hasRivals || counted === bytes) return;
  throw new Broken(`the ledger counts ${counted} bytes of uploads, and there are ${bytes}`);
}
