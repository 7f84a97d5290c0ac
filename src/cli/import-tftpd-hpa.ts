// From tftpd-hpa (cli layer): Debian's /etc/default/tftpd-hpa, or a command line of in.tftpd, with its map file, as a
// configuration of this server. in.tftpd's manual page and its behaviour (5.2) say what each option means.

import { ImportDocument } from "./import-document.ts";
import { importMap } from "./import-map.ts";
import {
  type GivenOption,
  type ProgramOption,
  readAssignments,
  readOptions,
  splitWords,
} from "./import-words.ts";

/** Reads a file that another names; undefined if it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

const table: readonly ProgramOption[] = [
  { name: "ipv4", letter: "4", value: "none" },
  { name: "ipv6", letter: "6", value: "none" },
  { name: "listen", letter: "l", value: "none" },
  { name: "foreground", letter: "L", value: "none" },
  { name: "address", letter: "a", value: "required" },
  { name: "create", letter: "c", value: "none" },
  { name: "secure", letter: "s", value: "none" },
  { name: "user", letter: "u", value: "required" },
  { name: "umask", letter: "U", value: "required" },
  { name: "permissive", letter: "p", value: "none" },
  { name: "pidfile", letter: "P", value: "required" },
  { name: "timeout", letter: "t", value: "required" },
  { name: "retransmit", letter: "T", value: "required" },
  { name: "map-file", letter: "m", value: "required" },
  { name: "mapfile", value: "required" },
  { name: "verbose", letter: "v", value: "none" },
  { name: "verbosity", value: "required" },
  { name: "refuse", letter: "r", value: "required" },
  { name: "blocksize", letter: "B", value: "required" },
  { name: "port-range", letter: "R", value: "required" },
  { name: "version", letter: "V", value: "none" },
];

/** What the options come to, as far as they depend on each other. */
interface Findings {
  family: "any" | "4" | "6";
  address: string;
  isSecure: boolean;
  mayCreate: boolean;
  mapFile: string | undefined;
  readonly refused: string[];
}

/** Translates `text`, the contents of `file`. `mapFile` replaces the map file that the options name. */
export function importTftpdHpa(
  text: string,
  file: string,
  mapFile: string | undefined,
  readFile: ReadFile,
): string {
  const document = new ImportDocument(`From ${file} of tftpd-hpa.`);
  const variables = readAssignments(text);
  const words = splitWords(variables.get("TFTP_OPTIONS") ?? variables.get("OPTIONS") ?? "");
  const { options, operands } = readOptions(words, table);
  const found: Findings = {
    family: "any",
    address: variables.get("TFTP_ADDRESS") ?? "",
    isSecure: false,
    mayCreate: false,
    mapFile,
    refused: [],
  };
  for (const option of options) importOption(document, option, found);
  const user = variables.get("TFTP_USERNAME");
  if (user !== undefined) document.remark("no need", `TFTP_USERNAME="${user}": ${userRemark}`);
  const directories = [...splitWords(variables.get("TFTP_DIRECTORY") ?? ""), ...operands];
  importAddress(document, found);
  importDirectories(document, directories);
  const hasPrefixes = !found.isSecure && directories.length > 0;
  importMapFile(document, found, hasPrefixes, readFile);
  if (hasPrefixes) importPrefixes(document, directories);
  importUploads(document, found.mayCreate);
  document.remark(
    "approximated",
    "names that begin with a dot are not served here, and in.tftpd serves them; names with `..` are refused; a backslash that the map leaves in a name is a slash",
  );
  return document.text();
}

const userRemark = "let the service manager start this server as that user (systemd: User=)";

function importOption(document: ImportDocument, option: GivenOption, found: Findings): void {
  const { name, value, written } = option;
  const number = Number(value);
  switch (name) {
    case "ipv4":
    case "ipv6":
      found.family = name === "ipv4" ? "4" : "6";
      return;
    case "address":
      found.address = value;
      return;
    case "create":
      found.mayCreate = true;
      return;
    case "secure":
      found.isSecure = true;
      document.remark("translated", `${written}: clients never leave the root folder here`);
      return;
    case "map-file":
    case "mapfile":
      found.mapFile ??= value;
      return;
    case "retransmit":
      document.set(
        "transfer.retransmit_timeout_ms",
        Math.min(60_000, Math.max(10, Math.round(number / 1000) || 1000)),
        "translated",
        `${written}; later timeouts follow the measured round trip`,
      );
      return;
    case "refuse":
      found.refused.push(value.toLowerCase());
      document.set("transfer.refuse_options", [...found.refused], "translated", written);
      return;
    case "blocksize":
      document.set(
        "transfer.max_block_size",
        Math.min(65_464, Math.max(8, number || 512)),
        "translated",
        written,
      );
      return;
    case "port-range":
      document.set("transfer.port_range", value.replace(":", "-"), "translated", written);
      return;
    case "umask":
      document.set(
        "uploads.file_mode",
        modeOf(value),
        "translated",
        `${written}: permissions of uploads`,
      );
      return;
    case "pidfile":
      document.set("process.pid_file", value, "translated", written);
      return;
    case undefined:
      document.remark("impossible", `${written}: in.tftpd has no such option`);
      return;
    default:
      document.remark(...remarkOn(name, written));
  }
}

