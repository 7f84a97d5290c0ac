// The names that an upload makes beside the client's (storage layer): hidden ones, under which nothing is served and whose
// left-overs are known at the next start, and those of previous versions.

import type { ByteString } from "#policy/names.ts";

/** How every hidden name begins. The policy refuses names with a leading dot, whoever asks. */
const HIDDEN_PREFIX = ".snow-owl-upload-";
/** Random bytes of a hidden name: two uploads never meet, and nobody guesses one. */
const RANDOM_BYTES = 12;
const hiddenPattern: RegExp = new RegExp(
  String.raw`^${HIDDEN_PREFIX.replace(".", String.raw`\.`)}[0-9a-f]{${2 * RANDOM_BYTES}}$`,
);

/** A hidden name that nobody has. */
export function createHiddenName(): string {
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
  return HIDDEN_PREFIX + random.toHex();
}

/** What is random in a hidden name, as so many Int32 words: for memory that threads share. */
export const HIDDEN_WORDS: number = RANDOM_BYTES / Int32Array.BYTES_PER_ELEMENT;

/** The words of a name that {@link createHiddenName} made. */
export function hiddenWords(name: string): Int32Array {
  return new Int32Array(Uint8Array.fromHex(name.slice(HIDDEN_PREFIX.length)).buffer);
}

/** The name that has these {@link hiddenWords}. */
export function hiddenNameOf(words: Int32Array): string {
  return HIDDEN_PREFIX + new Uint8Array(words.buffer, words.byteOffset, RANDOM_BYTES).toHex();
}

/** Whether `name` is one of {@link createHiddenName}. */
export function isHiddenName(name: ByteString): boolean {
  return hiddenPattern.test(name);
}

/** The name of the `version`-th version before the current one of `name`, counted from 1, as GNU's numbered backups are called. */
export function versionName(name: ByteString, version: number): ByteString {
  return `${name}.~${version}~`;
}
