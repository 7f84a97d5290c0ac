// Batches of datagrams (ffi layer): one ReceiveBatch and one SendBatch per shard, laid out once in arena
// memory. Nothing here allocates after construction. A send gathers its payload from wherever it lies.
//
//   headers   mmsghdr × n        names     sockaddr_storage cut to 32 bytes × n
//   iovecs    iovec × m          controls  PKTINFO and UDP_SEGMENT, 80 bytes × n

import { assert } from "#base/assert.ts";
import { u8, u32At } from "#base/bytes.ts";

import {
  AF_INET6,
  Iovec,
  IOVECS_MAX,
  Mmsghdr,
  MSG_DONTWAIT,
  MSG_TRUNC,
  Msghdr,
  SockaddrIn,
  SockaddrIn6,
} from "./abi.ts";
import { Arena } from "./arena.ts";
import { CONTROL_BYTES, readPktinfo, readSegment, writePktinfo, writeSegment } from "./control.ts";
import { checked, libc } from "./libc.ts";

/** Bytes reserved for one socket address: sockaddr_in6 is 28. */
export const NAME_BYTES = 32;
/** Bytes reserved for a local address: interface index (4, host order), family (4), address (16). */
export const LOCAL_BYTES = 24;

/**
 * The calls that move datagrams, on an array of mmsghdr at `headers`. They never wait, and return what the kernel's do, or
 * −errno. What stands in for the kernel reads and writes the same structures (abi.ts).
 */
export interface DatagramCalls {
  /** Fills up to `count` headers. Returns how many. Source: recvmmsg(2). */
  readonly recvmmsg: (fd: number, headers: number, count: number) => number;
  /** Fills the first header. Returns the bytes of its datagram. Source: recvmsg(2). */
  readonly recvmsg: (fd: number, headers: number) => number;
  /** Sends up to `count` messages. Returns how many, at least one. Source: sendmmsg(2). */
  readonly sendmmsg: (fd: number, headers: number, count: number) => number;
  /** Sends the first message. Returns its bytes. Source: sendmsg(2). */
  readonly sendmsg: (fd: number, headers: number) => number;
}

/** The kernel's own. */
export const datagramCalls: DatagramCalls = {
  recvmmsg: (fd, headers, count) => checked(libc.recvmmsg(fd, headers, count, MSG_DONTWAIT, 0)),
  recvmsg: (fd, headers) => checked(libc.recvmsg(fd, headers, MSG_DONTWAIT)),
  sendmmsg: (fd, headers, count) => checked(libc.sendmmsg(fd, headers, count, MSG_DONTWAIT)),
  sendmsg: (fd, headers) => checked(libc.sendmsg(fd, headers, MSG_DONTWAIT)),
};

/**
 * The same, but a datagram that is longer than its buffer says how long it was: for whoever looks at its beginning alone, and leaves
 * the rest uncopied. Source: MSG_TRUNC in recv(2).
 */
export const headCalls: DatagramCalls = {
  ...datagramCalls,
  recvmmsg: (fd, headers, count) =>
    checked(libc.recvmmsg(fd, headers, count, MSG_DONTWAIT | MSG_TRUNC, 0)),
  recvmsg: (fd, headers) => checked(libc.recvmsg(fd, headers, MSG_DONTWAIT | MSG_TRUNC)),
};

/** Receives up to `datagrams` datagrams of up to `datagramBytes` each in one call. */
export class ReceiveBatch {
  readonly datagrams: number;
  /** All datagrams lie in here: datagram `i` from byte {@link start}(i). */
  readonly u8: Uint8Array;
  /** The same as words of the machine's order; datagrams begin at multiples of 4. */
  readonly u32: Uint32Array;
  readonly #arena: Arena;
  readonly #stride: number;
  readonly #headers: number;
  readonly #names: number;
  readonly #controls: number;
  readonly #buffers: number;
  readonly #isBatching: boolean;
  readonly #calls: DatagramCalls;

