// A kernel that is not there: virtual time, sockets that are queues of datagrams, and waiting that never waits. It reads and writes
// the same structures as the real one, so that what a shard gathers, cuts into segments and addresses is what is tested.

import {
  aligned,
  Cmsghdr,
  EPOLLIN,
  EPOLLOUT,
  In6Pktinfo,
  InPktinfo,
  Iovec,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  Mmsghdr,
  MSG_TRUNC,
  Msghdr,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from "#ffi/abi.ts";
import { Errno } from "#ffi/errno.ts";
import type { DatagramCalls } from "#ffi/message.ts";
import type { Kernel } from "#io/kernel.ts";

import { bytesAt, copyAt, wordAt } from "./world/memory.ts";

/** A datagram under way, on either side of the kernel. */
export interface Datagram {
  /** The socket of the server. */
  readonly fd: number;
  /** The client's raw sockaddr. */
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
  /** The server's own address, if it is another than the first of its family. */
  readonly local?: Uint8Array;
}

type Poll = ReturnType<Kernel["createPoll"]>;
type NeighbourTable = ReturnType<Kernel["createNeighbourTable"]>;

/** Where a datagram was sent to that does not say it: 192.0.2.1 or 2001:db8::1, by interface 1. */
const INTERFACE = 1;
const MTU = 1500;
const LOCAL: Uint8Array = Uint8Array.of(192, 0, 2, 1);
const LOCAL6: Uint8Array = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** AF_INET6 of Linux, in the first byte of a sockaddr. */
const AF_INET6 = 10;

export class SimulatedKernel implements Kernel {
  /** The time; whoever drives the shard moves it. */
  clockUs = 1_000_000;
  /** When the shard last asked to be woken; −Infinity as long as it has not asked since the last datagram. */
  wakeUs: number = -Infinity;
  /** Asked about each message before it is sent: −errno, or 0 to take it. */
  refusal: (datagram: Datagram, segments: number) => number = () => 0;
  /** How many datagrams a socket keeps for the server; what comes then is lost. */
  receiveMax: number = Infinity;
  /** The server's further addresses, of IPv4. */
  addresses: readonly Uint8Array[] = [];
  /** Whether a socket has room, for who waits for it after −EAGAIN. */
  isWritable: (fd: number) => boolean = () => true;
  readonly #arrived: Map<number, Datagram[]> = new Map();
  readonly #send: (datagram: Datagram) => void;
  readonly #rung: Set<number> = new Set();
  readonly #joined: Set<number> = new Set();

  /** `send` gets each datagram that leaves, cut as the kernel would have cut it. */
  constructor(send: (datagram: Datagram) => void) {
    this.#send = send;
  }

  readonly nowUs = (): number => this.clockUs;
  readonly randomSeed = (): number => 1;
  readonly silenceDoorbell = (fd: number): void => {
    this.#rung.delete(fd);
  };
  readonly joinDatagrams = (fd: number): void => {
    this.#joined.add(fd);
  };
  readonly interfaceName = (index: number): string | undefined =>
    index === INTERFACE ? "sim0" : undefined;
  readonly interfaceMtu = (): number => MTU;
  readonly createPoll = (): Poll => new SimulatedPoll(this);
  readonly createNeighbourTable = (): NeighbourTable => ({ find: () => -Errno.ENOENT, close() {} });

  readonly datagrams: DatagramCalls = {
    recvmmsg: (fd, headers, count) => {
      let received = 0;
      for (; received < count; received += 1) {
        if (this.#receive(fd, headers + received * Mmsghdr.size) < 0) break;
      }
      return received === 0 ? -Errno.EAGAIN : received;
    },
    recvmsg: (fd, headers) => this.#receive(fd, headers),
    sendmmsg: (fd, headers, count) => {
      for (let sent = 0; sent < count; sent += 1) {
        const result = this.#transmit(fd, headers + sent * Mmsghdr.size);
        if (result < 0) return sent === 0 ? result : sent;
      }
      return count;
    },
    sendmsg: (fd, headers) => this.#transmit(fd, headers),
  };

  /** Puts a datagram into the receive queue of its socket. False: the queue is full. */
  arrive(datagram: Datagram): boolean {
    const queue = this.#arrived.get(datagram.fd);
    if (queue === undefined) this.#arrived.set(datagram.fd, [datagram]);
    else if (queue.length >= this.receiveMax) return false;
    else queue.push(datagram);
    return true;
  }

  ring(doorbellFd: number): void {
    this.#rung.add(doorbellFd);
  }

  isReadable(fd: number): boolean {
    return this.#rung.has(fd) || (this.#arrived.get(fd)?.length ?? 0) > 0;
  }

  /** Fills one mmsghdr as recvmsg(2) would. Returns the bytes that fitted, or −EAGAIN. */
  #receive(fd: number, header: number): number {
    const queue = this.#arrived.get(fd) ?? [];
    const first = queue.shift();
    if (first === undefined) return -Errno.EAGAIN;
    const datagram = this.#joined.has(fd) ? joinedRun(first, queue) : first;
    const isRun = datagram !== first;
    const iovec = u64(header + Msghdr.iov);
    const length = Math.min(datagram.bytes.length, u64(iovec + Iovec.length));
    const isWhole = length === datagram.bytes.length;
    bytesAt(u64(iovec + Iovec.base), length).set(
      isWhole ? datagram.bytes : datagram.bytes.subarray(0, length),
    );
    bytesAt(u64(header + Msghdr.name), datagram.name.length).set(datagram.name);
    const words = bytesAt(header, Mmsghdr.size);
    setWord(words, Msghdr.nameLength, datagram.name.length);
    const control = u64(header + Msghdr.control);
    let controlBytes = writeControl(control, isV6(datagram), datagram.local ?? LOCAL);
    if (isRun) controlBytes += writeRun(control + controlBytes, first.bytes.length);
    setWord(words, Msghdr.controlLength, controlBytes);
    setWord(words, Msghdr.flags, length < datagram.bytes.length ? MSG_TRUNC : 0);
    setWord(words, Mmsghdr.length, length);
    return length;
  }

  /** Takes one message as sendmsg(2) would, and cuts it. Returns its bytes, or −errno. */
  #transmit(fd: number, header: number): number {
    const iovecs = u64(header + Msghdr.iov);
    const end = iovecs + u64(header + Msghdr.iovLength) * Iovec.size;
    let length = 0;
    for (let iovec = iovecs; iovec < end; iovec += Iovec.size) length += u64(iovec + Iovec.length);
    // A copy: the memory is another's as soon as the call has returned.
    const bytes = new Uint8Array(length);
    let filled = 0;
    for (let iovec = iovecs; iovec < end; iovec += Iovec.size) {
      const pieceBytes = u64(iovec + Iovec.length);
      copyAt(u64(iovec + Iovec.base), pieceBytes, bytes, filled);
      filled += pieceBytes;
    }
    const name = new Uint8Array(wordAt(header + Msghdr.nameLength));
    copyAt(u64(header + Msghdr.name), name.length, name, 0);
    const control = u64(header + Msghdr.control);
    const segmentBytes = segmentOf(control, u64(header + Msghdr.controlLength)) || bytes.length;
    const segments = Math.max(1, Math.ceil(bytes.length / segmentBytes));
    const own = name[0] === AF_INET6 ? [LOCAL6] : [LOCAL, ...this.addresses];
    const local = localOf(control, u64(header + Msghdr.controlLength), own);
    const refusal = this.refusal({ fd, name, bytes }, segments);
    if (refusal < 0) return refusal;
    for (let index = 0; index < segments; index += 1) {
      const start = index * segmentBytes;
      this.#send({ fd, name, bytes: bytes.subarray(start, start + segmentBytes), local });
    }
    return bytes.length;
  }
}

