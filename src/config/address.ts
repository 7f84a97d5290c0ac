// Addresses and ports as configuration files write them (config layer): literals only, no name is looked
// up. Each parser returns the parts, or a sentence fragment that says what is wrong and what to write.

import { isIPv4, isIPv6 } from "node:net";

/** Where to listen. */
export interface ListenAddress {
  /** IPv4 or IPv6, without brackets and scope. */
  readonly address: string;
  /** 0–65,535. */
  readonly port: number;
  /** The interface's name or index for a link-local address. */
  readonly scope?: string;
}

/** Consecutive ports, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What is wrong with a text, and what to do about it. */
export interface Fault {
  readonly message: string;
  readonly remedy: string;
}

/** Whether a parser's answer is a fault. */
export function isFault(answer: object): answer is Fault {
  return "remedy" in answer;
}

/** Parses `192.0.2.1:69`, `[::]:69` or `[fe80::1%eth0]:69`; the scope is a name or an index. */
export function parseListenAddress(text: string): ListenAddress | Fault {
  if (isIPv4(text)) return { message: "has no port", remedy: `write "${text}:69".` };
  if (isIPv6(text))
    return { message: "has no brackets around the IPv6 address", remedy: bracketed(text) };
  const match = /^(?:\[(?<v6>[^\]%]*)(?:%(?<scope>[^\]]+))?\]|(?<v4>[^:]*)):(?<port>.*)$/u.exec(
    text,
  );
  const { v6, scope, v4, port: digits = "" } = match?.groups ?? {};
  if (v4 === "") return { message: "has no address", remedy: `write "[::]:${digits}" for all.` };
  if (!(v6 !== undefined && isIPv6(v6)) && !(v4 !== undefined && isIPv4(v4))) {
    const remedy =
      'write a literal such as "[::]:69" or "192.0.2.1:69"; host names are not looked up.';
    return { message: "is not an IP address and a port", remedy };
  }
  const port = parsePort(digits);
  if (port === undefined) {
    return { message: `has the port "${digits}"`, remedy: "a port is a number from 1 to 65535." };
  }
  const address = v6 ?? v4 ?? "";
  return scope === undefined ? { address, port } : { address, port, scope };
}

/** `[::]:69`, or with a scope `[fe80::1%eth0]:69`. */
export function formatListen({ address, port, scope }: ListenAddress): string {
  if (!address.includes(":")) return `${address}:${port}`;
  return `[${address}${scope === undefined ? "" : `%${scope}`}]:${port}`;
}

/** The remedy for a bare IPv6 address, whose last group may have been meant as the port. */
function bracketed(text: string): string {
  const colon = text.lastIndexOf(":");
  const head = text.slice(0, colon);
  const port = parsePort(text.slice(colon + 1));
  const all = `write "[${text}]:69"`;
  return port === undefined || !isIPv6(head) ? `${all}.` : `${all}, or "[${head}]:${port}".`;
}

/** Parses `40000-40099`, or one port; the empty text is no range. */
export function parsePortRange(text: string): PortRange | undefined | Fault {
  if (text === "") return undefined;
  const [from = "", to = from, ...rest] = text.split("-");
  const first = parsePort(from.trim());
  const last = parsePort(to.trim());
  const remedy = 'write the first and the last port, such as "40000-40099".';
  if (first === undefined || last === undefined || first === 0 || rest.length > 0) {
    return { message: "is not a range of ports", remedy };
  }
  if (last < first) return { message: "ends before it begins", remedy };
  return { first, last };
}

/** 4 or 6, or undefined for what is no IP address. */
export function ipVersion(text: string): 4 | 6 | undefined {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : undefined;
}

/** A decimal port number, 0–65,535. */
function parsePort(digits: string): number | undefined {
  const port = /^\d{1,5}$/u.test(digits) ? Number(digits) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}
