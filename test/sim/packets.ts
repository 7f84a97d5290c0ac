// Packets as a client makes and reads them, byte by byte and without the server's own codec, so that a mistake in
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

/** The wire number of a DATA or an ACK. */
export function wireOf(datagram: Uint8Array): number {
  return (datagram[2] ?? 0) * 256 + (datagram[3] ?? 0);
}

/** What a client takes from an OACK, and the defaults for the rest. */
export interface Agreed {
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly rolloverTo: 0 | 1;
  readonly timeoutUs: number | undefined;
}

/** What holds without any option. */
export const agreedWithoutOptions: Agreed = {
  blockBytes: 512,
  windowBlocks: 1,
  rolloverTo: 0,
  timeoutUs: undefined,
};

/** Reads an OACK. */
export function agreedBy(oack: Uint8Array): Agreed {
  const strings = Buffer.from(oack).toString("latin1", 2).split("\0");
  const granted = new Map<string, number>();
  for (let index = 0; index + 1 < strings.length; index += 2) {
    granted.set(strings[index] ?? "", Number(strings[index + 1]));
  }
  const seconds = granted.get("timeout");
  return {
    blockBytes: granted.get("blksize") ?? 512,
    windowBlocks: granted.get("windowsize") ?? 1,
    rolloverTo: granted.get("rollover") === 1 ? 1 : 0,
    timeoutUs: seconds === undefined ? undefined : seconds * 1_000_000,
  };
}