/** Never waits: notes when it was to be woken, and answers what is ready. */
class SimulatedPoll implements Poll {
  readonly #kernel: SimulatedKernel;
  readonly #watched: Map<number, { readonly token: number; readonly events: number }> = new Map();
  #ready: { readonly token: number; readonly events: number }[] = [];

  constructor(kernel: SimulatedKernel) {
    this.#kernel = kernel;
  }

  add(fd: number, events: number, token: number): void {
    this.#watched.set(fd, { token, events });
  }

  modify(fd: number, events: number, token: number): void {
    this.#watched.set(fd, { token, events });
  }

  wait(timeoutUs: number): number {
    this.#ready = [];
    for (const [fd, { token, events }] of this.#watched) {
      const isReadable = this.#kernel.isReadable(fd);
      const isWritable = (events & EPOLLOUT) !== 0 && this.#kernel.isWritable(fd);
      const found = (isReadable ? EPOLLIN : 0) | (isWritable ? EPOLLOUT : 0);
      if (found !== 0) this.#ready.push({ token, events: found });
    }
    const isIdle = this.#ready.length === 0 && timeoutUs !== 0;
    this.#kernel.wakeUs = isIdle ? this.#kernel.clockUs + timeoutUs : -Infinity;
    return this.#ready.length;
  }

  token(index: number): number {
    return this.#ready[index]?.token ?? -1;
  }

  events(index: number): number {
    return this.#ready[index]?.events ?? 0;
  }

  close(): void {
    this.#watched.clear();
  }
}

/**
 * `first` and what of `queue` follows it from the same peer to the same address, as UDP_GRO hands it over: datagrams of one length, and a
 * shorter one at the end. What is joined is taken from the queue. Source: udp_gro_receive_segment, net/ipv4/udp_offload.c.
 */
