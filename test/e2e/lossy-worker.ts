// A shard's thread on a network that loses datagrams (end-to-end tests): the real worker on real sockets, but the calls that move
// datagrams lose those of clients whose file has a name that begins with `loss-`, so many in a hundred as it says next.

import { read } from "bun:ffi";
import { writeSync } from "node:fs";

import { Random } from "#base/random.ts";
import { aligned, Cmsghdr, Iovec, Mmsghdr, Msghdr, SOL_UDP, UDP_SEGMENT } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import { CONTROL_BYTES } from "#ffi/control.ts";
import { memoryAt } from "#ffi/libc.ts";
import { type DatagramCalls, NAME_BYTES } from "#ffi/message.ts";
import { thisKernel } from "#io/kernel.ts";

/** What is lost between one client and the server, from its first request to its next. */
interface Path {
  readonly request: string;
  readonly name: string;
  readonly losses: number;
  readonly incoming: Random;
  readonly outgoing: Random;
}

const UDP_BYTES_MAX = 65_536;
const paths: Map<string, Path> = new Map();
const calls: DatagramCalls = thisKernel.datagrams;
const scratch: Arena = new Arena(Mmsghdr.size + Iovec.size + UDP_BYTES_MAX);
const headerPlace: number = scratch.allocate(Mmsghdr.size);
const iovecPlace: number = scratch.allocate(Iovec.size);
const bytesPlace: number = scratch.allocate(UDP_BYTES_MAX);

const lossyCalls: DatagramCalls = {
  recvmmsg(fd, headers, count) {
    for (let received = 0; received < count; received += 1) {
      const header = headers + received * Mmsghdr.size;
      const length = receive(fd, header);
      if (length < 0) return received === 0 ? length : received;
      setWord(header + Mmsghdr.length, length);
    }
    return count;
  },
  recvmsg: receive,
  sendmmsg(fd, headers, count) {
    for (let sent = 0; sent < count; sent += 1) {
      const result = send(fd, headers + sent * Mmsghdr.size);
      if (result < 0) return sent === 0 ? result : sent;
    }
    return count;
  },
  sendmsg: send,
};

Object.assign(thisKernel, { datagrams: lossyCalls });
await import("#server/worker.ts");

/** The next datagram that is not lost. */
function receive(fd: number, header: number): number {
  for (;;) {
    const length = calls.recvmsg(fd, header);
    if (length < 0) return length;
    const bytes = bytesAt(u64(u64(header + Msghdr.iov) + Iovec.base), length);
    const path = pathOf(header, bytes);
    if (path?.incoming.chance(path.losses) !== true) return length;
    report(path, "to", bytes);
    setWord(header + Msghdr.nameLength, NAME_BYTES);
    setWord(header + Msghdr.controlLength, CONTROL_BYTES);
    setWord(header + Msghdr.flags, 0);
  }
}

/** Sends the whole message, as the kernel would cut it, or those of its datagrams that are not lost. */
function send(fd: number, header: number): number {
  const path = pathOf(header);
  if (path === undefined) return calls.sendmsg(fd, header);
  const length = gather(header);
  const segment = segmentOf(header);
  const segmentBytes = segment?.bytes ?? length;
  const starts = Array.from(
    { length: Math.max(1, Math.ceil(length / segmentBytes)) },
    (_, index) => index * segmentBytes,
  );
  const kept = starts.filter((start) => {
    const isLost = path.outgoing.chance(path.losses);
    const end = Math.min(start + segmentBytes, length);
    if (isLost) report(path, "from", scratch.u8.subarray(bytesPlace + start, bytesPlace + end));
    return !isLost;
  });
  if (kept.length === starts.length) return calls.sendmsg(fd, header);
  scratch.u8.set(bytesAt(header, Mmsghdr.size), headerPlace);
  scratch.setU64(headerPlace + Msghdr.iov, scratch.address + iovecPlace);
  scratch.setU64(headerPlace + Msghdr.iovLength, 1);
  if (segment !== undefined) scratch.setU64(headerPlace + Msghdr.controlLength, segment.offset);
  for (const start of kept) {
    scratch.setU64(iovecPlace + Iovec.base, scratch.address + bytesPlace + start);
    scratch.setU64(iovecPlace + Iovec.length, Math.min(segmentBytes, length - start));
    calls.sendmsg(fd, scratch.address + headerPlace);
  }
  return length;
}

/** The path of the peer that a header names; `bytes` came from there. A new request is a new path, with losses that follow from its name. */
function pathOf(header: number, bytes?: Uint8Array): Path | undefined {
  const peer = text(bytesAt(u64(header + Msghdr.name), read.u32(header + Msghdr.nameLength)));
  const isRequest = bytes?.[0] === 0 && (bytes[1] === 1 || bytes[1] === 2);
  if (!isRequest) return paths.get(peer);
  const known = paths.get(peer);
  const request = text(bytes);
  if (known?.request === request) return known;
  const name = request.slice(2, request.indexOf("\0", 2));
  const percent = /^loss-(?<percent>\d+)-/.exec(name)?.groups?.["percent"];
  if (percent === undefined) {
    paths.delete(peer);
    return undefined;
  }
  const seed = Bun.hash.crc32(name);
  const path = {
    request,
    name,
    losses: Number(percent) / 100,
    incoming: new Random(seed),
    outgoing: new Random(~seed),
  };
  paths.set(peer, path);
  return path;
}

/** Says what is lost, at once: this thread never comes back to its event loop. */
function report({ name }: Path, direction: "from" | "to", bytes: Uint8Array): void {
  const number = (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0);
  writeSync(2, `lost ${direction} the server, ${name}: opcode ${bytes[1]}, ${number}\n`);
}

/** Copies the bytes of a message into the scratch memory. Returns how many. */
function gather(header: number): number {
  let length = 0;
  for (let index = 0; index < u64(header + Msghdr.iovLength); index += 1) {
    const iovec = u64(header + Msghdr.iov) + index * Iovec.size;
    const piece = bytesAt(u64(iovec + Iovec.base), u64(iovec + Iovec.length));
    scratch.u8.set(piece, bytesPlace + length);
    length += piece.length;
  }
  return length;
}

/** What a message's datagrams are cut to, and where in its control messages that stands, behind all others. */
function segmentOf(
  header: number,
): { readonly bytes: number; readonly offset: number } | undefined {
  const control = u64(header + Msghdr.control);
  const length = u64(header + Msghdr.controlLength);
  for (let offset = 0; offset < length;) {
    const entry = control + offset;
    if (
      read.u32(entry + Cmsghdr.level) === SOL_UDP &&
      read.u32(entry + Cmsghdr.type) === UDP_SEGMENT
    )
      return { bytes: read.u16(entry + Cmsghdr.data), offset };
    offset += aligned(u64(entry + Cmsghdr.length), 8);
  }
  return undefined;
}

function bytesAt(address: number, length: number): Uint8Array {
  return new Uint8Array(memoryAt(address, length));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function setWord(address: number, value: number): void {
  const bytes = bytesAt(address, 4);
  for (let index = 0; index < 4; index += 1) bytes[index] = (value >>> (8 * index)) & 255;
}

/** A pointer or a size: below 2^53. */
function u64(address: number): number {
  return read.u32(address) + read.u32(address + 4) * 2 ** 32;
}
