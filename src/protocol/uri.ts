// Names of files on TFTP servers (protocol layer, pure): `tftp://host/path;mode=octet` (RFC 3617), and `host:path` as scp writes
// it. A path is bytes: what is escaped with % is sent unescaped, whatever it is.

import { mark } from "#base/mark.ts";

/** A TFTP server: a name or an IP literal with its interface (`fe80::1%eth0`), without brackets. */
export interface Server {
  readonly host: string;
  /** Undefined is the usual one, 69. */
  readonly port: number | undefined;
}

/** A file on a server. */
export interface Target extends Server {
  /** The name to ask for; empty, or with a slash at its end, for a folder that files are put into. */
  readonly name: Uint8Array;
  /** The mode that a URL says; undefined where it says none. */
  readonly mode: Mode | undefined;
}

/** RFC 1350 §4: 69 decimal. */
export const tftpPort = 69;

export type Mode = "octet" | "netascii";

/** Why a text names no file. */
export interface UriFault {
  readonly fault: string;
  readonly remedy: string;
}

const EXAMPLES =
  "write tftp://HOST[:PORT]/NAME, or HOST:NAME; IPv6 in brackets: [2001:db8::1]:NAME";

/** Reads a URL or `host:path`. */
export function parseTarget(text: string): Target | UriFault {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme === null) return parsePair(text);
  if (scheme[1]?.toLowerCase() !== "tftp") {
    return { fault: `${text} is no tftp:// URL`, remedy: EXAMPLES };
  }
  return parseUrl(text, text.slice(scheme[0].length));
}

/** Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`; an IPv6 literal alone needs no brackets. */
export function parseServer(text: string): Server | UriFault {
  const isBareIpv6 = text.split(":").length > 2 && !text.startsWith("[");
  const parts: Readonly<Record<string, string | undefined>> | undefined = isBareIpv6
    ? /^(?<host>[^[\]/]+)$/.exec(text)?.groups
    : /^(?:\[(?<six>[^[\]/]+)\]|(?<host>[^:[\]/]+))(?::(?<port>[0-9]{1,5}))?$/.exec(text)?.groups;
  const host = parts?.["host"] ?? parts?.["six"];
  const port = parts?.["port"] === undefined ? undefined : Number(parts["port"]);
  const isPort = port === undefined || (port >= 1 && port <= 65_535);
  if (host !== undefined && isPort && isHost(host)) {
    return { host: unescapedScope(host), port };
  }
  return {
    fault: `"${text}" is not a server`,
    remedy: "write HOST, HOST:PORT, or [IPV6]:PORT",
  };
}

/** The URL of a file, as logs and reports show it. */
export function formatTarget({ host, port, name, mode }: Target): string {
  // RFC 6874: the % before an interface is escaped in a URL.
  const escapedHost = host.replace("%", "%25");
  const place = host.includes(":") ? `[${escapedHost}]` : escapedHost;
  const at = port === undefined || port === tftpPort ? place : `${place}:${port}`;
  const path = Array.from(name, escaped).join("");
  return `tftp://${at}/${path}${mode === undefined ? "" : `;mode=${mode}`}`;
}

/** `authority/path;mode=…`, what stands behind `tftp://`. */
function parseUrl(text: string, rest: string): Target | UriFault {
  const slash = rest.indexOf("/");
  const server = parseServer(slash < 0 ? rest : rest.slice(0, slash));
  if ("fault" in server) return { fault: `${server.fault} (in ${text})`, remedy: EXAMPLES };
  const path = slash < 0 ? "" : rest.slice(slash + 1);
  const suffix = /;mode=([^;/]*)$/i.exec(path);
  const mode = suffix?.[1]?.toLowerCase();
  if (mode !== undefined && mode !== "octet" && mode !== "netascii") {
    return {
      fault: `${text} asks for the mode ${mode}`,
      remedy: "modes are ;mode=octet and ;mode=netascii",
    };
  }
  if (mode !== undefined) mark("uri-mode-kept");
  const name = unescaped(suffix === null ? path : path.slice(0, suffix.index));
  if (name === undefined || name.includes(0)) {
    return { fault: `${text} has a bad escape`, remedy: "write % itself as %25" };
  }
  return { ...server, name, mode };
}

/** `host:path`. Nothing in the path is escaped. */
function parsePair(text: string): Target | UriFault {
  const [, six, host, path] = /^(?:\[([^[\]/]+)\]|([^:[\]/]+)):(.*)$/s.exec(text) ?? [];
  const place = six ?? host;
  if (place === undefined || path === undefined || !isHost(place)) {
    return { fault: `"${text}" names no server`, remedy: EXAMPLES };
  }
  if (path.includes("\0"))
    return { fault: "the name holds a NUL", remedy: "no file has such a name" };
  return { host: place, port: undefined, name: encoder.encode(path), mode: undefined };
}

const encoder = new TextEncoder();

/** Whether it can be a host: a name or an address, and behind a % an interface. It stands in logs, so that nothing in it may break a line. */
function isHost(text: string): boolean {
  return /^[^\s\p{Cc}%]+(?:%[^\s\p{Cc}]+)?$/u.test(text);
}

/** RFC 6874 writes the % before an interface as %25; who types an address does not. */
function unescapedScope(host: string): string {
  return host.replace(/%25(?=.)/, "%");
}

/** The bytes that an escaped text stands for (RFC 3986 §2.1), or undefined where a % is followed by no two digits. */
function unescaped(text: string): Uint8Array | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const bytes: number[] = [];
  for (const part of text.split(/(%[0-9A-Fa-f]{2})/)) {
    if (!part.startsWith("%")) {
      bytes.push(...encoder.encode(part));
      continue;
    }
    mark("uri-escape-decoded");
    bytes.push(Number.parseInt(part.slice(1), 16));
  }
  return Uint8Array.from(bytes);
}

/** RFC 3986 §2.3's unreserved characters, and those that are common in names and mean nothing there, as they are. */
function escaped(byte: number): string {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9._~/:@!$&'()*+,=-]/.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
