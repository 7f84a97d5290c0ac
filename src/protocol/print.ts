// Packets as text (protocol layer, pure): one line each, as tcpdump would print them, for transcripts and
// traces. Prints whatever it is given; a packet that is cut short is called so.

import {
  blockNumber,
  dataHeaderBytes,
  errorCode,
  errorMessage,
  latin1,
  oackStringsOffset,
  Opcode,
  packetKind,
  requestStringsOffset,
} from "./packet.ts";

/**
 * The first `length` bytes as a line: `RRQ "pxe/a" octet blksize=1428`, `DATA 1 512 bytes`, `ACK 1`,
 * `OACK tsize=7`, `ERROR 1 "File not found"`. Strings appear byte by byte; what
 * could break a line or colour a terminal is escaped, because a peer chose it.
 */
export function printPacket(bytes: Uint8Array, length: number = bytes.length): string {
  switch (packetKind(bytes, length)) {
    case Opcode.rrq:
      return printRequest("RRQ", strings(bytes, requestStringsOffset, length));
    case Opcode.wrq:
      return printRequest("WRQ", strings(bytes, requestStringsOffset, length));
    case Opcode.data:
      return `DATA ${blockNumber(bytes)} ${length - dataHeaderBytes} bytes`;
    case Opcode.ack:
      return `ACK ${blockNumber(bytes)}`;
    case Opcode.error:
      return `ERROR ${errorCode(bytes)} "${printable(errorMessage(bytes, length))}"`;
    case Opcode.oack:
      return ["OACK", ...pairs(strings(bytes, oackStringsOffset, length))].join(" ");
    case Opcode.none:
      break;
  }
  return `malformed ${length} bytes`;
}

function printRequest(kind: string, [name, mode, ...options]: readonly string[]): string {
  if (name === undefined || mode === undefined) return `${kind} malformed`;
  return [kind, `"${printable(name)}"`, printable(mode), ...pairs(options)].join(" ");
}

/** `name=value` for every two strings; a name without a value keeps its `=`. */
function pairs(texts: readonly string[]): readonly string[] {
  const printed: string[] = [];
  for (let index = 0; index < texts.length; index += 2) {
    printed.push(`${printable(texts[index] ?? "")}=${printable(texts[index + 1] ?? "")}`);
  }
  return printed;
}

/** The NUL-terminated strings from `start`; a last one without NUL counts. */
function strings(bytes: Uint8Array, start: number, length: number): readonly string[] {
  const texts = latin1(bytes, start, length).split("\0");
  if (texts.at(-1) === "") texts.pop();
  return texts;
}

/** ASCII as it is, any other byte as `\xNN`. */
function printable(text: string): string {
  return text.replace(
    /[^ !#-[\]-~]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
