// From atftpd (cli layer): Debian's /etc/default/atftpd, with its file of Perl-compatible expressions, as a configuration of
// this server. atftpd's manual page (0.8) says what each option means, its source what is replaced.

import { compileRegex } from "#policy/regex.ts";
import { escapeText } from "#policy/text.ts";

import { ImportDocument } from "./import-document.ts";
import type { ReadFile } from "./import-tftpd-hpa.ts";
import {
  type GivenOption,
  type ProgramOption,
  readAssignments,
  readOptions,
  splitWords,
} from "./import-words.ts";

const table: readonly ProgramOption[] = [
  { name: "tftpd-timeout", letter: "t", value: "required" },
  { name: "retry-timeout", letter: "r", value: "required" },
  { name: "maxthread", letter: "m", value: "required" },
  { name: "verbose", letter: "v", value: "optional" },
  { name: "trace", value: "none" },
  { name: "no-timeout", value: "none" },
  { name: "no-tsize", value: "none" },
  { name: "no-blksize", value: "none" },
  { name: "no-windowsize", value: "none" },
  { name: "no-multicast", value: "none" },
  { name: "logfile", value: "required" },
  { name: "pidfile", value: "required" },
  { name: "daemon", value: "none" },
  { name: "no-fork", value: "none" },
  { name: "user", value: "required" },
  { name: "group", value: "required" },
  { name: "port", value: "required" },
  { name: "bind-address", value: "required" },
  { name: "mcast-ttl", value: "required" },
  { name: "mcast-addr", value: "required" },
  { name: "mcast-port", value: "required" },
  { name: "mcast-switch-client", value: "none" },
  { name: "pcre", value: "required" },
  { name: "pcre-test", value: "required" },
  { name: "mtftp", value: "required" },
  { name: "mtftp-port", value: "required" },
  { name: "no-source-port-checking", value: "none" },
  { name: "prevent-sas", value: "none" },
  { name: "version", letter: "V", value: "none" },
  { name: "help", letter: "h", value: "none" },
];

/** What the options come to, as far as they depend on each other. */
interface Findings {
  address: string;
  port: string;
  pcreFile: string | undefined;
  readonly refused: string[];
}

/** Translates `text`, the contents of `file`. `pcreFile` replaces the file of expressions that the options name. */
export function importAtftpd(
  text: string,
  file: string,
  pcreFile: string | undefined,
  readFile: ReadFile,
): string {
  const document = new ImportDocument(`From ${file} of atftpd.`);
  const words = splitWords(readAssignments(text).get("OPTIONS") ?? "");
  const { options, operands } = readOptions(words, table);
  const found: Findings = { address: "", port: "69", pcreFile, refused: [] };
  for (const option of options) importOption(document, option, found);
  const [root] = operands;
  if (root === undefined) {
    document.set(
      "root_dir",
      "/tftpboot",
      "translated",
      "no directory was named; this is atftpd's own",
    );
  } else {
    document.set("root_dir", root, "translated", `directory ${root}`);
  }
  const host = found.address === "" ? "0.0.0.0" : found.address;
  const said = `--port ${found.port} and ${found.address === "" ? "every IPv4 address" : `--bind-address ${host}`}`;
  const listen = host.includes(":") ? `[${host}]:${found.port}` : `${host}:${found.port}`;
  document.set("bind_addr", listen, "translated", said);
  if (found.pcreFile !== undefined) importExpressions(document, found.pcreFile, readFile);
  document.set(
    "write_config.enabled",
    false,
    "approximated",
    'atftpd lets clients upload where its user may write; to go on with that, write true and allowed_patterns = ["…"] with the names',
  );
  return document.text();
}

