// RFC 2090's option between client and server (protocol layer, pure): what a server says of its multicast, `addr,port,mc`, and
// which files can come by one. Whether the address is one, and can be joined, is for others to say.

import { mark } from "#base/mark.ts";

import type { Option } from "./packet.ts";

/** What a client asks for: the option with an empty value. */
export const multicastOption: Option = { name: "multicast", value: "" };

/** What a server says of a multicast. */
export interface GroupOffer {
  /** The group's IP address as the server writes it; empty where it was told before. */
  readonly address: string;
  /** The UDP port that DATA goes to; 0 where it was told before. */
  readonly port: number;
  /** Whether this client is the master, who alone acknowledges. */
  readonly isMaster: boolean;
}

/** Reads the option's value in an OACK; undefined where it is none. */
export function parseGroup(value: string): GroupOffer | undefined {
  const parts = /^(?<address>[^,]*),(?<port>[0-9]{0,5}),(?<mc>[01])$/.exec(value)?.groups;
  const port = Number(parts?.["port"] ?? "");
  if (parts === undefined || port > PORT_MAX) return undefined;
  return { address: parts["address"] ?? "", port, isMaster: parts["mc"] === "1" };
}

const PORT_MAX = 65_535;

/**
 * The last block of a file of `fileBytes` bytes; undefined where no multicast can bring it. Blocks come in any order and are told
 * apart by their numbers alone, so that a number must not come twice; and how many there are must be known from the beginning.
 */
export function lastGroupBlock(
  fileBytes: number | undefined,
  blockBytes: number,
): number | undefined {
  const lastBlock = fileBytes === undefined ? Infinity : Math.floor(fileBytes / blockBytes) + 1;
  if (lastBlock <= BLOCK_MAX) return lastBlock;
  mark("group-left-for-its-length");
  return undefined;
}

/** The largest number of 16 bits. RFC 2090 knows nothing behind it. */
const BLOCK_MAX = 65_535;
