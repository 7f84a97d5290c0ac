// Packets as a client makes them, byte by byte and without the server's own codec, so that a mistake in
// one is not repeated by the other.

import { type Option } from "#protocol/packet.ts";

/** A request: opcode 1 reads, 2 writes. */
export function requestPacket(
  opcode: 1 | 2,
  name: string,
  mode: string,
  options: readonly Option[] = [],
): Uint8Array {
  const strings = [name, mode, ...options.flatMap((option) => [option.name, option.value])];
  return Buffer.from(`\x00${String.fromCharCode(opcode)}${strings.join("\0")}\0`, "latin1");
}

/** An ACK of four bytes. */
export function ackPacket(wire: number): Uint8Array {
  return Uint8Array.of(0, 4, Math.floor(wire / 256), wire % 256);
}

/** A DATA with this payload. */
export function dataPacket(wire: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0, 3, Math.floor(wire / 256), wire % 256), payload]);
}

/** An ERROR with its closing NUL. */
export function errorPacket(code: number, message: string): Uint8Array {
  return Buffer.from(`\x00\x05\x00${String.fromCharCode(code)}${message}\0`, "latin1");
}
