// The text of `get --help` and `put --help` (cli layer): flags and exit codes from their tables, and examples that can be pasted.
// docs/client.md says more.

import { clientCommands, clientFlags } from "./client-flags.ts";
import { ExitCode } from "./exit.ts";
import { flagText, table } from "./help.ts";

/** The whole text, without the last newline. */
export function clientHelpText(): string {
  return [
    "snow-owl-tftp get and put: a TFTP client",
    "",
    "usage:",
    "  snow-owl-tftp get URL|HOST:NAME… [-o PATH] [flags]",
    "  snow-owl-tftp put FILE… URL|HOST:[NAME] [flags]",
    "  snow-owl-tftp get|put --server HOST[:PORT] NAME|FILE… [flags]",
    "",
    "commands:",
    ...table(Object.entries(clientCommands)),
    "",
    "files:",
    "  tftp://HOST[:PORT]/NAME[;mode=octet|netascii]    RFC 3617; %20 and the like are decoded",
    "  HOST:NAME                                        as scp has it; nothing is decoded",
    "  IPv6 stands in brackets, link-local with its interface: tftp://[fe80::1%eth0]/NAME",
    "",
    "flags:",
    ...table(
      Object.entries(clientFlags).map(([name, flag]) => [flagText(name, flag), flag.description]),
    ),
    "",
    "A file that is got has its name only when all of it is there; until then there is nothing, or what was",
    "there before, even if the client is killed.",
    "",
    "examples:",
    "  snow-owl-tftp get tftp://192.0.2.1/pxelinux.0",
    "  snow-owl-tftp get -s 192.0.2.1 vmlinuz initrd.img -o boot/",
    "  snow-owl-tftp put switch.cfg 192.0.2.1:backups/",
    "  snow-owl-tftp get 192.0.2.1:hello.txt -o - --trace",
    "",
    "exit codes (of several files, that of the first one that failed):",
    ...table([
      [String(ExitCode.ok), "every file is there"],
      [String(ExitCode.usage), "the command line is wrong"],
      [String(ExitCode.corrupt), "what came is not what was announced, or has another SHA-256"],
      [String(ExitCode.noInput), "there is no such file: on the server (get), or here (put)"],
      [String(ExitCode.noHost), "the host's name is not known"],
      [String(ExitCode.unavailable), "no answer, or the server went silent"],
      [String(ExitCode.system), "the system refused"],
      [String(ExitCode.cannotCreate), "the file cannot be written here"],
      [String(ExitCode.protocol), "the server broke the protocol"],
      [String(ExitCode.refused), "the server refused"],
      ["128+N", "ended by signal N; what was not complete is not there"],
    ]),
  ].join("\n");
}
