// The six TFTP packets as bytes (protocol layer, pure): opcodes, offsets, accessors and writers.
// Every accessor is safe once `packetKind` has named the packet; no other file knows an offset.

import { setU16, u16 } from "#base/bytes.ts";

/**
 * The opcodes: RFC 1350 §5, and 6 from RFC 2347. `none` is no opcode: it stands for a datagram that is
 * too short to be what it claims to be, or claims nothing known.
 */
export const Opcode = {
  none: 0,
  rrq: 1,
  wrq: 2,
  data: 3,
  ack: 4,
  error: 5,
  oack: 6,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** One option of a request or of an OACK, as text. */
export interface Option {
  readonly name: string;
  readonly value: string;
}

//      2 bytes
//     ----------------------
//    | Opcode |  the rest …              all packets, RFC 1350 §5
//     ----------------------
const opcodeOffset = 0;

//      2 bytes     string    1 byte     string   1 byte   string  1 byte  string  1 byte
//     ----------------------------------------------------------------------------------
//    | Opcode |  Filename  |   0  |    Mode    |   0  |  opt1  |  0  |  value1  |  0  | …
//     ----------------------------------------------------------------------------------
//                      RRQ and WRQ, RFC 1350 §5 and RFC 2347; request.ts reads the strings
/** Where a request's first string, its file name, begins. */
export const requestStringsOffset = 2;

//      2 bytes     2 bytes      n bytes
//     ----------------------------------
//    | Opcode |   Block #  |   Data     |    DATA, RFC 1350 §5
//     ----------------------------------
//      2 bytes     2 bytes
//     ---------------------
//    | Opcode |   Block #  |                 ACK, RFC 1350 §5
//     ---------------------
const blockOffset = 2;
/** The bytes before the payload of a DATA packet. */
export const dataHeaderBytes = 4;
/** The bytes of an ACK as RFC 1350 defines it. One that came may be longer: see {@link packetKind}. */
export const ackBytes = 4;

//      2 bytes     2 bytes      string    1 byte
//     -----------------------------------------
//    | Opcode |  ErrorCode |   ErrMsg   |   0  |     ERROR, RFC 1350 §5
//     -----------------------------------------
const errorCodeOffset = 2;
const errorMessageOffset = 4;

//      2 bytes  string  1 byte  string  1 byte
//     -----------------------------------------
//    | Opcode |  opt1  |  0  |  value1  |  0  | …     OACK, RFC 2347
//     -----------------------------------------
/** Where an OACK's first string begins. */
export const oackStringsOffset = 2;

/**
 * What the `length` bytes from `start` on are, or `Opcode.none`. This is the one length check: afterwards the
 * accessors of that kind are safe. Bytes behind an ACK are allowed, because clients that ask for
 * `msftwindow` append one.
 */
export function packetKind(bytes: Uint8Array, length: number, start: number = 0): Opcode {
  if (length < requestStringsOffset) return Opcode.none;
  const opcode = u16(bytes, start + opcodeOffset);
  switch (opcode) {
    case Opcode.rrq:
    case Opcode.wrq:
    case Opcode.oack:
      return opcode;
    case Opcode.data:
    case Opcode.ack:
    case Opcode.error:
      return length >= dataHeaderBytes ? opcode : Opcode.none;
    default:
      return Opcode.none;
  }
}

/** The block number, 0–65,535, of the DATA or ACK at `start`. */
export function blockNumber(bytes: Uint8Array, start: number = 0): number {
  return u16(bytes, start + blockOffset);
}

/** The error code, 0–65,535, of the ERROR at `start`. */
export function errorCode(bytes: Uint8Array, start: number = 0): number {
  return u16(bytes, start + errorCodeOffset);
}

/** The message of an ERROR, one character per byte; the closing NUL may be missing. */
export function errorMessage(bytes: Uint8Array, length: number): string {
  const nul = bytes.indexOf(0, errorMessageOffset);
  return latin1(bytes, errorMessageOffset, nul < 0 || nul > length ? length : nul);
}

/** Text of the bytes from `start` up to `end`, one character per byte: every byte has one. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let offset = start; offset < end; offset++) text += String.fromCharCode(bytes[offset] ?? 0);
  return text;
}

/** Writes the {@link dataHeaderBytes} bytes before a DATA packet's payload at `offset`. `wire` is 0–65,535. */
export function writeDataHeader(bytes: Uint8Array, offset: number, wire: number): void {
  setU16(bytes, offset + opcodeOffset, Opcode.data);
  setU16(bytes, offset + blockOffset, wire);
}

/** Writes an ACK of {@link ackBytes} bytes at `offset`. `wire` is 0–65,535. */
export function writeAck(bytes: Uint8Array, offset: number, wire: number): void {
  setU16(bytes, offset + opcodeOffset, Opcode.ack);
  setU16(bytes, offset + blockOffset, wire);
}

/** A whole RRQ or WRQ. `name` has no NUL, and is sent as it is; mode and options are ASCII. */
export function encodeRequest(
  opcode: typeof Opcode.rrq | typeof Opcode.wrq,
  name: Uint8Array,
  mode: string,
  options: readonly Option[],
): Uint8Array {
  const modeOffset = requestStringsOffset + name.length + 1;
  const bytes = new Uint8Array(modeOffset + mode.length + 1 + optionsBytes(options));
  setU16(bytes, opcodeOffset, opcode);
  bytes.set(name, requestStringsOffset);
  writeOptions(bytes, writeString(bytes, modeOffset, mode), options);
  return bytes;
}

/** A whole ERROR datagram. `message` is ASCII. */
export function encodeError(code: number, message: string): Uint8Array {
  const bytes = new Uint8Array(errorMessageOffset + message.length + 1);
  setU16(bytes, opcodeOffset, Opcode.error);
  setU16(bytes, errorCodeOffset, code);
  writeString(bytes, errorMessageOffset, message);
  return bytes;
}

/** A whole OACK datagram with these options in this order, not a byte more. Names and values are ASCII. */
export function encodeOackOptions(options: readonly Option[]): Uint8Array {
  const bytes = new Uint8Array(oackStringsOffset + optionsBytes(options));
  setU16(bytes, opcodeOffset, Opcode.oack);
  writeOptions(bytes, oackStringsOffset, options);
  return bytes;
}

function optionsBytes(options: readonly Option[]): number {
  return options.reduce((sum, { name, value }) => sum + name.length + 1 + value.length + 1, 0);
}

function writeOptions(bytes: Uint8Array, start: number, options: readonly Option[]): void {
  let offset = start;
  for (const { name, value } of options) {
    offset = writeString(bytes, offset, name);
    offset = writeString(bytes, offset, value);
  }
}

/** Writes `text` and its NUL at `offset`, and returns the offset behind them. */
function writeString(bytes: Uint8Array, offset: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index);
  bytes[offset + text.length] = 0;
  return offset + text.length + 1;
}
