// Control messages (ffi layer): the local address of a datagram (PKTINFO) and segmentation (UDP_SEGMENT, UDP_GRO),
// read from and written into arena memory at 8-byte alignment. Source: ip(7), ipv6(7), udp(7), cmsg(3).
//
// A local address is 24 bytes of our own:  | ifindex u32 | family u32 | address 16 |, all zero when unknown.

import { u8, u32At } from "#base/bytes.ts";

import {
  AF_INET,
  AF_INET6,
  aligned,
  Cmsghdr,
  controlSpace,
  In6Pktinfo,
  InPktinfo,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from "./abi.ts";
import type { Arena } from "./arena.ts";

const SEGMENT_BYTES = 2;
/** Room for the larger PKTINFO and one UDP_SEGMENT: 40 + 24. */
export const CONTROL_BYTES: number = controlSpace(In6Pktinfo.size) + controlSpace(SEGMENT_BYTES);

const LocalAddress = { ifindex: 0, family: 4, address: 8, size: 24 } as const;

/** Finds PKTINFO among `length` bytes of control messages at `offset` and stores it in `local`, else zeros. */
export function readPktinfo(arena: Arena, offset: number, length: number, local: Uint8Array): void {
  local.fill(0);
  const end = offset + length;
  let entry = offset;
  while (entry + Cmsghdr.size <= end) {
    const bytes = u32At(arena.u32, (entry + Cmsghdr.length) >>> 2);
    if (bytes < Cmsghdr.size) return;
    const level = u32At(arena.u32, (entry + Cmsghdr.level) >>> 2);
    const type = u32At(arena.u32, (entry + Cmsghdr.type) >>> 2);
    const body = entry + Cmsghdr.data;
    if (level === IPPROTO_IP && type === IP_PKTINFO) {
      copyLocal(arena, local, AF_INET, body + InPktinfo.ifindex, body + InPktinfo.specDst, 4);
      return;
    }
    if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
      copyLocal(arena, local, AF_INET6, body + In6Pktinfo.ifindex, body + In6Pktinfo.address, 16);
      return;
    }
    entry += aligned(bytes, 8);
  }
}

/** Finds UDP_GRO among `length` bytes of control messages at `offset`: the bytes of each datagram of a run; 0 where there is no run. */
export function readSegment(arena: Arena, offset: number, length: number): number {
  const end = offset + length;
  let entry = offset;
  while (entry + Cmsghdr.size <= end) {
    const bytes = u32At(arena.u32, (entry + Cmsghdr.length) >>> 2);
    if (bytes < Cmsghdr.size) return 0;
    const level = u32At(arena.u32, (entry + Cmsghdr.level) >>> 2);
    const type = u32At(arena.u32, (entry + Cmsghdr.type) >>> 2);
    if (level === SOL_UDP && type === UDP_GRO) {
      return u32At(arena.u32, (entry + Cmsghdr.data) >>> 2);
    }
    entry += aligned(bytes, 8);
  }
  return 0;
}

/** The 4 or 16 bytes of the address in `local`, as a copy; undefined when unknown. */
export function localAddress(local: Uint8Array): Uint8Array | undefined {
  const family = u8(local, LocalAddress.family);
  if (family === 0) return undefined;
  const { address } = LocalAddress;
  return local.slice(address, address + (family === AF_INET ? 4 : 16));
}

/** Whether two local addresses are the same one, by whichever interface; one that is unknown is the same as any. */
export function isSameLocal(one: Uint8Array, other: Uint8Array): boolean {
  const { family, address, size } = LocalAddress;
  if (u8(one, family) === 0 || u8(other, family) === 0) return true;
  if (u8(one, family) !== u8(other, family)) return false;
  for (let i = address; i < size; i += 1) if (u8(one, i) !== u8(other, i)) return false;
  return true;
}

/** Writes PKTINFO for `local` at `offset`; returns the bytes used, 0 when `local` is unknown. */
export function writePktinfo(
  arena: Arena,
  offset: number,
  isV6: boolean,
  local: Uint8Array,
): number {
  if (local[LocalAddress.family] === 0) return 0;
  const body = offset + Cmsghdr.data;
  if (isV6) {
    writeHeader(arena, offset, In6Pktinfo.size, IPPROTO_IPV6, IPV6_PKTINFO);
    for (let i = 0; i < 16; i += 1) arena.u8[body + i] = u8(local, LocalAddress.address + i);
    // The index matters for link-local destinations alone; elsewhere routing chooses the way out.
    const isLinkLocal =
      local[LocalAddress.address] === 0xfe && (u8(local, LocalAddress.address + 1) & 0xc0) === 0x80;
    arena.u32[(body + In6Pktinfo.ifindex) >>> 2] = isLinkLocal ? localIfindex(local) : 0;
    return controlSpace(In6Pktinfo.size);
  }
  writeHeader(arena, offset, InPktinfo.size, IPPROTO_IP, IP_PKTINFO);
  arena.u32[(body + InPktinfo.ifindex) >>> 2] = 0;
  for (let i = 0; i < 4; i += 1) {
    arena.u8[body + InPktinfo.specDst + i] = u8(local, LocalAddress.address + i);
  }
  arena.u32[(body + InPktinfo.destination) >>> 2] = 0;
  return controlSpace(InPktinfo.size);
}

/** Writes UDP_SEGMENT at `offset`; returns the bytes used. */
export function writeSegment(arena: Arena, offset: number, segmentBytes: number): number {
  writeHeader(arena, offset, SEGMENT_BYTES, SOL_UDP, UDP_SEGMENT);
  arena.u16[(offset + Cmsghdr.data) >>> 1] = segmentBytes;
  return controlSpace(SEGMENT_BYTES);
}

function writeHeader(
  arena: Arena,
  offset: number,
  dataBytes: number,
  level: number,
  type: number,
): void {
  arena.setU64(offset + Cmsghdr.length, Cmsghdr.size + dataBytes);
  arena.u32[(offset + Cmsghdr.level) >>> 2] = level;
  arena.u32[(offset + Cmsghdr.type) >>> 2] = type;
}

function copyLocal(
  arena: Arena,
  local: Uint8Array,
  family: number,
  ifindex: number,
  address: number,
  bytes: number,
): void {
  local[LocalAddress.family] = family;
  for (let i = 0; i < 4; i += 1) local[LocalAddress.ifindex + i] = u8(arena.u8, ifindex + i);
  for (let i = 0; i < bytes; i += 1) local[LocalAddress.address + i] = u8(arena.u8, address + i);
}

/** The index of the interface in a local address: the one that its datagram came in by; 0 when unknown. */
export function localIfindex(local: Uint8Array): number {
  return u8(local, 0) | (u8(local, 1) << 8) | (u8(local, 2) << 16) | (u8(local, 3) << 24);
}
