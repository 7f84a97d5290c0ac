// A bare UDP peer that speaks TFTP byte by byte (end-to-end tests), for what real clients never show.
// It shares no code with the server: packets are built and read here a second time.

import { isIPv6 } from "node:net";

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly port: number;
  readonly address: string;
  /** `DATA 1 512`, `ACK 3`, `OACK blksize=8`, `ERROR 1 File not found`. */
  readonly text: string;
}

export interface Peer extends Disposable {
  readonly port: number;
  send(bytes: Uint8Array, port: number, address?: string): void;
  /** Has what is sent to groups leave by the interface that has `address`. */
  multicastBy(address: string): void;
  /** The next datagram; an error after `waitMs` (5 s) without one. */
  next(waitMs?: number): Promise<Datagram>;
  /** What has arrived and was not taken with `next`. */
  waiting(): readonly Datagram[];
  close(): void;
}

/** Opens a socket for talking to the server at `host`, at the address `from` if that matters. */
export async function openPeer(host = "127.0.0.1", from?: string): Promise<Peer> {
  const inbox: Datagram[] = [];
  let wake: (() => void) | undefined;
  const socket = await Bun.udpSocket({
    hostname: from ?? (isIPv6(host) ? "::" : "0.0.0.0"),
    port: 0,
    socket: {
      data(_socket, buffer, port, address) {
        const bytes = new Uint8Array(buffer);
        inbox.push({ bytes, port, address, text: describe(bytes) });
        wake?.();
      },
      // A port that was closed meanwhile answers with ICMP; whoever waits for a datagram sees that none comes.
      error() {},
    },
  });
  const close = (): void => socket.close();
  return {
    port: socket.port,
    send: (bytes, port, address = host) => void socket.send(bytes, port, address),
    multicastBy: (address) => void socket.setMulticastInterface(address),
    async next(waitMs = 5000) {
      const deadlineMs = performance.now() + waitMs;
      for (;;) {
        const first = inbox.shift();
        if (first !== undefined) return first;
        const leftMs = deadlineMs - performance.now();
        if (leftMs <= 0) throw new Error(`no datagram within ${waitMs} ms`);
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), Bun.sleep(leftMs)]);
      }
    },
    waiting: () => inbox,
    close,
    [Symbol.dispose]: close,
  };
}

/** An RRQ; options are `name, value` pairs in order. */
export function readRequest(
  name: string,
  options: readonly (readonly [string, string | number])[] = [],
  mode = "octet",
): Uint8Array {
  return request(1, name, options, mode);
}

/** A WRQ; options as in {@link readRequest}. */
export function writeRequest(
  name: string,
  options: readonly (readonly [string, string | number])[] = [],
  mode = "octet",
): Uint8Array {
  return request(2, name, options, mode);
}

/** DATA; `block` is cut to its 16 bits. */
export function dataPacket(block: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0, 3, (block >>> 8) & 0xff, block & 0xff), bytes]);
}

export function ack(block: number): Uint8Array {
  return Uint8Array.of(0, 4, (block >>> 8) & 0xff, block & 0xff);
}

export function errorPacket(code: number, message: string): Uint8Array {
  return Uint8Array.from([0, 5, 0, code, ...Buffer.from(message), 0]);
}

/** The payload of a DATA packet. */
export function payload(datagram: Datagram): Uint8Array {
  return datagram.bytes.subarray(4);
}

/**
 * Takes the rest of a lockstep download: `first` is the DATA that has arrived and is not yet acknowledged.
 * Returns the bytes from `first` on, or the text of the ERROR that ended it.
 */
export async function takeRest(
  peer: Peer,
  first: Datagram,
  blockBytes: number,
): Promise<Uint8Array | string> {
  const parts: Uint8Array[] = [];
  let expected = wireBlock(first);
  let datagram = first;
  for (;;) {
    if (datagram.text.startsWith("ERROR")) return datagram.text;
    if (datagram.text.startsWith("DATA") && wireBlock(datagram) === expected) {
      parts.push(payload(datagram));
      peer.send(ack(expected), datagram.port, datagram.address);
      if (payload(datagram).length < blockBytes) return Buffer.concat(parts);
      expected = (expected + 1) & 0xffff;
    }
    datagram = await peer.next();
  }
}

/**
 * Waits until a server with a single worker has dealt with all that was sent to it before: it answers
 * in order, so the answer to a later question proves it. What it had to say to others has then been sent.
 */
export async function settled(port: number, host = "127.0.0.1"): Promise<void> {
  using peer = await openPeer(host);
  peer.send(readRequest("no-such-file"), port);
  await peer.next();
  // The answers are in the sockets' buffers; a moment lets the event loop read them.
  await Bun.sleep(30);
}

function request(
  opcode: number,
  name: string,
  options: readonly (readonly [string, string | number])[],
  mode: string,
): Uint8Array {
  const texts = [name, mode, ...options.flatMap(([option, value]) => [option, String(value)])];
  return Buffer.concat([Uint8Array.of(0, opcode), Buffer.from(`${texts.join("\0")}\0`)]);
}

function wireBlock(datagram: Datagram): number {
  return Buffer.from(datagram.bytes).readUInt16BE(2);
}

function describe(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  if (buffer.length < 4) return `runt of ${buffer.length} bytes`;
  const opcode = buffer.readUInt16BE(0);
  const number = buffer.readUInt16BE(2);
  if (opcode === 3) return `DATA ${number} ${buffer.length - 4}`;
  if (opcode === 4) return `ACK ${number}`;
  if (opcode === 5) return `ERROR ${number} ${buffer.toString("latin1", 4, buffer.length - 1)}`;
  if (opcode !== 6) return `opcode ${opcode}`;
  const texts = buffer.toString("latin1", 2, buffer.length - 1).split("\0");
  const pairs = texts.flatMap((text, index) =>
    index % 2 === 0 ? [`${text}=${texts[index + 1] ?? ""}`] : [],
  );
  return `OACK ${pairs.join(" ")}`;
}
