// From dnsmasq (cli layer): the lines of dnsmasq.conf that concern TFTP, as a configuration of this server. What dnsmasq does
// besides, DNS and DHCP, stays with dnsmasq; of `dhcp-host` lines, hosts are made.

import { parseAddress } from "#policy/address.ts";
import { parseMac } from "#policy/hosts.ts";

import { ImportDocument, type Keys } from "./import-document.ts";

/** A line of the file: `key` or `key=value`. */
interface Line {
  readonly key: string;
  readonly value: string;
  /** As it stands in the file, with its number. */
  readonly written: string;
}

/** What the lines come to, as far as they depend on each other. */
interface Findings {
  isEnabled: boolean;
  root: string;
  uniqueRoot: "ip" | "mac" | undefined;
  readonly rootsByInterface: (readonly [interfaceName: string, directory: string])[];
  readonly tftpInterfaces: string[];
  readonly interfaces: string[];
  readonly excepted: string[];
  readonly addresses: string[];
  isLowercase: boolean;
  mtu: number;
  passedOver: number;
}

/** Translates `text`, the contents of `file`. */
export function importDnsmasq(text: string, file: string): string {
  const document = new ImportDocument(`From ${file} of dnsmasq.`);
  const found: Findings = {
    isEnabled: false,
    root: "",
    uniqueRoot: undefined,
    rootsByInterface: [],
    tftpInterfaces: [],
    interfaces: [],
    excepted: [],
    addresses: [],
    isLowercase: false,
    mtu: 0,
    passedOver: 0,
  };
  const hosts: (readonly [Keys, string])[] = [];
  for (const line of text.split("\n").flatMap(readLine)) {
    if (line.key === "dhcp-host") hosts.push(...hostOf(line));
    else importLine(document, line, found);
  }
  if (!found.isEnabled) {
    document.remark(
      "approximated",
      "there is no enable-tftp: dnsmasq did not serve TFTP with this file",
    );
  }
  if (found.passedOver > 0) {
    document.remark(
      "no need",
      `${found.passedOver} lines on DNS, DHCP and other things concern no TFTP server`,
    );
  }
  importRoots(document, found);
  importAddresses(document, found);
  importRules(document, found);
  for (const [keys, written] of hosts) document.add("host", keys, "translated", written);
  return document.text();
}

function importLine(document: ImportDocument, line: Line, found: Findings): void {
  const { key, value, written } = line;
  const list = value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  switch (key) {
    case "enable-tftp":
      found.isEnabled = true;
      found.tftpInterfaces.push(...list);
      return;
    case "tftp-root": {
      const [directory = "", interfaceName] = list;
      if (interfaceName === undefined) found.root = directory;
      else found.rootsByInterface.push([interfaceName, directory]);
      return;
    }
    case "tftp-unique-root":
      found.uniqueRoot = value === "mac" ? "mac" : "ip";
      return;
    case "tftp-lowercase":
      found.isLowercase = true;
      return;
    case "tftp-mtu":
      found.mtu = Number(value);
      return;
    case "interface":
      found.interfaces.push(...list);
      return;
    case "except-interface":
      found.excepted.push(...list);
      return;
    case "listen-address":
      found.addresses.push(...list);
      return;
    case "tftp-max":
      document.limitTransfers(value, 50, written);
      return;
    case "tftp-no-blocksize":
      document.set("transfer.refuse_options", ["blksize"], "translated", written);
      return;
    case "tftp-port-range":
      document.set("transfer.port_range", list.join("-"), "translated", written);
      return;
    case "tftp-single-port":
      document.set("transfer.single_port", true, "translated", written);
      return;
    default:
      remarkOn(document, line, found);
  }
}

/** Lines that become no key. */
function remarkOn(document: ImportDocument, { key, written }: Line, found: Findings): void {
  switch (key) {
    case "tftp-no-fail":
      document.remark(
        "impossible",
        `${written}: a root folder that is missing stops the start; --create-root-dir creates it`,
      );
      return;
    case "tftp-secure":
      document.remark(
        "impossible",
        `${written}: who owns a file is not asked; let the server's user read only what it may serve`,
      );
      return;
    case "quiet-tftp":
      document.remark(
        "approximated",
        `${written}: write level = "warn" in [logging] to see refusals and failures alone`,
      );
      return;
    case "conf-file":
    case "conf-dir":
    case "servers-file":
      document.remark("impossible", `${written}: import those files too, each by itself`);
      return;
    default:
      found.passedOver += 1;
  }
}

function importRoots(document: ImportDocument, { root, uniqueRoot }: Findings): void {
  if (root === "") {
    document.set(
      "root_dir",
      "/srv/tftp",
      "approximated",
      "there is no tftp-root for all interfaces; dnsmasq serves any absolute path then, this server one folder",
    );
  } else {
    document.set("root_dir", root, "translated", `tftp-root=${root}`);
  }
  if (uniqueRoot === undefined) return;
  document.set(
    "roots",
    uniqueRoots(uniqueRoot, ""),
    "approximated",
    `tftp-unique-root=${uniqueRoot}: ${uniqueRemark}`,
  );
}

