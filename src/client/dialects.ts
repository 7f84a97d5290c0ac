// What real clients ask for (client layer): their options, from their sources and from captures. What differs between versions of
// one client is that of the usual one.

import type { Option } from "#protocol/packet.ts";

/** Options by name, in the order in which they are sent. */
type Asked = Readonly<Record<string, string>>;

export type DialectName =
  | "ipxe"
  | "edk2"
  | "grub"
  | "u-boot"
  | "pxelinux"
  | "raspberry-pi"
  | "atftp"
  | "tftp-hpa"
  | "curl"
  | "slof"
  | "windows";

export const dialectAsks: Readonly<Record<DialectName, Asked>> = {
  ipxe: { blksize: "1432", tsize: "0" },
  edk2: { blksize: "1468", windowsize: "4" },
  grub: { blksize: "1024", tsize: "0" },
  "u-boot": { timeout: "5", blksize: "1468" },
  pxelinux: { tsize: "0", blksize: "1408" },
  "raspberry-pi": { tsize: "0" },
  atftp: { blksize: "1428", windowsize: "16" },
  "tftp-hpa": {},
  curl: { tsize: "0", blksize: "512", timeout: "6" },
  slof: { blksize: "1428" },
  windows: { tsize: "0", blksize: "1456", windowsize: "4", msftwindow: "31416" },
};

export const dialectNames: readonly DialectName[] = Object.keys(dialectAsks) as DialectName[];

/** What a client asks for, with these values in place of its own; what it does not ask for comes behind. */
export function optionsOf(asked: Asked, instead: Asked): readonly Option[] {
  return Object.entries({ ...asked, ...instead }).map(([name, value]) => ({ name, value }));
}
