// Network addresses as text, as records and as the kernel's sockaddr (ffi layer, rank 1).
// Text is strict on the way in and RFC 5952 on the way out; a v4-mapped v6 address prints as plain IPv4.

import { at, setU16, u8, u16 } from "#base/bytes.ts";

import { AF_INET, AF_INET6, SockaddrIn, SockaddrIn6 } from "./abi.ts";
import { libc } from "./libc.ts";
import { readText, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";

/** An IP address: 4 or 16 bytes in network order, and the interface index of a link-local one (0: none). */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly scopeId: number;
}

/** An IP address and a UDP port (0–65,535). */
export interface SocketAddress extends IpAddress {
  readonly port: number;
}

/** Why a text is no address: a sentence for whoever wrote the text. */
export interface AddressFault {
  readonly fault: string;
}

/**
 * Reads `0.0.0.0:69`, `[::]:69`, `[fe80::1%eth0]:69` or `[fe80::1%2]:69`. Names of hosts are not looked up: a
 * server that boots machines often starts before DNS does.
 */
export function parseSocketAddress(text: string): SocketAddress | AddressFault {
  const parts = /^(?:\[(?<six>[^[\]]*)\]|(?<four>[^:[\]]*)):(?<port>[0-9]{1,5})$/.exec(
    text,
  )?.groups;
  if (parts === undefined) {
    return { fault: `"${text}" is not an address and a port, like 0.0.0.0:69 or [::]:69` };
  }
  const six = parts["six"];
  const ip = parseIp(six ?? parts["four"] ?? "");
  if ("fault" in ip) return ip;
  if ((ip.family === 6) !== (six !== undefined)) {
    return { fault: `"${text}" has brackets around an IPv4 address: only IPv6 is written so` };
  }
  const port = Number(parts["port"]);
  if (port > PORT_MAX) return { fault: `port ${port} in "${text}" is larger than ${PORT_MAX}` };
  return { ...ip, port };
}

/** Reads an IPv4 address (`192.0.2.1`) or an IPv6 one (`2001:db8::1`, `fe80::1%eth0`, `::ffff:192.0.2.1`). */
export function parseIp(text: string): IpAddress | AddressFault {
  const percent = text.indexOf("%");
  const literal = percent < 0 ? text : text.slice(0, percent);
  const four = ipv4Bytes(literal);
  if (four !== undefined && percent < 0) return { family: 4, bytes: four, scopeId: 0 };
  const six = ipv6Bytes(literal);
  if (six === undefined) return { fault: `"${text}" is not an IP address` };
  if (percent < 0) return { family: 6, bytes: six, scopeId: 0 };
  const scope = text.slice(percent + 1);
  const scopeId = scopeIdOf(scope);
  if (scopeId > 0) return { family: 6, bytes: six, scopeId };
  return {
    fault: `there is no network interface "${scope}" for "${text}"; \`ip link\` lists them`,
  };
}

const PORT_MAX = 65_535;

/** Four numbers of 0–255. Leading zeros are refused: half the world reads them as octal. */
function ipv4Bytes(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[index] = Number(part);
  }
  return bytes;
}

/** RFC 4291 §2.2: eight groups, at most one `::` for one or more zero groups, the last two may be an IPv4 address. */
function ipv6Bytes(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const isWhole = halves.length === 1;
  const head = groupBytes(at(halves, 0), isWhole);
  const tail = isWhole ? [] : groupBytes(at(halves, 1), true);
  if (head === undefined || tail === undefined) return undefined;
  const known = head.length + tail.length;
  if (isWhole ? known !== 16 : known > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function groupBytes(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
      continue;
    }
    const four = mayEndInIpv4 && index === groups.length - 1 ? ipv4Bytes(group) : undefined;
    if (four === undefined) return undefined;
    bytes.push(...four);
  }
  return bytes;
}

/** `192.0.2.1:1234`, or `[fe80::1%eth0]:1234`: how a peer or a listening address is written everywhere. */
export function formatPeer(address: SocketAddress): string {
  const ip = formatIp(address);
  return ip.includes(":") ? `[${ip}]:${address.port}` : `${ip}:${address.port}`;
}

/** {@link formatPeer} of the sockaddr at `offset`; undefined if it is of neither internet family. */
export function formatSockaddr(from: Uint8Array, offset: number): string | undefined {
  if (u8(from, offset + SockaddrIn.family) === AF_INET) {
    return `${formatIpv4(from, offset + SockaddrIn.address)}:${portAt(from, offset)}`;
  }
  const address = decodeSockaddr(from, offset);
  return address && formatPeer(address);
}

/** The canonical text of an address (RFC 5952), with `%interface` if it has a scope. */
export function formatIp(address: IpAddress): string {
  const bytes = address.bytes;
  if (address.family === 4) return formatIpv4(bytes, 0);
  if (isV4Mapped(bytes)) return formatIpv4(bytes, 12);
  const text = formatIpv6(bytes);
  return address.scopeId === 0 ? text : `${text}%${scopeName(address.scopeId)}`;
}

/** Whether 16 bytes are `::ffff:a.b.c.d`, an IPv4 peer of a dual-stack socket (RFC 4291 §2.5.5.2). */
function isV4Mapped(bytes: Uint8Array): boolean {
  return isMappedAt(bytes, 0);
}

function isMappedAt(bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < 10; index++) if (u8(bytes, start + index) !== 0) return false;
  return u16(bytes, start + 10) === 0xffff;
}

