// Option negotiation (protocol layer, pure): from what a client asks and what the server allows to what
// is granted. Nothing is ever granted that was not asked, nor more than was asked.

import { mark } from "#base/mark.ts";

import { cycleBlocks, type RolloverTo } from "./blocks.ts";
import { encodeOackOptions, type Option } from "./packet.ts";
import type { Request } from "./request.ts";

/** What the server allows. */
export interface GrantLimits {
  /** The largest block, 8–65,464 bytes. */
  readonly blockBytesMax: number;
  /** The largest window, 1–65,535 blocks. */
  readonly windowBlocksMax: number;
  /** The largest window in bytes of payload; a window of one block is granted whatever this says. */
  readonly windowBytesMax: number;
  /** Names, in lower case, of options to treat as unknown. */
  readonly refused: ReadonlySet<string>;
}

/** How a transfer runs: what was granted, and RFC 1350's defaults for the rest. */
export interface Grant {
  /** Payload bytes of every block but the last. */
  readonly blockBytes: number;
  /** Blocks that are sent before an ACK is awaited. */
  readonly windowBlocks: number;
  /** The retransmission timeout that the client set, in microseconds. */
  readonly timeoutUs: number | undefined;
  /** The wire number that follows 65,535. */
  readonly rolloverTo: RolloverTo;
  /**
   * The size that the client of a write says the file has: a claim, to be checked. 0 is what some say that
   * do not know. Undefined where it said nothing, and for every read.
   */
  readonly announcedBytes: number | undefined;
  /** The OACK's content: in the order of the request, each once. Empty means no OACK. */
  readonly accepted: readonly Option[];
}

/** RFC 1350 §2: without options, blocks of 512 bytes, one at a time. */
export const blockBytesDefault = 512;

/** A grant while it is made. */
interface Draft {
  readonly request: Request;
  readonly limits: GrantLimits;
  readonly fileBytes: number | undefined;
  blockBytes: number;
  windowBlocks: number;
  timeoutUs: number | undefined;
  rolloverTo: RolloverTo;
  announcedBytes: number | undefined;
}

/** One option: what it may be, and how it is granted. */
interface OptionRow {
  readonly source: string;
  /** The option that says the same in other words: of the two, the first that can be granted wins. */
  readonly rival?: string;
  /** Granted after all the others, because it depends on them. */
  readonly isLast?: true;
  /** Notes the asked value in the draft and returns the value to answer, or undefined to say nothing. */
  readonly grant: (asked: string, draft: Draft) => string | undefined;
}

/** Every option that is known. Bounds stand beside the rule that needs them. */
const optionTable: ReadonlyMap<string, OptionRow> = new Map<string, OptionRow>([
  ["blksize", { source: "RFC 2348", rival: "blksize2", grant: grantBlockSize }],
  ["blksize2", { source: "tftp-hpa", rival: "blksize", grant: grantBlockSizePowerOfTwo }],
  ["tsize", { source: "RFC 2349", grant: grantTransferSize }],
  ["timeout", { source: "RFC 2349", rival: "utimeout", grant: grantTimeout }],
  ["utimeout", { source: "tftp-hpa", rival: "timeout", grant: grantMicrosecondTimeout }],
  ["windowsize", { source: "RFC 7440", isLast: true, grant: grantWindowSize }],
  ["rollover", { source: "tftp-hpa", grant: grantRollover }],
]);

/** The names of the options that are known, in lower case: what `refused` may sensibly hold. */
export const optionNames: readonly string[] = [...optionTable.keys()];

/**
 * Decides every option of `request`. `fileBytes` is the size of the file to send, exact up to 2⁵³ − 1, or
 * undefined where it is not known, and for a write. RFC 2347: an option that is unknown, refused or out of bounds is left
 * out of the answer, and the transfer goes on without it.
 */
export function negotiate(
  request: Request,
  limits: GrantLimits,
  fileBytes: number | undefined,
): Grant {
  const draft: Draft = {
    request,
    limits,
    fileBytes,
    blockBytes: blockBytesDefault,
    windowBlocks: 1,
    timeoutUs: undefined,
    rolloverTo: 0,
    announcedBytes: undefined,
  };
  const answers = new Map<string, string>();
  grantInto(answers, draft, false);
  grantInto(answers, draft, true);

  const accepted: Option[] = [];
  for (const { name } of request.options) {
    const value = answers.get(name);
    if (value !== undefined) accepted.push({ name, value });
  }
  const { blockBytes, windowBlocks, timeoutUs, rolloverTo, announcedBytes } = draft;
  return { blockBytes, windowBlocks, timeoutUs, rolloverTo, announcedBytes, accepted };
}

/** The OACK that tells the client its grant, or undefined when nothing was accepted (RFC 2347). */
export function encodeOack(grant: Grant): Uint8Array | undefined {
  if (grant.accepted.length > 0) return encodeOackOptions(grant.accepted);
  // GRUB and others must then get DATA 1 or ACK 0 at once: an empty OACK would be an error.
  mark("nothing-accepted-no-oack");
  return undefined;
}

/** The accepted options for a log line: `blksize=1428 windowsize=16 tsize=1234`; empty when there are none. */
export function describeGrant(grant: Grant): string {
  return grant.accepted.map(({ name, value }) => `${name}=${value}`).join(" ");
}

