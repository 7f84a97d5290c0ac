// The text of `bench --help` (cli layer): flags and exit codes from their tables, and examples that can be pasted.
// docs/bench.md says more.

import { benchFlags } from "./bench-flags.ts";
import { ExitCode } from "./exit.ts";
import { flagText, table } from "./help.ts";

/** The whole text, without the last newline. */
export function benchHelpText(): string {
  return [
    "snow-owl-tftp bench: many TFTP clients at once, and what they saw",
    "",
    "usage:",
    "  snow-owl-tftp bench URL|HOST:NAME… [flags]",
    "  snow-owl-tftp bench --server HOST[:PORT] NAME… [flags]",
    "",
    "names:",
    "  tftp://HOST[:PORT]/NAME, or HOST:NAME; {n} in a name is the number of the transfer, from 0 on",
    "  LABEL=NAME gives a label for --mix",
    "",
    "flags:",
    ...table(
      Object.entries(benchFlags).map(([name, flag]) => [flagText(name, flag), flag.description]),
    ),
    "",
    "examples:",
    "  snow-owl-tftp bench tftp://192.0.2.1/pxelinux.0 --clients 200",
    "  snow-owl-tftp bench -s 192.0.2.1 small=pxelinux.0 large=initrd.img --mix small:80,large:20 --rate 50 -d 60s",
    "  snow-owl-tftp bench 192.0.2.1:vmlinuz --dialect ipxe,edk2 --loss 1 --delay 5 --report storm.html",
    "  snow-owl-tftp bench --put '192.0.2.1:upload/{n}.cfg' --size 64k --json",
    "",
    "Only load servers and networks whose owners agree. SIGINT ends a run with the report of what was done.",
    "",
    "exit codes (of several failures, the most frequent one says it):",
    ...table([
      [String(ExitCode.ok), "every transfer was complete, or vanished as it was told to"],
      [String(ExitCode.usage), "the command line is wrong"],
      [String(ExitCode.corrupt), "what came had another length or SHA-256"],
      [String(ExitCode.noInput), "the server has no such file"],
      [String(ExitCode.noHost), "the host's name is not known"],
      [String(ExitCode.unavailable), "no answer, or the server went silent"],
      [String(ExitCode.system), "the system refused: too few descriptors, no socket"],
      [String(ExitCode.cannotCreate), "the report cannot be written"],
      [String(ExitCode.protocol), "the server broke the protocol"],
      [String(ExitCode.refused), "the server refused"],
      ["128+N", "ended by signal N"],
    ]),
  ].join("\n");
}