function formatIpv4(bytes: Uint8Array, offset: number): string {
  const head = `${u8(bytes, offset)}.${u8(bytes, offset + 1)}`;
  return `${head}.${u8(bytes, offset + 2)}.${u8(bytes, offset + 3)}`;
}

/** RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups becomes `::`. */
function formatIpv6(bytes: Uint8Array): string {
  let runStart = 0;
  let runLength = 0;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && u16(bytes, end * 2) === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
  }
  if (runLength < 2) return hexGroups(bytes, 0, 8);
  return `${hexGroups(bytes, 0, runStart)}::${hexGroups(bytes, runStart + runLength, 8)}`;
}

function hexGroups(bytes: Uint8Array, start: number, end: number): string {
  const groups: string[] = [];
  for (let group = start; group < end; group++) groups.push(u16(bytes, group * 2).toString(16));
  return groups.join(":");
}

/** Stores `address` as sockaddr_in or sockaddr_in6 at `offset`; returns its length, 16 or 28 bytes. */
export function encodeSockaddr(into: Uint8Array, offset: number, address: SocketAddress): number {
  const isV6 = address.family === 6;
  const length = isV6 ? SockaddrIn6.size : SockaddrIn.size;
  into.fill(0, offset, offset + length);
  // sa_family_t is 16 bits in host order, which is little-endian on both machines.
  into[offset + SockaddrIn.family] = isV6 ? AF_INET6 : AF_INET;
  setU16(into, offset + SockaddrIn.port, address.port);
  into.set(address.bytes, offset + (isV6 ? SockaddrIn6.address : SockaddrIn.address));
  if (isV6) {
    const scope = offset + SockaddrIn6.scopeId;
    for (let index = 0; index < 4; index++) into[scope + index] = address.scopeId >>> (8 * index);
  }
  return length;
}

/** Reads the sockaddr at `offset`; undefined if it is of neither internet family. The bytes are a copy. */
export function decodeSockaddr(from: Uint8Array, offset: number): SocketAddress | undefined {
  const family = u8(from, offset + SockaddrIn.family);
  const port = u16(from, offset + SockaddrIn.port);
  if (family === AF_INET) {
    const start = offset + SockaddrIn.address;
    return { family: 4, bytes: from.slice(start, start + 4), port, scopeId: 0 };
  }
  if (family !== AF_INET6) return undefined;
  const start = offset + SockaddrIn6.address;
  const scope = offset + SockaddrIn6.scopeId;
  // Multiplied, not shifted: `<< 24` would make a large index negative.
  const scopeId =
    u8(from, scope) +
    u8(from, scope + 1) * 0x100 +
    u8(from, scope + 2) * 0x1_0000 +
    u8(from, scope + 3) * 0x100_0000;
  return { family: 6, bytes: from.slice(start, start + 16), port, scopeId };
}

/**
 * Whether two sockaddrs have the same IP address and scope; their ports may differ. Each is in `NAME_BYTES` bytes, zeroed
 * behind its end. Allocates nothing.
 */
export function isSameHost(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): boolean {
  if (u8(a, aStart + SockaddrIn.family) !== u8(b, bStart + SockaddrIn.family)) return false;
  const isV6 = u8(a, aStart + SockaddrIn.family) === AF_INET6;
  const start = isV6 ? SockaddrIn6.address : SockaddrIn.address;
  const end = isV6 ? SockaddrIn6.size : start + IPV4_BYTES;
  for (let index = start; index < end; index++) {
    if (u8(a, aStart + index) !== u8(b, bStart + index)) return false;
  }
  return true;
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** Of a v4-mapped address, the bytes before the IPv4 one (RFC 4291 §2.5.5.2). */
const MAPPED_BYTES = 12;

/**
 * Copies the IP address of the sockaddr at `offset` into the 16 bytes of `into`. Returns its length: 4, of a v4-mapped one too, or 16;
 * 0 of neither family.
 */
export function copyHost(from: Uint8Array, offset: number, into: Uint8Array): number {
  const family = u8(from, offset + SockaddrIn.family);
  if (family !== AF_INET && family !== AF_INET6) return 0;
  const isV6 = family === AF_INET6;
  const start = offset + (isV6 ? SockaddrIn6.address : SockaddrIn.address);
  const isShort = !isV6 || isMappedAt(from, start);
  const first = isV6 && isShort ? start + MAPPED_BYTES : start;
  const length = isShort ? IPV4_BYTES : IPV6_BYTES;
  for (let index = 0; index < length; index++) into[index] = u8(from, first + index);
  return length;
}

/** The UDP port of the sockaddr at `offset`. */
export function portAt(from: Uint8Array, offset: number): number {
  return u16(from, offset + SockaddrIn.port);
}

/** The index of an interface given by name or by number; 0 if there is none (a name is looked up, a number believed). */
function scopeIdOf(scope: string): number {
  return /^[0-9]{1,9}$/.test(scope) ? Number(scope) : interfaceIndex(scope);
}

/** The index of the interface called `name`; 0 if there is none. Source: if_nametoindex(3). */
export function interfaceIndex(name: string): number {
  return writeText(name) < 0 ? 0 : libc.if_nametoindex(scratchAddress(TEXT));
}

/** The name of interface `index`, or its number where it has gone. */
function scopeName(index: number): string {
  return interfaceName(index) ?? String(index);
}

/** The name of interface `index`; undefined where there is none. Source: if_indextoname(3). */
export function interfaceName(index: number): string | undefined {
  const found = libc.if_indextoname(index, scratchAddress(STRUCT));
  return found === 0 ? undefined : readText(STRUCT);
}