const uniqueRemark =
  "dnsmasq looks in the common folder if the client's own does not exist, this server also if that has no such file";

/** The client's own folder in a root, then the root itself. */
function uniqueRoots(kind: "ip" | "mac" | undefined, root: string): readonly string[] {
  if (kind === undefined) return [root];
  const own = kind === "mac" ? "{mac_dash}" : "{ip}";
  return [root === "" ? own : `${root.replace(/\/$/, "")}/${own}`, root];
}

function importAddresses(document: ImportDocument, { addresses }: Findings): void {
  const [first, ...others] = addresses;
  const said = addresses.map((address) => `listen-address=${address}`).join(", ");
  if (first === undefined) {
    document.set(
      "bind_addr",
      "[::]:69",
      "translated",
      "dnsmasq answers on port 69 of every address, IPv4 and IPv6",
    );
  } else if (others.length === 0 && parseAddress(first) !== undefined) {
    document.set(
      "bind_addr",
      first.includes(":") ? `[${first}]:69` : `${first}:69`,
      "translated",
      said,
    );
  } else {
    document.set(
      "bind_addr",
      "[::]:69",
      "approximated",
      `${said}: this listens everywhere, and a rule below refuses the rest`,
    );
  }
}

function importRules(document: ImportDocument, found: Findings): void {
  const { addresses, mtu } = found;
  if (found.isLowercase) {
    document.add("rule", { rewrite: "{name:lower}" }, "translated", "tftp-lowercase");
  }
  if (mtu > 0) {
    // dnsmasq: an IPv4 or IPv6 header, 8 bytes of UDP and 4 of TFTP.
    document.add(
      "rule",
      { client: ["0.0.0.0/0"], max_block_size: Math.max(8, mtu - 32) },
      "translated",
      `tftp-mtu=${mtu}: less 32 bytes of headers over IPv4`,
    );
    document.add(
      "rule",
      { client: ["::/0"], max_block_size: Math.max(8, mtu - 52) },
      "translated",
      `tftp-mtu=${mtu}: less 52 bytes of headers over IPv6`,
    );
  }
  for (const [interfaceName, directory] of found.rootsByInterface) {
    const keys = { interface: [interfaceName], roots: uniqueRoots(found.uniqueRoot, directory) };
    document.add("rule", keys, "translated", `tftp-root=${directory},${interfaceName}`);
  }
  const excepted = found.excepted.map((name) => `except-interface=${name}`).join(", ");
  if (excepted !== "") {
    document.add(
      "rule",
      { interface: found.excepted, action: "deny" },
      "approximated",
      `${excepted}: clients are told ERROR 2, where dnsmasq is silent`,
    );
  }
  const interfaces = found.tftpInterfaces.length > 0 ? found.tftpInterfaces : found.interfaces;
  const isRestricted = interfaces.length > 0 || addresses.length > 1;
  if (!isRestricted) return;
  const remark = "requests by other ways are told ERROR 2, where dnsmasq is silent";
  document.set("access.default", "deny", "approximated", remark);
  if (interfaces.length > 0) {
    // dnsmasq adds the loopback interface to every list.
    const names = [...new Set([...interfaces, "lo"])];
    document.add(
      "rule",
      { interface: names, action: "allow" },
      "translated",
      `interfaces ${interfaces.join(", ")}, and lo as in dnsmasq`,
    );
  }
  if (addresses.length > 1) {
    document.add(
      "rule",
      { local: addresses, action: "allow" },
      "translated",
      `listen-address ${addresses.join(", ")}`,
    );
  }
}

/** A host of `dhcp-host=…`, if it says who the client is. */
function hostOf({ value, written }: Line): readonly (readonly [Keys, string])[] {
  const parts = value.split(",").map((part) => part.trim());
  const mac = parts.find(
    (part) => parseMac(part)?.length === FULL_MAC_LENGTH && part.includes(":"),
  );
  const ip = parts
    .map((part) => part.replace(/^\[(.*)\]$/, "$1"))
    .find((part) => parseAddress(part) !== undefined);
  const group = parts.find((part) => part.startsWith("set:"))?.slice("set:".length);
  const name = parts.find(
    (part) => /^[A-Za-z][\w.-]*$/.test(part) && !/^(?:ignore|infinite)$/.test(part) && part !== mac,
  );
  if (mac === undefined && ip === undefined) return [];
  return [[{ name: name ?? mac ?? ip ?? "", mac, ip, group }, written]];
}

/** `b8:27:eb:01:02:03`. */
const FULL_MAC_LENGTH = 17;

/** A line without its comment, which begins at the start or behind white space. Options may have the dashes of the command line. */
function readLine(line: string, index: number): readonly Line[] {
  const text = line.replace(/(?:^|\s)#.*$/, "").trim();
  if (text === "") return [];
  const equals = text.indexOf("=");
  const key = (equals < 0 ? text : text.slice(0, equals)).trim().replace(/^--/, "");
  const value =
    equals < 0
      ? ""
      : text
          .slice(equals + 1)
          .trim()
          .replace(/^"(.*)"$/, "$1");
  return [{ key, value, written: `line ${index + 1}: ${text}` }];
}
