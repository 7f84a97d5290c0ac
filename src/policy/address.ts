// Addresses as bytes (policy layer, pure): IPv4 and IPv6 as byte strings of 4 and of 16 bytes, a v4-mapped IPv6 address as
// the IPv4 address that it stands for. So one client has one address, however its packets came in.

import { at } from "#base/bytes.ts";

import { type ByteString, byteString } from "./names.ts";

/** The bytes of an address in network order: 4 or 16 of them. */
export type Address = ByteString;

const MAPPED = "\0\0\0\0\0\0\0\0\0\0\u00ff\u00ff";

/** The address in `bytes`, 4 or 16 of them. */
export function addressOf(bytes: Uint8Array): Address {
  return unmapped(byteString(bytes));
}

/** Reads a literal, without brackets, port and scope: `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1`. */
export function parseAddress(text: string): Address | undefined {
  const bytes = parseBytes(text);
  return bytes === undefined ? undefined : unmapped(bytes);
}

/** {@link parseAddress}, but a v4-mapped address keeps its 16 bytes. */
export function parseBytes(text: string): Address | undefined {
  return text.includes(":") ? parseVersion6(text) : parseVersion4(text);
}

/** Whether all of the 12 bytes before the IPv4 address are those of a v4-mapped one (RFC 4291 §2.5.5.2). */
export function isMapped(address: Address): boolean {
  return address.length === 16 && address.startsWith(MAPPED);
}

function unmapped(address: Address): Address {
  return isMapped(address) ? address.slice(MAPPED.length) : address;
}

/** The address as people write it, IPv6 as RFC 5952 has it. */
export function formatAddress(address: Address): string {
  if (address.length === 4) return Array.from(address, (byte) => byte.charCodeAt(0)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => groupAt(address, 2 * index));
  const [start, length] = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  // RFC 5952 §4.2.2: a single group of zeros is not shortened.
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** The address in hexadecimal, upper case, without separators: 8 or 32 digits, as PXELINUX asks for its files. */
export function hexAddress(address: Address): string {
  return Array.from(address, (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase();
}

function parseVersion4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = "";
  for (const part of parts) {
    // A leading zero is octal to some and decimal to others: to nobody here.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address += String.fromCharCode(Number(part));
  }
  return address;
}

function parseVersion6(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [first = "", second = ""] = halves;
  const head = parseGroups(first);
  const tail = parseGroups(second);
  if (head === undefined || tail === undefined) return undefined;
  if (halves.length === 1) return head.length === 16 ? head : undefined;
  // `::` stands for at least one group.
  const zeros = 16 - head.length - tail.length;
  return zeros >= 2 ? head + "\0".repeat(zeros) + tail : undefined;
}

/** The bytes of groups between colons; the last may be an IPv4 address. */
function parseGroups(text: string): string | undefined {
  if (text === "") return "";
  let bytes = "";
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (group.includes(".") && index === groups.length - 1) {
      const last = parseVersion4(group);
      if (last === undefined) return undefined;
      bytes += last;
      continue;
    }
    if (!/^[\dA-Fa-f]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    bytes += String.fromCharCode(value >>> 8, value & 0xff);
  }
  return bytes;
}

function groupAt(address: Address, index: number): number {
  return (address.charCodeAt(index) << 8) | address.charCodeAt(index + 1);
}

/** Where the longest run of zeros begins and how long it is, the first of equals. */
function longestZeros(groups: readonly number[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start += 1) {
    let end = start;
    while (end < groups.length && at(groups, end) === 0) end += 1;
    if (end - start > best[1]) best = [start, end - start];
  }
  return best;
}
