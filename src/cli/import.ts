// The command `import` (cli layer): reads another server's configuration and prints one of this server's, with a comment for
// each thing that was translated, approximated or impossible. It writes no file and asks no running server.

import { readFileSync } from "node:fs";

import { nearest } from "#config/nearest.ts";

import { complain, ExitCode, failureText, show } from "./exit.ts";
import { importAtftpd } from "./import-atftpd.ts";
import { importDnsmasq } from "./import-dnsmasq.ts";
import { importTftpdHpa } from "./import-tftpd-hpa.ts";

/** The flags that matter to an import, as typed. */
export interface ImportFlags {
  readonly "map-file": string | undefined;
  readonly pcre: string | undefined;
}

/** The servers whose configurations can be read. */
const servers = ["tftpd-hpa", "dnsmasq", "atftpd"] as const;

/** Translates the file `operands[1]` of the server `operands[0]`. Returns the exit code. */
export function importCommand(operands: readonly string[], flags: ImportFlags): number {
  const [name = "", file] = operands;
  const server = servers.find((each) => each === name);
  if (server === undefined || file === undefined) {
    complain(usageText(name, server));
    return ExitCode.usage;
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    complain(failureText(`cannot read ${file}: ${code}`, `check the path: ls -l ${file}`));
    return ExitCode.configuration;
  }
  show(translated(server, text, file, flags));
  return ExitCode.ok;
}

function translated(
  server: (typeof servers)[number],
  text: string,
  file: string,
  flags: ImportFlags,
): string {
  switch (server) {
    case "tftpd-hpa":
      return importTftpdHpa(text, file, flags["map-file"], readNamed);
    case "dnsmasq":
      return importDnsmasq(text, file);
    case "atftpd":
      return importAtftpd(text, file, flags.pcre, readNamed);
  }
  return server satisfies never;
}

function usageText(name: string, server: string | undefined): string {
  if (server !== undefined) {
    const example = name === "dnsmasq" ? "/etc/dnsmasq.conf" : `/etc/default/${name}`;
    return failureText("import needs a file", `write: snow-owl-tftp import ${name} ${example}`);
  }
  const near = nearest(name, servers);
  const remedy = near === undefined ? `servers are ${servers.join(", ")}` : `did you mean ${near}?`;
  const fault = name === "" ? "import needs a server and a file" : `cannot import from ${name}`;
  return failureText(fault, remedy);
}

/** A file that the first one names; undefined if it cannot be read, which the translation says. */
function readNamed(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
