// The kernel's neighbour table, asked by rtnetlink (ffi layer, rank 1): which hardware address an address on the same link has.
// The kernel answers while the request is written, so nothing here waits for an answer. Source: rtnetlink(7), linux/neighbour.h.
//
//   | nlmsghdr 16 | ndmsg 12 | rtattr 4 | value, padded to 4 | rtattr 4 | … |

import { assert } from "#base/assert.ts";
import { setU16le, setU32le, u8, u16le, u32le } from "#base/bytes.ts";

import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  aligned,
  NDA_DST,
  NDA_LLADDR,
  Ndmsg,
  NETLINK_ROUTE,
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  Nlmsgerr,
  Nlmsghdr,
  NUD_DELAY,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  Rtattr,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
} from "./abi.ts";
import { Arena } from "./arena.ts";
import { Errno } from "./errno.ts";
import { closeHeld, held } from "./holdings.ts";
import { checked, libc } from "./libc.ts";

/** What is asked for: the neighbour with `address` (4 or 16 bytes) on interface `ifindex`. */
export interface NeighbourQuery {
  readonly address: Uint8Array;
  readonly ifindex: number;
  /** Of the request: answers to another one are passed over. */
  readonly sequence: number;
}

/**
 * What one read of the socket says about a query. `found` has the hardware address; `none`: there is no such neighbour, or it
 * has no address yet; `more`: the answer is not over; `failed`: −errno, −EIO for what is no netlink message.
 */
export type NeighbourAnswer =
  | { readonly kind: "found"; readonly mac: Uint8Array }
  | { readonly kind: "none" }
  | { readonly kind: "more" }
  | { readonly kind: "failed"; readonly errno: number };

/** The kernel never sends more at once than fits in 32 KiB (NLMSG_GOODSIZE and netlink_dump, net/netlink/af_netlink.c). */
const REPLY_BYTES = 32_768;
/** The longest request: both headers and an IPv6 address. */
const REQUEST_BYTES: number = Nlmsghdr.size + Ndmsg.size + Rtattr.size + 16;
/** Most reads for one query: some 20,000 neighbours, where a dump is needed. A guess; the kernel keeps 1,024 unless told otherwise. */
const READS_MAX = 64;
/** Ethernet's, and the only length that names are made of. */
const MAC_BYTES = 6;
/** States in which the hardware address is one that the neighbour had: not while it is being asked, nor after it was silent. */
const KNOWN_STATES: number = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

/** A socket to the kernel's neighbour table. Opened when it is first asked, and anew after anything unexpected. */
export class NeighbourTable {
  readonly #memory: Arena = new Arena(REPLY_BYTES + REQUEST_BYTES);
  #fd = -1;
  #sequence = 0;
  #isDumping: boolean;

  /** `isDumping` reads the whole table for each query, as kernels before 5.0 make it necessary; it is found by trying otherwise. */
  constructor(isDumping = false) {
    this.#isDumping = isDumping;
  }

