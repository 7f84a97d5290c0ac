// What the fuzzer tries: a target is a way to judge any bytes whatever, and what bytes to begin with. A judge throws where a law is broken;
// so does the source where it should not, and that is the same to the fuzzer.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as fc from "fast-check";

/** One thing that reads what others wrote. */
export interface Target {
  readonly name: string;
  /** Inputs that are worth changing; each is judged as it is, too. */
  readonly corpus: readonly Uint8Array[];
  /** Well-formed inputs and nearly such, by fast-check. */
  readonly shape: fc.Arbitrary<Uint8Array>;
  /** What the mutation puts in. */
  readonly tokens: readonly Uint8Array[];
  /** The byte between the fields of an input, which are moved as wholes. */
  readonly separator: number;
  /** How many inputs CI tries: all targets together take some seconds. */
  readonly inputs: number;
  readonly judge: (input: Uint8Array) => void;
}

export const lineEnd = 0x0a;

/** A law that the source broke. */
export class Unlawful extends Error {}

/** A law. */
export function demand(holds: boolean, law: string): asserts holds {
  if (!holds) throw new Unlawful(law);
}

/** The law that two values are the same. */
export function demandSame(found: unknown, expected: unknown, law: string): void {
  if (Bun.deepEquals(found, expected, true)) return;
  throw new Unlawful(`${law}: ${Bun.inspect(found)} instead of ${Bun.inspect(expected)}`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** What a file with these bytes says: what is no UTF-8 has become U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Pieces with spaces between them. */
export function words(text: string): readonly string[] {
  return text.split(" ");
}

/** Texts made of these pieces. */
export function piecesOf(pieces: readonly string[], most = 24): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.constantFrom(...pieces), { maxLength: most })
    .map((parts) => bytesOf(parts.join("")));
}

/** A corpus of packets: a line of hexadecimal digits each, and comments behind `#`. */
export function hexCorpus(file: string): readonly Uint8Array[] {
  return linesOf(file)
    .map((line) => line.replace(/#.*$/, "").replaceAll(/\s/g, ""))
    .filter((line) => line !== "")
    .map((line) => Uint8Array.fromHex(line));
}

/** A corpus of texts: one a line, `\n` for a line end and `\t` for a tab, and nothing else is special. */
export function textCorpus(file: string): readonly Uint8Array[] {
  return linesOf(file)
    .filter((line) => line !== "")
    .map((line) => bytesOf(line.replaceAll("\\n", "\n").replaceAll("\\t", "\t")));
}

/** A file of the project. */
export function wholeFile(path: string): Uint8Array {
  return readFileSync(join(import.meta.dir, "../..", path));
}

function linesOf(file: string): readonly string[] {
  return textOf(wholeFile(`test/fuzz/corpus/${file}`)).split("\n");
}