  /** `isBatching` false receives one datagram per system call (recvmsg). */
  constructor(
    datagrams: number,
    datagramBytes: number,
    isBatching: boolean,
    calls: DatagramCalls = datagramCalls,
  ) {
    // 64 bytes beyond the buffer keep neighbouring datagrams out of the same cache set.
    this.#stride = datagramBytes + 64;
    const perDatagram = Mmsghdr.size + Iovec.size + NAME_BYTES + CONTROL_BYTES + this.#stride;
    const arena = new Arena(datagrams * perDatagram);
    this.datagrams = datagrams;
    this.#calls = calls;
    this.u8 = arena.u8;
    this.u32 = arena.u32;
    this.#arena = arena;
    this.#isBatching = isBatching;
    this.#headers = arena.allocate(datagrams * Mmsghdr.size);
    this.#names = arena.allocate(datagrams * NAME_BYTES);
    this.#controls = arena.allocate(datagrams * CONTROL_BYTES);
    const iovecs = arena.allocate(datagrams * Iovec.size);
    this.#buffers = arena.allocate(datagrams * this.#stride);
    for (let i = 0; i < datagrams; i += 1) {
      const header = this.#headers + i * Mmsghdr.size;
      const iovec = iovecs + i * Iovec.size;
      arena.setU64(header + Msghdr.name, arena.address + this.#names + i * NAME_BYTES);
      arena.setU64(header + Msghdr.iov, arena.address + iovec);
      arena.setU64(header + Msghdr.iovLength, 1);
      arena.setU64(header + Msghdr.control, arena.address + this.#controls + i * CONTROL_BYTES);
      arena.setU64(iovec + Iovec.base, arena.address + this.#buffers + i * this.#stride);
      arena.setU64(iovec + Iovec.length, datagramBytes);
      this.#reset(i);
    }
  }

  /** Receives what is there without waiting. Returns the count, or −errno (−EAGAIN: nothing). */
  receive(fd: number): number {
    const headers = this.#arena.address + this.#headers;
    if (this.#isBatching) return this.#calls.recvmmsg(fd, headers, this.datagrams);
    const length = this.#calls.recvmsg(fd, headers);
    if (length < 0) return length;
    this.#arena.u32[(this.#headers + Mmsghdr.length) >>> 2] = length;
    return 1;
  }

  /** Makes the first `count` slots ready for the next {@link receive}: the kernel shortens what it filled. */
  recycle(count: number): void {
    for (let i = 0; i < count; i += 1) this.#reset(i);
  }

  /** The address of the first byte of {@link u8}. */
  get address(): number {
    return this.#arena.address;
  }

  /** Where datagram `index` begins in {@link u8}. */
  start(index: number): number {
    return this.#buffers + index * this.#stride;
  }

  /** How many bytes of datagram `index` were received. */
  byteLength(index: number): number {
    return u32At(this.#arena.u32, (this.#headers + index * Mmsghdr.size + Mmsghdr.length) >>> 2);
  }

  /** Whether datagram `index` was longer than its buffer. */
  isTruncated(index: number): boolean {
    const flags = (this.#headers + index * Mmsghdr.size + Msghdr.flags) >>> 2;
    return (u32At(this.#arena.u32, flags) & MSG_TRUNC) !== 0;
  }

  /** Where the sender's sockaddr of datagram `index` begins in {@link u8} (always {@link NAME_BYTES} long). */
  name(index: number): number {
    return this.#names + index * NAME_BYTES;
  }

  /** Copies the local address that datagram `index` was sent to into `local` (zeros if the kernel did not say). */
  readLocal(index: number, local: Uint8Array): void {
    readPktinfo(this.#arena, this.control(index), this.controlLength(index), local);
  }

  /** Where the control messages of datagram `index` begin in {@link u8} ({@link CONTROL_BYTES} are kept), and how many bytes they are. */
  control(index: number): number {
    return this.#controls + index * CONTROL_BYTES;
  }

  controlLength(index: number): number {
    return u32At(
      this.#arena.u32,
      (this.#headers + index * Mmsghdr.size + Msghdr.controlLength) >>> 2,
    );
  }

  /** Datagram `index` is from now on as if only the last `length` of its bytes had come, with so many of control messages. */
  shorten(index: number, length: number, controlLength: number): void {
    const header = this.#headers + index * Mmsghdr.size;
    const start = this.start(index);
    this.u8.copyWithin(
      start,
      start + this.byteLength(index) - length,
      start + this.byteLength(index),
    );
    this.#arena.u32[(header + Mmsghdr.length) >>> 2] = length;
    this.#arena.u32[(header + Msghdr.controlLength) >>> 2] = controlLength;
  }

  /**
   * How long each datagram of the run at `index` is, but the last, which may be shorter: with UDP_GRO the kernel hands over what came
   * in one piece. What came alone is a run of one.
   */
  segmentBytes(index: number): number {
    const header = (this.#headers + index * Mmsghdr.size + Msghdr.controlLength) >>> 2;
    const length = u32At(this.#arena.u32, header);
    const segment = readSegment(this.#arena, this.#controls + index * CONTROL_BYTES, length);
    return segment > 0 ? segment : this.byteLength(index);
  }

  unmap(): void {
    this.#arena.unmap();
  }

  #reset(index: number): void {
    const header = this.#headers + index * Mmsghdr.size;
    this.#arena.u32[(header + Msghdr.nameLength) >>> 2] = NAME_BYTES;
    this.#arena.u32[(header + Msghdr.controlLength) >>> 2] = CONTROL_BYTES;
    this.#arena.u32[(header + Msghdr.flags) >>> 2] = 0;
    // A v4 sockaddr leaves the rest of the slot as it was; keys compare the whole of it.
    const rest = (this.#names + index * NAME_BYTES + SockaddrIn.size) >>> 2;
    const end = (this.#names + (index + 1) * NAME_BYTES) >>> 2;
    for (let word = rest; word < end; word += 1) this.#arena.u32[word] = 0;
  }
}

/** Messages waiting for one sendmmsg. A message is opened with {@link begin} and filled with {@link push}. */
export class SendBatch {
  readonly messagesMax: number;
  readonly #arena: Arena;
  readonly #u32: Uint32Array;
  readonly #headers: number;
  readonly #names: number;
  readonly #controls: number;
  readonly #iovecs: number;
  readonly #iovecsMax: number;
  readonly #isBatching: boolean;
  readonly #calls: DatagramCalls;
  #count = 0;
  #iovecsUsed = 0;
  #header = 0;
  #iovecsInMessage = 0;
  #messageBytes = 0;

  /** `isBatching` false sends one datagram per system call (sendmsg). */
  constructor(
    messagesMax: number,
    iovecsMax: number,
    isBatching: boolean,
    calls: DatagramCalls = datagramCalls,
  ) {
    const perMessage = Mmsghdr.size + NAME_BYTES + CONTROL_BYTES;
    const arena = new Arena(messagesMax * perMessage + iovecsMax * Iovec.size);
    assert(messagesMax <= IOVECS_MAX, "sendmmsg takes at most UIO_MAXIOV messages");
    this.messagesMax = messagesMax;
    this.#calls = calls;
    this.#arena = arena;
    this.#u32 = arena.u32;
    this.#iovecsMax = iovecsMax;
    this.#isBatching = isBatching;
    this.#headers = arena.allocate(messagesMax * Mmsghdr.size);
    this.#names = arena.allocate(messagesMax * NAME_BYTES);
    this.#controls = arena.allocate(messagesMax * CONTROL_BYTES);
    this.#iovecs = arena.allocate(iovecsMax * Iovec.size);
    for (let i = 0; i < messagesMax; i += 1) {
      const header = this.#headers + i * Mmsghdr.size;
      arena.setU64(header + Msghdr.name, arena.address + this.#names + i * NAME_BYTES);
      arena.setU64(header + Msghdr.control, arena.address + this.#controls + i * CONTROL_BYTES);
    }
  }

  /** Messages in the batch. */
  get count(): number {
    return this.#count;
  }

  /** Bytes in the message that was opened last. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  /** Whether a message of `iovecs` pieces still fits. */
  hasRoom(iovecs: number): boolean {
    return this.#count < this.messagesMax && this.#iovecsUsed + iovecs <= this.#iovecsMax;
  }

  /**
   * Opens a message to `name` (a sockaddr in {@link NAME_BYTES} bytes) from `local` (see {@link LOCAL_BYTES}; all
   * zeros: the kernel chooses). `segmentBytes` > 0 has the kernel cut the message into datagrams of that size.
   */
  begin(name: Uint8Array, local: Uint8Array, segmentBytes: number): void {
    assert(this.#count < this.messagesMax, "hasRoom was asked");
    const index = this.#count;
    const header = this.#headers + index * Mmsghdr.size;
    const control = this.#controls + index * CONTROL_BYTES;
    const isV6 = u8(name, SockaddrIn.family) === AF_INET6;
    const place = this.#names + index * NAME_BYTES;
    for (let i = 0; i < NAME_BYTES; i += 1) this.#arena.u8[place + i] = u8(name, i);
    let used = writePktinfo(this.#arena, control, isV6, local);
    if (segmentBytes > 0) used += writeSegment(this.#arena, control + used, segmentBytes);
    const word = header >>> 2;
    this.#u32[word + (Msghdr.nameLength >>> 2)] = isV6 ? SockaddrIn6.size : SockaddrIn.size;
    this.#u32[word + (Msghdr.controlLength >>> 2)] = used;
    this.#arena.setU64(
      header + Msghdr.iov,
      this.#arena.address + this.#iovecs + this.#iovecsUsed * Iovec.size,
    );
    this.#header = header;
    this.#iovecsInMessage = 0;
    this.#messageBytes = 0;
    this.#count += 1;
  }

  /** Takes back the message that was opened last; nothing was pushed into it yet. */
  cancel(): void {
    assert(this.#iovecsInMessage === 0, "only an empty message is taken back");
    this.#count -= 1;
  }

  /** Adds `length` bytes at `address` to the open message. The memory must stay as it is until {@link send} returns. */
  push(address: number, length: number): void {
    const offset = this.#iovecs + this.#iovecsUsed * Iovec.size;
    this.#arena.setU64(offset + Iovec.base, address);
    this.#u32[(offset + Iovec.length) >>> 2] = length;
    this.#iovecsUsed += 1;
    this.#iovecsInMessage += 1;
    this.#messageBytes += length;
    this.#u32[(this.#header + Msghdr.iovLength) >>> 2] = this.#iovecsInMessage;
  }

  /**
   * Sends the messages from `first` on without waiting. Returns how many the kernel took (at least one), or −errno
   * for message `first`. The batch keeps its messages until {@link clear}.
   */
  send(fd: number, first: number): number {
    const address = this.#arena.address + this.#headers + first * Mmsghdr.size;
    if (this.#isBatching) return this.#calls.sendmmsg(fd, address, this.#count - first);
    const sent = this.#calls.sendmsg(fd, address);
    return sent < 0 ? sent : 1;
  }

  /** Empties the batch. */
  clear(): void {
    this.#count = 0;
    this.#iovecsUsed = 0;
  }

  unmap(): void {
    this.#arena.unmap();
  }
}