  /** The hardware address (6 bytes) of a neighbour; −ENOENT if the kernel knows none, or why it could not be asked. */
  find(address: Uint8Array, ifindex: number): Uint8Array | number {
    assert(address.length === 4 || address.length === 16, "an address has 4 or 16 bytes");
    if (this.#fd < 0) this.#fd = openNetlink();
    if (this.#fd < 0) return this.#fd;
    this.#sequence = (this.#sequence + 1) >>> 0;
    const query = { address, ifindex, sequence: this.#sequence };
    const answer = this.#ask(query);
    if (answer.kind === "found") {
      // The rest of a dump would be read by the next query.
      if (this.#isDumping) this.#disconnect();
      return answer.mac;
    }
    if (answer.kind === "none") return -Errno.ENOENT;
    this.#disconnect();
    if (answer.kind === "more") return -Errno.EAGAIN;
    if (answer.errno !== -Errno.EOPNOTSUPP || this.#isDumping) return answer.errno;
    this.#isDumping = true;
    return this.find(address, ifindex);
  }

  /** Gives back socket and memory; nothing may be asked afterwards. */
  close(): void {
    this.#disconnect();
    this.#memory.unmap();
  }

  #disconnect(): void {
    if (this.#fd >= 0) closeHeld(this.#fd);
    this.#fd = -1;
  }

  #ask(query: NeighbourQuery): NeighbourAnswer {
    const { u8: bytes, address } = this.#memory;
    const request = bytes.subarray(REPLY_BYTES, REPLY_BYTES + REQUEST_BYTES);
    const length = writeQuery(request, query, this.#isDumping);
    const sent = checked(libc.write(this.#fd, address + REPLY_BYTES, length));
    if (sent < 0) return { kind: "failed", errno: sent };
    for (let reads = 0; reads < READS_MAX; reads += 1) {
      const received = checked(libc.read(this.#fd, address, REPLY_BYTES));
      if (received < 0) return { kind: "failed", errno: received };
      const answer = readAnswer(bytes.subarray(0, received), query);
      if (answer.kind !== "more") return answer;
    }
    return { kind: "more" };
  }
}

/** Not bound: the kernel gives it an address when it first writes, and what it writes goes to the kernel. */
function openNetlink(): number {
  const kind = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return held(checked(libc.socket(AF_NETLINK, kind, NETLINK_ROUTE)));
}

/** Writes the request for `query` into `into`, for one entry or for all of its family; returns its length. */
export function writeQuery(into: Uint8Array, query: NeighbourQuery, isDump: boolean): number {
  const { address, ifindex, sequence } = query;
  const attribute = Nlmsghdr.size + Ndmsg.size;
  const length = attribute + (isDump ? 0 : Rtattr.size + address.length);
  into.fill(0, 0, length);
  setU32le(into, Nlmsghdr.length, length);
  setU16le(into, Nlmsghdr.type, RTM_GETNEIGH);
  setU16le(into, Nlmsghdr.flags, isDump ? NLM_F_REQUEST | NLM_F_DUMP : NLM_F_REQUEST);
  setU32le(into, Nlmsghdr.sequence, sequence);
  into[Nlmsghdr.size + Ndmsg.family] = familyOf(address);
  if (isDump) return length;
  setU32le(into, Nlmsghdr.size + Ndmsg.ifindex, ifindex);
  setU16le(into, attribute + Rtattr.length, Rtattr.size + address.length);
  setU16le(into, attribute + Rtattr.type, NDA_DST);
  into.set(address, attribute + Rtattr.size);
  return length;
}

/** Reads the messages in `bytes`, one read of the socket. Believes no length that it has not checked. */
export function readAnswer(bytes: Uint8Array, query: NeighbourQuery): NeighbourAnswer {
  let isOver = bytes.length > 0;
  for (let start = 0; start < bytes.length;) {
    const left = bytes.length - start;
    const length = left < Nlmsghdr.size ? 0 : u32le(bytes, start + Nlmsghdr.length);
    if (length < Nlmsghdr.size || length > left) return failed(-Errno.EIO);
    const message = bytes.subarray(start, start + length);
    start += aligned(length, 4);
    if (u32le(message, Nlmsghdr.sequence) !== query.sequence) {
      isOver = false;
      continue;
    }
    const type = u16le(message, Nlmsghdr.type);
    if (type === NLMSG_DONE) return { kind: "none" };
    if (type === NLMSG_ERROR) return errorOf(message);
    if (type !== RTM_NEWNEIGH || message.length < Nlmsghdr.size + Ndmsg.size)
      return failed(-Errno.EIO);
    isOver = (u16le(message, Nlmsghdr.flags) & NLM_F_MULTI) === 0;
    const mac = neighbourIn(message, query);
    if (mac !== undefined) return { kind: "found", mac };
  }
  return isOver ? { kind: "none" } : { kind: "more" };
}

function errorOf(message: Uint8Array): NeighbourAnswer {
  if (message.length < Nlmsghdr.size + Nlmsgerr.request) return failed(-Errno.EIO);
  const errno = u32le(message, Nlmsghdr.size + Nlmsgerr.error) | 0;
  // Zero is an acknowledgement, which nobody asked for.
  if (errno >= 0) return failed(-Errno.EIO);
  return errno === -Errno.ENOENT ? { kind: "none" } : failed(errno);
}

function failed(errno: number): NeighbourAnswer {
  return { kind: "failed", errno };
}

/** The hardware address in an RTM_NEWNEIGH message, if it is about the neighbour that was asked for and is known. */
function neighbourIn(message: Uint8Array, query: NeighbourQuery): Uint8Array | undefined {
  const header = Nlmsghdr.size;
  if (u8(message, header + Ndmsg.family) !== familyOf(query.address)) return undefined;
  if (u32le(message, header + Ndmsg.ifindex) !== query.ifindex) return undefined;
  if ((u16le(message, header + Ndmsg.state) & KNOWN_STATES) === 0) return undefined;
  let isAsked = false;
  let mac: Uint8Array | undefined;
  for (let start = header + Ndmsg.size; start + Rtattr.size <= message.length;) {
    const length = u16le(message, start + Rtattr.length);
    if (length < Rtattr.size || length > message.length - start) return undefined;
    const value = message.subarray(start + Rtattr.size, start + length);
    const type = u16le(message, start + Rtattr.type);
    if (type === NDA_DST) isAsked = isSame(value, query.address);
    if (type === NDA_LLADDR && value.length === MAC_BYTES) mac = value.slice();
    start += aligned(length, 4);
  }
  return isAsked ? mac : undefined;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}
