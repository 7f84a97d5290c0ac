// Reading a request, RRQ or WRQ (protocol layer, pure): from the bytes of one datagram to a record.
// Never throws, whatever the bytes are; a fault is a frozen record that names the reply.

import { u8 } from "#base/bytes.ts";
import { mark } from "#base/mark.ts";

import { errorReplies, type ErrorReply } from "./error-reply.ts";
import { latin1, Opcode, type Option, packetKind, requestStringsOffset } from "./packet.ts";

/** A well-formed request. It holds copies: the receive buffer may be used again. */
export interface Request {
  readonly kind: "read" | "write";
  /** The name as UTF-8 where it is valid UTF-8, else one character per byte. Opaque: no case, no separators. */
  readonly name: string;
  /** The name as it came, without its NUL. */
  readonly nameBytes: Uint8Array;
  readonly mode: "octet" | "netascii";
  /** In the order asked, names in lower case; of a repeated name only the first. */
  readonly options: readonly Option[];
}

/** A request that cannot be served as it stands. `reply` goes to the sender; "drop" means silence. */
export interface RequestFault {
  readonly kind: "fault";
  readonly reply: ErrorReply | "drop";
  /** For the log, in a few words. */
  readonly reason: string;
}

/**
 * The longest request that is read. RFC 1350 names no limit and RFC 2347 says 512; one Ethernet frame
 * is room for the longest file name (255 bytes a component) beside every option.
 */
export const requestBytesMax = 1500;

/** The options that are looked at; the seven that are known, and room for those that are not. */
const optionsMax = 16;

const faults = {
  notRequest: fault("drop", "not a request"),
  tooLong: fault(errorReplies.malformedRequest, "request too long"),
  nameUnterminated: fault(errorReplies.malformedRequest, "file name without NUL"),
  nameEmpty: fault(errorReplies.malformedRequest, "empty file name"),
  modeUnterminated: fault(errorReplies.malformedRequest, "mode missing or without NUL"),
  modeMail: fault(errorReplies.modeNotSupported, "mail mode"),
  modeUnknown: fault(errorReplies.modeNotSupported, "unknown mode"),
} as const;

/** Reads the request in the first `length` bytes of `bytes`: RFC 1350 §5, RFC 2347. */
export function parseRequest(bytes: Uint8Array, length: number): Request | RequestFault {
  const opcode = packetKind(bytes, length);
  if (opcode !== Opcode.rrq && opcode !== Opcode.wrq) return faults.notRequest;
  if (length > requestBytesMax) return faults.tooLong;

  const nameEnd = stringEnd(bytes, requestStringsOffset, length);
  if (nameEnd < 0) return malformed(faults.nameUnterminated);
  if (nameEnd === requestStringsOffset) return malformed(faults.nameEmpty);
  const modeEnd = stringEnd(bytes, nameEnd + 1, length);
  if (modeEnd < 0) return malformed(faults.modeUnterminated);
  const mode = lowerCase(latin1(bytes, nameEnd + 1, modeEnd));
  if (mode !== "octet" && mode !== "netascii") {
    // Obsolete since RFC 1350 itself, and answered, never met with silence.
    mark("mode-refused");
    return mode === "mail" ? faults.modeMail : faults.modeUnknown;
  }

  const nameBytes = bytes.slice(requestStringsOffset, nameEnd);
  return {
    kind: opcode === Opcode.rrq ? "read" : "write",
    name: decodeName(nameBytes),
    nameBytes,
    mode,
    options: parseOptions(bytes, modeEnd + 1, length),
  };
}

/**
 * The option list from `start`, of a request or of an OACK. Real peers pad it with NULs and cut it short, so it ends, without
 * fault, at the first empty name and at the first string that has no NUL: half a number is no number.
 */
export function parseOptions(bytes: Uint8Array, start: number, length: number): readonly Option[] {
  const options: Option[] = [];
  let offset = start;
  while (options.length < optionsMax) {
    const nameEnd = stringEnd(bytes, offset, length);
    if (nameEnd <= offset) break;
    const valueEnd = stringEnd(bytes, nameEnd + 1, length);
    if (valueEnd < 0) break;
    const name = lowerCase(latin1(bytes, offset, nameEnd));
    // RFC 2347: "An option may only be specified once." The first one wins.
    if (options.some((option) => option.name === name)) mark("option-repeated-first-wins");
    else options.push({ name, value: latin1(bytes, nameEnd + 1, valueEnd) });
    offset = valueEnd + 1;
  }
  return options;
}

/** The offset of the NUL that ends the string at `start`, or −1. The buffer may be longer than the datagram. */
function stringEnd(bytes: Uint8Array, start: number, length: number): number {
  const end = bytes.indexOf(0, start);
  return end < length ? end : -1;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Firmware has sent 0xFF and garbage behind the name; those names stay readable, byte by byte. */
function decodeName(nameBytes: Uint8Array): string {
  const text = asciiText(nameBytes);
  if (text !== undefined) return text;
  try {
    return utf8.decode(nameBytes);
  } catch {
    return latin1(nameBytes, 0, nameBytes.length);
  }
}

/** Most names are ASCII, and short: the decoder is slower to call than they are to read. */
function asciiText(bytes: Uint8Array): string | undefined {
  for (let index = 0; index < bytes.length; index++) if (u8(bytes, index) >= 0x80) return undefined;
  return latin1(bytes, 0, bytes.length);
}

/** RFC 1350 §5 and RFC 2347: modes and option names are case-insensitive. ASCII only, so no letter changes length. */
function lowerCase(text: string): string {
  if (!/[A-Z]/.test(text)) return text;
  return text.replace(/[A-Z]+/g, (letters) => {
    mark("case-folded");
    return letters.toLowerCase();
  });
}

function malformed(fault: RequestFault): RequestFault {
  mark("malformed-request-refused");
  return fault;
}

function fault(reply: ErrorReply | "drop", reason: string): RequestFault {
  return Object.freeze({ kind: "fault", reply, reason });
}