/** Options that become no key. */
function remarkOn(
  name: string,
  written: string,
): ["no need" | "approximated" | "impossible", string] {
  switch (name) {
    case "user":
      return ["no need", `${written}: ${userRemark}`];
    case "permissive":
      return ["no need", `${written}: here too, what the server's user may read is served`];
    case "verbose":
    case "verbosity":
      return [
        "no need",
        `${written}: every transfer has its line in the log (logging.level = "info")`,
      ];
    case "timeout":
      return ["no need", `${written}: for inetd; this server stands alone`];
    default:
      return ["no need", `${written}: this server always listens, in the foreground`];
  }
}

/** `:69`, `192.0.2.1`, `192.0.2.1:69`, `[::]:69`. */
function importAddress(document: ImportDocument, { family, address }: Findings): void {
  const wildcard = family === "4" ? "0.0.0.0" : "[::]";
  const given = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(address);
  const host = given?.[1] ?? "";
  const port = given?.[2] ?? "";
  const said = address === "" ? "the port of the service tftp" : `address ${address}`;
  const isLiteral = host === "" || /^(?:\[[\dA-Fa-f:.]*\]|[\d.]+)$/.test(host);
  const isNumber = port === "" || /^\d+$/.test(port);
  if (!isLiteral || (!isNumber && port !== "tftp")) {
    document.set("bind_addr", `${wildcard}:69`, "impossible", `${said}: write it as numbers`);
    return;
  }
  const listen = `${host === "" ? wildcard : host}:${isNumber && port !== "" ? port : "69"}`;
  const isMixed = family === "6" && host === "";
  document.set(
    "bind_addr",
    listen,
    isMixed ? "approximated" : "translated",
    isMixed
      ? `${said} and --ipv6: this takes IPv4 as well, unless IPv6 sockets are IPv6 alone on this machine`
      : said,
  );
}

function importDirectories(document: ImportDocument, directories: readonly string[]): void {
  const [root = "/srv/tftp"] = directories;
  document.set(
    "root_dir",
    root,
    directories.length === 0 ? "approximated" : "translated",
    directories.length === 0 ? "no directory was named; this is Debian's" : `directory ${root}`,
  );
}

/** The label of the first rule on directories: where a map file ends early, it goes on there. */
const PREFIXES = "directories";

/** Without --secure, names are absolute, and must begin with one of the directories. */
function importPrefixes(document: ImportDocument, directories: readonly string[]): void {
  document.set("names.as_sent", true, "translated", "without --secure, names must be absolute");
  const [first = "", ...others] = directories;
  for (const [index, directory] of others.entries()) {
    const name = index === 0 ? PREFIXES : undefined;
    const ere = `^${escaped(directory)}/`;
    const keys = { name, ere, rewrite: "", roots: [directory], action: "stop" };
    document.add("rule", keys, "translated", `directory ${directory}`);
  }
  const name = others.length === 0 ? PREFIXES : undefined;
  const keys = { name, ere: `^${escaped(first)}/`, not: true, action: "deny" };
  const remark = `without --secure, other names than those in ${directories.join(", ")} are refused`;
  document.add("rule", keys, "translated", remark);
}

function importMapFile(
  document: ImportDocument,
  { mapFile }: Findings,
  hasPrefixes: boolean,
  readFile: ReadFile,
): void {
  if (mapFile === undefined) return;
  const text = readFile(mapFile);
  if (text === undefined) {
    const remark = `map file ${mapFile}: it cannot be read; name it with --map-file`;
    document.remark("impossible", remark);
    return;
  }
  const seen = `the rules of ${mapFile} see names as clients send them, to the last byte`;
  document.set("names.as_sent", true, "translated", seen);
  document.set("names.junk", "keep", "translated", seen);
  const count = importMap(document, text, mapFile, hasPrefixes ? PREFIXES : undefined);
  document.remark("translated", `map file ${mapFile}: ${count} rules, each below with its comment`);
}

function importUploads(document: ImportDocument, mayCreate: boolean): void {
  document.set("write_config.enabled", false, "approximated", uploadRemark(mayCreate));
}

function uploadRemark(mayCreate: boolean): string {
  const what = mayCreate
    ? "--create: clients may upload anything that the user may write"
    : "clients may overwrite files that everybody may write";
  return `${what}; to go on with that, write true, allow_overwrite = true and allowed_patterns = ["…"] with the names`;
}

/** The permissions that a umask leaves to a file. */
function modeOf(umask: string): string {
  const bits = 0o666 & ~Number.parseInt(umask, 8);
  return (Number.isNaN(bits) ? 0o644 : bits).toString(8).padStart(4, "0");
}

/** The text as an extended regular expression that matches itself. */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.[\]|()*+?{}]/g, "\\$&");
}