function importOption(document: ImportDocument, option: GivenOption, found: Findings): void {
  const { name, value, written } = option;
  switch (name) {
    case "retry-timeout":
      document.set(
        "transfer.retransmit_timeout_ms",
        milliseconds(value),
        "translated",
        `${written}; later timeouts follow the measured round trip`,
      );
      return;
    case "maxthread":
      document.limitTransfers(value, 100, written);
      return;
    case "no-timeout":
    case "no-tsize":
    case "no-blksize":
    case "no-windowsize":
      found.refused.push(name.slice("no-".length));
      document.set(
        "transfer.refuse_options",
        [...found.refused],
        "translated",
        found.refused.map((each) => `--no-${each}`).join(" "),
      );
      return;
    case "logfile":
      document.set(
        "logging.file",
        value === "-" || value.startsWith("/dev/std") ? "" : value,
        "translated",
        written,
      );
      return;
    case "verbose":
      document.set("logging.level", levelOf(value), "approximated", written);
      return;
    case "port":
      found.port = /^\d+$/.test(value) ? value : "69";
      return;
    case "bind-address":
      found.address = value;
      return;
    case "pcre":
      found.pcreFile ??= value;
      return;
    case "pidfile":
      document.set("process.pid_file", value, "translated", written);
      return;
    case undefined:
      document.remark("impossible", `${written}: atftpd has no such option`);
      return;
    default:
      document.remark(...remarkOn(name, written));
  }
}

/** Options that become no key. */
function remarkOn(name: string, written: string): ["no need" | "impossible", string] {
  if (name.startsWith("mcast-")) return ["impossible", `${written}: multicast is not served yet`];
  if (name.startsWith("mtftp"))
    return ["impossible", `${written}: the multicast TFTP of PXE is not served`];
  switch (name) {
    case "no-multicast":
      return ["no need", `${written}: multicast is off`];
    case "prevent-sas":
      return ["no need", `${written}: a repeated acknowledgement is never answered here`];
    case "no-source-port-checking":
      return [
        "impossible",
        `${written}: packets from another port are another client's; see transfer.single_port for NAT`,
      ];
    case "trace":
      return ["impossible", `${written}: packets are not logged; use tcpdump`];
    case "user":
    case "group":
      return [
        "no need",
        `${written}: let the service manager start this server as that user (systemd: User=, Group=)`,
      ];
    default:
      return ["no need", `${written}: this server always listens, in the foreground`];
  }
}

/**
 * A file of expressions: those of one line after another until one matches, and only for a read whose own name is missing.
 * That is what `fallback` does.
 */
function importExpressions(document: ImportDocument, file: string, readFile: ReadFile): void {
  const text = readFile(file);
  if (text === undefined) {
    document.remark("impossible", `--pcre ${file}: it cannot be read; name it with --pcre`);
    return;
  }
  document.set(
    "names.as_sent",
    true,
    "translated",
    `the expressions of ${file} see names as clients send them`,
  );
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const at = `${file}:${index + 1}: ${line.trim()}`;
    const [, regex = "", replacement = ""] = /^(\S+)\s+(\S+)\s*$/.exec(line) ?? [];
    if (regex === "") {
      document.remarkInList(
        "impossible",
        `${at}: a line is a pattern, white space and a replacement`,
      );
      continue;
    }
    const compiled = compileRegex(regex, "perl");
    if ("message" in compiled) {
      document.remarkInList(
        "impossible",
        `${at}: the pattern ${compiled.message}; ${compiled.remedy}`,
      );
      continue;
    }
    const fallback = fallbackOf(replacement, compiled.captures);
    const keys = { request: "read", regex, fallback, action: "stop" };
    document.add("rule", keys, "translated", at);
  }
}

/** A replacement in our words: `$1` and `${1}` are `{1}`, `$$` is `$`. */
function fallbackOf(replacement: string, captures: number): string {
  let text = "";
  for (const [all, bare, braced] of replacement.matchAll(/\$(?:(\d)|\{(\d)\}|\$)|[^$]+|\$/g)) {
    const number = bare ?? braced;
    if (number === undefined) text += all === "$$" ? "$" : escapeText(all);
    else if (Number(number) <= captures) text += `${text.endsWith("$") ? "$" : ""}{${number}}`;
  }
  return text;
}

function milliseconds(seconds: string): number {
  return Math.min(60_000, Math.max(10, (Number(seconds) || 5) * 1000));
}

/** syslog(3)'s numbers, of which atftpd's usual one is 5; without a number it is one more. */
function levelOf(value: string): string {
  const number = value === "" ? 6 : Number(value);
  if (number <= 3) return "error";
  if (number === 4) return "warn";
  return number >= 7 ? "debug" : "info";
}