/** Puts the answers to the asked options of one kind, `isLast` or not, into `answers`. */
function grantInto(answers: Map<string, string>, draft: Draft, isLast: boolean): void {
  for (const { name, value } of draft.request.options) {
    const row = optionTable.get(name);
    if (row === undefined || draft.limits.refused.has(name)) {
      mark("unknown-option-ignored");
      continue;
    }
    if ((row.isLast ?? false) !== isLast) continue;
    if (row.rival !== undefined && answers.has(row.rival)) {
      mark("rival-option-ignored");
      continue;
    }
    const answer = row.grant(value, draft);
    if (answer !== undefined) answers.set(name, answer);
  }
}

/** RFC 2348: 8–65,464 bytes, answered with the same or less. Below 8 any answer would be more. */
function grantBlockSize(asked: string, draft: Draft): string | undefined {
  const blockBytes = decimal(asked);
  if (blockBytes === undefined || blockBytes < blockBytesMin) {
    mark("blksize-out-of-range-omitted");
    return undefined;
  }
  draft.blockBytes = Math.min(blockBytes, draft.limits.blockBytesMax, blockBytesMaxOnWire);
  if (draft.blockBytes < blockBytes) mark("blksize-reduced");
  return String(draft.blockBytes);
}

export const blockBytesMin = 8;

/** RFC 2348: 65,535 − 20 (IP) − 8 (UDP) − 4 (TFTP), and room for 39 bytes of IP options. */
export const blockBytesMaxOnWire = 65_464;

/** tftp-hpa: the largest power of two that is not above the request, 512 or more unless less was asked. */
function grantBlockSizePowerOfTwo(asked: string, draft: Draft): string | undefined {
  const blockBytes = decimal(asked);
  if (blockBytes === undefined || blockBytes < blockBytesMin) return undefined;
  const most = Math.min(blockBytes, draft.limits.blockBytesMax, 32_768);
  const power = 2 ** Math.floor(Math.log2(most));
  draft.blockBytes = blockBytes >= blockBytesDefault ? Math.max(power, blockBytesDefault) : power;
  mark("blksize2-power-of-two");
  return String(draft.blockBytes);
}

/**
 * RFC 2349: a read is answered with the true size, whatever number was asked; a write is echoed to the
 * letter. In netascii the bytes on the wire are not the bytes of the file, and counting them would mean to
 * convert the file twice: no answer is allowed, a wrong one is not.
 */
function grantTransferSize(asked: string, draft: Draft): string | undefined {
  if (draft.request.mode === "netascii") {
    mark("tsize-omitted-for-netascii");
    return undefined;
  }
  if (draft.request.kind === "write") {
    draft.announcedBytes = decimal(asked);
    if (draft.announcedBytes === undefined) return undefined;
    mark("tsize-of-write-echoed");
    return asked;
  }
  if (draft.fileBytes === undefined) return undefined;
  mark("tsize-exact");
  return String(draft.fileBytes);
}

/** RFC 2349: 1–255 seconds, echoed exactly as asked: U-Boot and EDK2 abort on any other value. */
function grantTimeout(asked: string, draft: Draft): string | undefined {
  const seconds = decimal(asked);
  if (seconds === undefined || seconds < 1 || seconds > 255) {
    mark("timeout-out-of-range-omitted");
    return undefined;
  }
  draft.timeoutUs = seconds * 1_000_000;
  mark("timeout-echoed");
  return asked;
}

/** tftp-hpa: 10 ms – 255 s in microseconds, echoed exactly as asked. */
function grantMicrosecondTimeout(asked: string, draft: Draft): string | undefined {
  const microseconds = decimal(asked);
  if (microseconds === undefined) return undefined;
  if (microseconds < 10_000 || microseconds > 255_000_000) return undefined;
  draft.timeoutUs = microseconds;
  mark("utimeout-echoed");
  return asked;
}

/** RFC 7440 §3: 1–65,535 blocks, answered with the same or less. Runs last: it needs the block size. */
function grantWindowSize(asked: string, draft: Draft): string | undefined {
  const windowBlocks = decimal(asked);
  if (windowBlocks === undefined || windowBlocks < 1) {
    mark("windowsize-out-of-range-omitted");
    return undefined;
  }
  const { windowBlocksMax, windowBytesMax } = draft.limits;
  draft.windowBlocks = Math.min(
    windowBlocks,
    windowBlocksMax,
    Math.max(1, Math.floor(windowBytesMax / draft.blockBytes)),
    // A window as long as the cycle of wire numbers could not tell its end from its beginning.
    cycleBlocks(draft.rolloverTo) - 1,
  );
  if (draft.windowBlocks < windowBlocks) mark("windowsize-reduced");
  return String(draft.windowBlocks);
}

/** tftp-hpa: the number, 0 or 1, that follows block 65,535. */
function grantRollover(asked: string, draft: Draft): string | undefined {
  const rolloverTo = decimal(asked);
  if (rolloverTo !== 0 && rolloverTo !== 1) return undefined;
  draft.rolloverTo = rolloverTo;
  mark("rollover-granted");
  return String(rolloverTo);
}

/** The number that `text` is in decimal digits, 0 to 2⁵³ − 1, or undefined (RFC 2347: values are ASCII digits). */
export function decimal(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
