// The text of --help (cli layer): good enough to be the manual. Flags, commands and exit codes
// come from their tables, so that none can be missing.

import { adminCommands } from "./admin-flags.ts";
import { benchCommands } from "./bench-flags.ts";
import { clientCommands } from "./client-flags.ts";
import { ExitCode } from "./exit.ts";
import { commands, flags } from "./flags.ts";

/** The whole text, without the last newline. */
export function helpText(version: string): string {
  return [
    `snow-owl-tftp ${version}: a TFTP server for network boot, and a client`,
    "",
    "usage:",
    "  snow-owl-tftp [serve|check|probe] [-c FILE] [flags]",
    "  snow-owl-tftp check [-c FILE] --explain --client IP [--mac MAC] [--listener NAME] [--interface NAME] [--local IP]",
    '                [--mode octet|netascii] [--options "NAME=VALUE …"] [--write] NAME',
    "  snow-owl-tftp import tftpd-hpa|dnsmasq|atftpd FILE [--map-file FILE] [--pcre FILE]",
    "  snow-owl-tftp top|status|transfers|clients|kill|reload|drain [-c FILE] [--socket PATH] [--json]",
    "  snow-owl-tftp get URL|HOST:NAME… [-o PATH]     (get --help lists its flags)",
    "  snow-owl-tftp put FILE… URL|HOST:[NAME]",
    "  snow-owl-tftp bench URL|HOST:NAME… [flags]     (bench --help lists them)",
    "",
    "commands:",
    ...table([
      ...Object.entries(commands),
      ...Object.entries(adminCommands),
      ...Object.entries(clientCommands),
      ...Object.entries(benchCommands),
    ]),
    "",
    "flags (they override the file):",
    ...table(Object.entries(flags).map(([name, flag]) => [flagText(name, flag), flag.description])),
    "",
    "first steps:",
    "  snow-owl-tftp --root-dir . --bind [::]:6969      serve this folder on a port that needs no root",
    "  snow-owl-tftp --init-config --config tftp.toml   write a file with every key explained",
    "  snow-owl-tftp check -c tftp.toml                 see what it means before it serves",
    "",
    "ports below 1024 need root, or: setcap cap_net_bind_service=+ep snow-owl-tftp",
    "",
    "signals:",
    "  SIGHUP            read the configuration again and open the log's files again; transfers go on as",
    "                    they were granted, and a bad configuration changes nothing",
    "  SIGUSR2           start what stands in the executable's place now, leave all requests to it when it",
    "                    is ready, let running transfers end, exit; if it does not start, nothing changes",
    "  SIGTERM, SIGINT   take no new requests, let running transfers end for [transfer] drain_secs, exit",
    "                    with 0; a second signal ends at once",
    "",
    "log:",
    "  one line per transfer on standard output, or in [logging] file; format text, or json: one",
    "  audit event per line. level warn shows refusals and failures alone. [logging] audit_file",
    "  gets every audit event besides.",
    "",
    "exit codes:",
    ...table([
      [String(ExitCode.ok), "ended as asked"],
      [String(ExitCode.configuration), "the configuration is wrong"],
      [String(ExitCode.usage), "the command line is wrong"],
      [String(ExitCode.internal), "workers died again and again: a bug"],
      [
        String(ExitCode.system),
        "the system refused: port in use, missing privilege, unreadable folder",
      ],
    ]),
  ].join("\n");
}

interface FlagShape {
  readonly type: string;
  readonly alias?: string;
  readonly valueHint?: string;
}

export function flagText(name: string, flag: FlagShape): string {
  const short = flag.alias === undefined ? "    " : `-${flag.alias}, `;
  return `${short}--${name}${flag.valueHint === undefined ? "" : ` ${flag.valueHint}`}`;
}

/** Rows of two columns; the second starts behind the longest of the first. */
export function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