function joinedRun(first: Datagram, queue: Datagram[]): Datagram {
  const segmentBytes = first.bytes.length;
  const run = [first.bytes];
  let length = segmentBytes;
  for (let last = segmentBytes; last === segmentBytes && run.length < RUN_MAX;) {
    const [next] = queue;
    if (next === undefined || !isSamePath(first, next)) break;
    last = next.bytes.length;
    if (last === 0 || last > segmentBytes || length + last > RUN_BYTES_MAX) break;
    queue.shift();
    run.push(next.bytes);
    length += last;
  }
  if (run.length === 1) return first;
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (const each of run) {
    bytes.set(each, filled);
    filled += each.length;
  }
  return { ...first, bytes };
}

/** UDP_GRO_CNT_MAX, and the longest IP packet. */
const RUN_MAX = 64;
const RUN_BYTES_MAX = 65_535;

function isSamePath(one: Datagram, other: Datagram): boolean {
  const isSamePeer = Buffer.compare(one.name, other.name) === 0;
  return isSamePeer && Buffer.compare(one.local ?? LOCAL, other.local ?? LOCAL) === 0;
}

/** UDP_GRO, as the kernel leaves it. Returns its bytes. */
function writeRun(address: number, segmentBytes: number): number {
  const control = bytesAt(address, Cmsghdr.size + 8);
  setWord(control, Cmsghdr.length, Cmsghdr.size + 4);
  setWord(control, Cmsghdr.length + 4, 0);
  setWord(control, Cmsghdr.level, SOL_UDP);
  setWord(control, Cmsghdr.type, UDP_GRO);
  setWord(control, Cmsghdr.data, segmentBytes);
  return Cmsghdr.size + 8;
}

function isV6({ name }: Datagram): boolean {
  return name[0] === AF_INET6;
}

/** IP_PKTINFO or IPV6_PKTINFO, as the kernel leaves it. Returns its bytes. */
function writeControl(address: number, isInet6: boolean, local: Uint8Array): number {
  const bytes = Cmsghdr.size + aligned(In6Pktinfo.size, 8);
  const control = bytesAt(address, bytes);
  if (isInet6) {
    setWord(control, Cmsghdr.length, Cmsghdr.size + In6Pktinfo.size);
    setWord(control, Cmsghdr.length + 4, 0);
    setWord(control, Cmsghdr.level, IPPROTO_IPV6);
    setWord(control, Cmsghdr.type, IPV6_PKTINFO);
    control.set(LOCAL6, Cmsghdr.data + In6Pktinfo.address);
    setWord(control, Cmsghdr.data + In6Pktinfo.ifindex, INTERFACE);
    return bytes;
  }
  setWord(control, Cmsghdr.length, Cmsghdr.size + InPktinfo.size);
  setWord(control, Cmsghdr.length + 4, 0);
  setWord(control, Cmsghdr.level, IPPROTO_IP);
  setWord(control, Cmsghdr.type, IP_PKTINFO);
  setWord(control, Cmsghdr.data + InPktinfo.ifindex, INTERFACE);
  control.set(local, Cmsghdr.data + InPktinfo.specDst);
  return Cmsghdr.size + aligned(InPktinfo.size, 8);
}

/** The UDP_SEGMENT among `length` bytes of control messages; 0 where there is none. */
function segmentOf(address: number, length: number): number {
  let entry = address;
  while (entry + Cmsghdr.size <= address + length) {
    const isSegment =
      wordAt(entry + Cmsghdr.level) === SOL_UDP && wordAt(entry + Cmsghdr.type) === UDP_SEGMENT;
    if (isSegment) return wordAt(entry + Cmsghdr.data) & 0xffff;
    entry += aligned(u64(entry + Cmsghdr.length), 8);
  }
  return 0;
}

/** The address that a message leaves from: one of the server's `own`, or the test is over. */
function localOf(address: number, length: number, own: readonly Uint8Array[]): Uint8Array {
  const isInet6 = own[0] === LOCAL6;
  const type = isInet6 ? IPV6_PKTINFO : IP_PKTINFO;
  const place = isInet6 ? In6Pktinfo.address : InPktinfo.specDst;
  let entry = address;
  while (entry + Cmsghdr.size <= address + length) {
    const from = bytesAt(entry + Cmsghdr.data + place, isInet6 ? LOCAL6.length : LOCAL.length);
    const local = own.find((each) => Buffer.compare(from, each) === 0);
    if (wordAt(entry + Cmsghdr.type) === type && local !== undefined) return local;
    entry += aligned(u64(entry + Cmsghdr.length), 8);
  }
  throw new Error("the answer leaves from an address that nobody asked");
}

function setWord(bytes: Uint8Array, offset: number, value: number): void {
  for (let index = 0; index < 4; index += 1) bytes[offset + index] = (value >>> (8 * index)) & 255;
}

/** A pointer or a size: below 2^53. */
function u64(address: number): number {
  return wordAt(address) + wordAt(address + 4) * 2 ** 32;
}
