// From the words of get and put to files (cli layer): which file on which server is which file here. Looks at this machine's
// folders, and asks no host.

import { existsSync, openSync, realpathSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import { printable } from "#base/printable.ts";
import { formatTarget, parseTarget, type Server, type Target } from "#protocol/uri.ts";
import type { Destination } from "#storage/sink.ts";

import type { ClientInvocation } from "./client-flags.ts";
import { errorCode } from "./exit.ts";
import type { UsageFault } from "./words.ts";

/** One file to get or to put. */
export interface Wanted {
  readonly target: Target;
  /** The URL, for reports. */
  readonly url: string;
  /** The file here as its user knows it; `-` is standard output. */
  readonly path: string;
  /** Where a get goes; undefined for a put. */
  readonly destination: Destination | undefined;
}

/** The longest name: RFC 2347 has a request be 512 bytes at the most, and options need their share. */
const NAME_BYTES_MAX = 400;
/** Files of one run. A guess: beyond what a command line holds. */
const FILES_MAX = 100_000;

/** What `invocation` wants, file by file. */
export function wantedFiles(invocation: ClientInvocation): readonly Wanted[] | UsageFault {
  const wanted = invocation.command === "get" ? wantedGets(invocation) : wantedPuts(invocation);
  if ("fault" in wanted) return wanted;
  if (wanted.length === 0) return nothingWanted(invocation);
  if (wanted.length > FILES_MAX) {
    return { fault: `${wanted.length} files`, remedy: `at most ${FILES_MAX} at a time` };
  }
  const long = wanted.find(({ target }) => target.name.length > NAME_BYTES_MAX);
  if (long !== undefined) {
    return {
      fault: `${long.url} is too long`,
      remedy: `a name has ${NAME_BYTES_MAX} bytes at most`,
    };
  }
  return invocation.command === "get" ? (clashOf(wanted) ?? wanted) : wanted;
}

function wantedGets(invocation: ClientInvocation): readonly Wanted[] | UsageFault {
  const { operands, given } = invocation;
  const names = given.get === undefined ? operands : [given.get, ...operands];
  const output = given.output ?? given.file;
  const wanted: Wanted[] = [];
  for (const word of names) {
    const target = targetOf(word, invocation);
    if ("fault" in target) return target;
    if (target.name.length === 0) {
      return { fault: `${word} names no file`, remedy: "write the file's name behind the host" };
    }
    const path = pathFor(target, output, names.length);
    if (typeof path !== "string") return path;
    const destination = destinationOf(path);
    if ("fault" in destination) return destination;
    wanted.push({ target, url: formatTarget(target), path, destination });
  }
  return wanted;
}

/** Files, and as the last word where to; or with --server, files alone. */
function wantedPuts(invocation: ClientInvocation): readonly Wanted[] | UsageFault {
  const { operands, given, server } = invocation;
  const isServerGiven = server !== undefined;
  const files = isServerGiven ? [...operands] : operands.slice(0, -1);
  if (given.file !== undefined) files.unshift(given.file);
  const last = operands.at(-1);
  if (!isServerGiven && last === undefined) return nothingWanted(invocation);
  const folder = targetOf(isServerGiven ? (given.put ?? "") : (last ?? ""), invocation);
  if ("fault" in folder) return folder;
  const isFolder = folder.name.length === 0 || folder.name.at(-1) === SLASH;
  const wanted: Wanted[] = [];
  for (const path of files) {
    const isNamed = files.length === 1 && !isFolder;
    const name = isNamed ? folder.name : joined(folder.name, basename(path));
    const target = { ...folder, name };
    wanted.push({ target, url: formatTarget(target), path, destination: undefined });
  }
  return wanted;
}

const SLASH = 0x2f;
const encoder = new TextEncoder();

function joined(folder: Uint8Array, leaf: string): Uint8Array {
  const slash = folder.length === 0 || folder.at(-1) === SLASH ? "" : "/";
  return Uint8Array.from([...folder, ...encoder.encode(slash + leaf)]);
}

/** A URL as it is; any other word is a name on the server that was named, or `host:name`. */
function targetOf(word: string, { server, port, mode }: ClientInvocation): Target | UsageFault {
  const isUrl = word.includes("://");
  const target = server === undefined || isUrl ? parseTarget(word) : nameOn(server, word);
  if ("fault" in target) return target;
  return { ...target, port: target.port ?? port, mode: target.mode ?? mode };
}

function nameOn(server: Server, word: string): Target {
  return { ...server, name: encoder.encode(word), mode: undefined };
}

/** Where `target` goes: as --output says, or into the working folder by the last segment of its name. */
function pathFor(target: Target, output: string | undefined, count: number): string | UsageFault {
  const isFolder = output !== undefined && (output.endsWith("/") || isFolderHere(output));
  if (output !== undefined && !isFolder) {
    if (count === 1) return output;
    return { fault: `${count} files and one --output`, remedy: "name a folder that is there" };
  }
  const leaf = leafOf(target.name);
  if (leaf === undefined) {
    const remedy = "say with -o PATH what it shall be called";
    return { fault: `${formatTarget(target)} ends in no name for a file here`, remedy };
  }
  return output === undefined ? leaf : join(output, leaf);
}

/** What stands behind the last slash of either kind, if a file here can be called so. */
function leafOf(name: Uint8Array): string | undefined {
  let text: string;
  try {
    text = utf8.decode(name);
  } catch {
    return undefined;
  }
  const leaf = text.slice(Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1);
  return leaf === "" || leaf === "." || leaf === ".." || printable(leaf) !== leaf
    ? undefined
    : leaf;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What `path` is here. What is there and no regular file, /dev/null or a pipe, is written to as it is. */
function destinationOf(path: string): Destination | UsageFault {
  if (path === "-") return { kind: "stream", fd: 1 };
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    const folder = resolve(path, "..");
    if (!existsSync(folder)) {
      return {
        fault: `the folder ${folder} is not there`,
        remedy: `create it: mkdir -p ${folder}`,
      };
    }
    // As any program's new file would be.
    const mode = 0o666 & ~process.umask();
    return { kind: "file", path: join(realpathSync(folder), basename(path)), mode };
  }
  if (stat.isFile()) return { kind: "file", path: realpathSync(path), mode: stat.mode & 0o7777 };
  if (stat.isDirectory()) return { fault: `${path} is a folder`, remedy: `write ${path}/NAME` };
  try {
    return { kind: "stream", fd: openSync(path, "w") };
  } catch (cause) {
    return { fault: `cannot write ${path}: ${errorCode(cause)}`, remedy: "give another -o PATH" };
  }
}

function isFolderHere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Two files that would have one name here. */
function clashOf(wanted: readonly Wanted[]): UsageFault | undefined {
  const paths = new Map<string, string>();
  for (const { url, path, destination } of wanted) {
    if (destination?.kind !== "file") continue;
    const other = paths.get(destination.path);
    if (other !== undefined) {
      return {
        fault: `${other} and ${url} would both be ${path}`,
        remedy: "get them one by one, with -o",
      };
    }
    paths.set(destination.path, url);
  }
  return undefined;
}

function nothingWanted({ command, server }: ClientInvocation): UsageFault {
  const example =
    command === "get"
      ? "get tftp://192.0.2.1/pxelinux.0"
      : server === undefined
        ? "put FILE tftp://192.0.2.1/NAME"
        : "put --server HOST FILE";
  return { fault: `${command} needs a file`, remedy: `write: snow-owl-tftp ${example}` };
}
