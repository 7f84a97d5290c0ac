// A kernel that is not there: virtual time, sockets that are queues of datagrams, and waiting that never waits. It reads and writes
// the same structures as the real one, so that what a shard gathers, cuts into segments and addresses is what is tested.

import { read } from "bun:ffi";

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
  Mmsghdr,
  MSG_TRUNC,
  Msghdr,
  SOL_UDP,
  UDP_SEGMENT,
} from "#ffi/abi.ts";
import { Errno } from "#ffi/errno.ts";
import { memoryAt } from "#ffi/libc.ts";
import type { DatagramCalls } from "#ffi/message.ts";
import type { Kernel } from "#io/kernel.ts";

/** A datagram under way, on either side of the kernel. */
export interface Datagram {
  /** The socket of the server. */
  readonly fd: number;
  /** The client's raw sockaddr. */
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
}

type Poll = ReturnType<Kernel["createPoll"]>;
type NeighbourTable = ReturnType<Kernel["createNeighbourTable"]>;

/** Where every datagram was sent to: 192.0.2.1, by interface 1. */
const INTERFACE = 1;
const MTU = 1500;
const LOCAL: Uint8Array = Uint8Array.of(192, 0, 2, 1);

export class SimulatedKernel implements Kernel {
  /** The time; whoever drives the shard moves it. */
  clockUs = 1_000_000;
  /** When the shard last asked to be woken; −Infinity as long as it has not asked since the last datagram. */
  wakeUs: number = -Infinity;
  /** Asked about each message before it is sent: −errno, or 0 to take it. */
  refusal: (datagram: Datagram, segments: number) => number = () => 0;
  readonly #arrived: Map<number, Datagram[]> = new Map();
  readonly #send: (datagram: Datagram) => void;
  readonly #rung: Set<number> = new Set();

  /** `send` gets each datagram that leaves, cut as the kernel would have cut it. */
  constructor(send: (datagram: Datagram) => void) {
    this.#send = send;
  }

  readonly nowUs = (): number => this.clockUs;
  readonly randomSeed = (): number => 1;
  readonly silenceDoorbell = (fd: number): void => {
    this.#rung.delete(fd);
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

  /** Puts a datagram into the receive queue of its socket. */
  arrive(datagram: Datagram): void {
    const queue = this.#arrived.get(datagram.fd);
    if (queue === undefined) this.#arrived.set(datagram.fd, [datagram]);
    else queue.push(datagram);
  }

  ring(doorbellFd: number): void {
    this.#rung.add(doorbellFd);
  }

  isReadable(fd: number): boolean {
    return this.#rung.has(fd) || (this.#arrived.get(fd)?.length ?? 0) > 0;
  }

  /** Fills one mmsghdr as recvmsg(2) would. Returns the bytes that fitted, or −EAGAIN. */
  #receive(fd: number, header: number): number {
    const datagram = this.#arrived.get(fd)?.shift();
    if (datagram === undefined) return -Errno.EAGAIN;
    const iovec = u64(header + Msghdr.iov);
    const length = Math.min(datagram.bytes.length, u64(iovec + Iovec.length));
    bytesAt(u64(iovec + Iovec.base), length).set(datagram.bytes.subarray(0, length));
    bytesAt(u64(header + Msghdr.name), datagram.name.length).set(datagram.name);
    const words = new Uint32Array(memoryAt(header, Mmsghdr.size));
    words[Msghdr.nameLength >>> 2] = datagram.name.length;
    words[Msghdr.controlLength >>> 2] = writeControl(u64(header + Msghdr.control));
    words[Msghdr.flags >>> 2] = length < datagram.bytes.length ? MSG_TRUNC : 0;
    words[Mmsghdr.length >>> 2] = length;
    return length;
  }

  /** Takes one message as sendmsg(2) would, and cuts it. Returns its bytes, or −errno. */
  #transmit(fd: number, header: number): number {
    const iovecs = u64(header + Msghdr.iov);
    const pieces: Uint8Array[] = [];
    for (let index = 0; index < u64(header + Msghdr.iovLength); index += 1) {
      const iovec = iovecs + index * Iovec.size;
      pieces.push(bytesAt(u64(iovec + Iovec.base), u64(iovec + Iovec.length)));
    }
    // A copy: the memory is another's as soon as the call has returned.
    const bytes = Uint8Array.from(Buffer.concat(pieces));
    const name = bytesAt(u64(header + Msghdr.name), read.u32(header + Msghdr.nameLength)).slice();
    const control = u64(header + Msghdr.control);
    const segmentBytes = segmentOf(control, u64(header + Msghdr.controlLength)) || bytes.length;
    const segments = Math.max(1, Math.ceil(bytes.length / segmentBytes));
    const refusal = this.refusal({ fd, name, bytes }, segments);
    if (refusal < 0) return refusal;
    for (let index = 0; index < segments; index += 1) {
      const start = index * segmentBytes;
      this.#send({ fd, name, bytes: bytes.subarray(start, start + segmentBytes) });
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
      const found = (isReadable ? EPOLLIN : 0) | (events & EPOLLOUT);
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

/** IP_PKTINFO, as the kernel leaves it. Returns its bytes. */
function writeControl(address: number): number {
  const bytes = Cmsghdr.size + aligned(In6Pktinfo.size, 8);
  const view = new DataView(memoryAt(address, bytes));
  view.setUint32(Cmsghdr.length, Cmsghdr.size + InPktinfo.size, true);
  view.setUint32(Cmsghdr.length + 4, 0, true);
  view.setUint32(Cmsghdr.level, IPPROTO_IP, true);
  view.setUint32(Cmsghdr.type, IP_PKTINFO, true);
  view.setUint32(Cmsghdr.data + InPktinfo.ifindex, INTERFACE, true);
  bytesAt(address + Cmsghdr.data + InPktinfo.specDst, LOCAL.length).set(LOCAL);
  return Cmsghdr.size + aligned(InPktinfo.size, 8);
}

/** The UDP_SEGMENT among `length` bytes of control messages; 0 where there is none. */
function segmentOf(address: number, length: number): number {
  let entry = address;
  while (entry + Cmsghdr.size <= address + length) {
    const isSegment =
      read.u32(entry + Cmsghdr.level) === SOL_UDP && read.u32(entry + Cmsghdr.type) === UDP_SEGMENT;
    if (isSegment) return read.u16(entry + Cmsghdr.data);
    entry += aligned(u64(entry + Cmsghdr.length), 8);
  }
  return 0;
}

function bytesAt(address: number, length: number): Uint8Array {
  return length === 0 ? new Uint8Array(0) : new Uint8Array(memoryAt(address, length));
}

/** A pointer or a size: below 2^53. */
function u64(address: number): number {
  return read.u32(address) + read.u32(address + 4) * 2 ** 32;
}
