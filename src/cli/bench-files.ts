// From the words of bench to the files that clients ask for (cli layer): names, how often each is drawn, and what each must be.
// Looks at this machine's files, and asks no host.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { formatTarget, parseTarget, type Target } from "#protocol/uri.ts";

import type { BenchInvocation } from "./bench-flags.ts";
import { errorCode } from "./exit.ts";
import type { UsageFault } from "./words.ts";

/** One name on one server. */
export interface BenchFile {
  readonly target: Target;
  readonly url: string;
  readonly numberAt: number;
  readonly weight: number;
  readonly sha256: string | undefined;
}

/** As the client has it: RFC 2347 has a request be 512 bytes at the most, and options and a number need their share. */
const NAME_BYTES_MAX = 380;
/** Names of one run. A guess: far more than a cache holds. */
const FILES_MAX = 100_000;
/** What stands for the number of a transfer. */
const NUMBER = "{n}";

interface Word {
  readonly label: string;
  readonly text: string;
}

/** The files that `invocation` names. */
export function benchFiles(invocation: BenchInvocation): readonly BenchFile[] | UsageFault {
  const words = wordsOf(invocation);
  if ("fault" in words) return words;
  if (words.length === 0) {
    return {
      fault: "bench needs a name",
      remedy: "write: snow-owl-tftp bench tftp://192.0.2.1/pxelinux.0",
    };
  }
  if (words.length > FILES_MAX) {
    return { fault: `${words.length} names`, remedy: `at most ${FILES_MAX} at a time` };
  }
  const weights = weightsOf(invocation.given.mix, words);
  if ("fault" in weights) return weights;
  const files: BenchFile[] = [];
  for (const [index, word] of words.entries()) {
    const file = fileOf(word, weights[index] ?? 1, invocation, words.length);
    if ("fault" in file) return file;
    files.push(file);
  }
  return files;
}

/** The words of the command line and the lines of the list. */
function wordsOf({ operands, given }: BenchInvocation): readonly Word[] | UsageFault {
  const texts = [...operands];
  if (given.list !== undefined) {
    try {
      const lines = readFileSync(given.list, "utf8").split("\n");
      texts.push(...lines.map((line) => line.trim()).filter((line) => !/^(?:#|$)/.test(line)));
    } catch (cause) {
      return {
        fault: `cannot read ${given.list}: ${errorCode(cause)}`,
        remedy: "give another file with --list",
      };
    }
  }
  return texts.map((text) => {
    const [, label, rest] = /^([A-Za-z0-9_-]+)=(.+)$/s.exec(text) ?? [];
    return label === undefined || rest === undefined
      ? { label: text, text }
      : { label, text: rest };
  });
}

/** The weight of each word. Those that share a label share its weight. */
function weightsOf(
  mix: string | undefined,
  words: readonly Word[],
): readonly number[] | UsageFault {
  if (mix === undefined) return words.map(() => 1);
  const weights = new Map<string, number>();
  for (const entry of mix.split(",")) {
    const [, label, weight] = /^(.+):([0-9]+(?:\.[0-9]+)?)$/.exec(entry) ?? [];
    if (label === undefined) {
      return { fault: `--mix ${entry} has no weight`, remedy: "write --mix small:80,large:20" };
    }
    if (!words.some((word) => word.label === label)) {
      return {
        fault: `--mix names ${label}, and no word does`,
        remedy: `write ${label}=tftp://HOST/NAME`,
      };
    }
    weights.set(label, Number(weight));
  }
  const left = words.find(({ label }) => !weights.has(label));
  if (left !== undefined) {
    return { fault: `--mix says nothing of ${left.label}`, remedy: "give every name a weight" };
  }
  const shared = words.map(({ label }) => {
    const sharers = words.filter((other) => other.label === label).length;
    return (weights.get(label) ?? 0) / sharers;
  });
  return shared.some((weight) => weight > 0)
    ? shared
    : { fault: "--mix has nothing but 0", remedy: "give one name a weight" };
}

function fileOf(
  { text }: Word,
  weight: number,
  invocation: BenchInvocation,
  count: number,
): BenchFile | UsageFault {
  const { server, port } = invocation;
  const isUrl = text.includes("://");
  const parsed =
    server === undefined || isUrl
      ? parseTarget(text)
      : { ...server, name: encoder.encode(text), mode: undefined };
  if ("fault" in parsed) return parsed;
  if (parsed.mode === "netascii") {
    return { fault: `${text} asks for netascii`, remedy: "a load is in octet mode" };
  }
  const target = { ...parsed, port: parsed.port ?? port };
  const { name } = target;
  if (name.length === 0 || name.length > NAME_BYTES_MAX) {
    const remedy = `write a name of 1 to ${NAME_BYTES_MAX} bytes behind the host`;
    return { fault: `${text} names no file`, remedy };
  }
  const numberAt = Buffer.from(name).indexOf(NUMBER);
  const sha256 = expectedHash(invocation.given.verify, name, count);
  if (typeof sha256 === "object") return sha256;
  const bare = numberAt < 0 ? name : without(name, numberAt, NUMBER.length);
  return {
    target: { ...target, name: bare },
    url: formatTarget(target).replace("%7Bn%7D", NUMBER),
    numberAt,
    weight,
    sha256,
  };
}

const encoder = new TextEncoder();

function without(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, start), ...bytes.subarray(start + length)]);
}

/** The SHA-256 that a file must have: as it was given, or that of a copy here. */
function expectedHash(
  verify: string | undefined,
  name: Uint8Array,
  count: number,
): string | UsageFault | undefined {
  if (verify === undefined) return undefined;
  const isHash = /^[0-9a-fA-F]{64}$/.test(verify);
  const isFolder = !isHash && (statSync(verify, { throwIfNoEntry: false })?.isDirectory() ?? false);
  if (!isFolder && count > 1) {
    return {
      fault: `--verify ${verify} and ${count} names`,
      remedy: "name a folder with a copy of each",
    };
  }
  if (isHash) return verify.toLowerCase();
  const path = isFolder ? join(verify, new TextDecoder().decode(name)) : verify;
  try {
    return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
  } catch (cause) {
    return {
      fault: `cannot read ${path}: ${errorCode(cause)}`,
      remedy: "--verify takes a SHA-256, a file, or a folder with a copy of each name",
    };
  }
}
