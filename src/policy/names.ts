// Names as bytes (policy layer, pure): a byte string has one character, U+0000–U+00FF, for each byte, so that no name is
// too strange to be matched, cut and joined. What firmware leaves behind a name is cut here, before anything looks at it.

/** A string of bytes, one character each. */
export type ByteString = string;

/** Where a name ends early: nowhere, at the first byte 0xFF, or at the first byte that is not printable ASCII. */
export type JunkRule = "keep" | "ff" | "unprintable";

/** The byte string of `bytes`. */
export function byteString(bytes: Uint8Array): ByteString {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a text in UTF-8, as a byte string. */
export function byteStringOf(text: string): ByteString {
  // Most texts are ASCII, and then they are their own bytes.
  return isAscii(text) ? text : byteString(encoder.encode(text));
}

/** The bytes of a byte string. */
export function bytesOf(name: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(name.length);
  for (let index = 0; index < name.length; index += 1) bytes[index] = name.charCodeAt(index);
  return bytes;
}

/** The text that a byte string is in UTF-8; where it is no UTF-8 it stays as it is, a character for each byte. */
export function textOf(name: ByteString): string {
  if (isAscii(name)) return name;
  try {
    return decoder.decode(bytesOf(name));
  } catch {
    return name;
  }
}

/** A byte string as the kernel is told it: as text while it is ASCII, which costs least, else as its bytes. */
export function kernelName(name: ByteString): string | Uint8Array {
  return isAscii(name) ? name : bytesOf(name);
}

/** The text of a path, each segment as {@link textOf} has it: one that is no UTF-8 does not spoil its neighbours. */
export function pathText(path: ByteString): string {
  return isAscii(path) ? path : path.split("/").map(textOf).join("/");
}

/**
 * Cuts what does not belong to the name. HP's PXE firmware has sent 0xFF and random bytes behind the name, before the NUL;
 * 0xFF stands in no UTF-8 text. Others leave control characters there.
 */
export function cutJunk(name: ByteString, rule: JunkRule): ByteString {
  if (rule === "keep") return name;
  const end = name.search(rule === "ff" ? /\u00ff/ : /[^ -~]/);
  return end < 0 ? name : name.slice(0, end);
}

/** ASCII letters in lower case; every other byte as it is, unlike `toLowerCase`, which knows U+00C0 and others. */
export function lowerCase(name: ByteString): ByteString {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** ASCII letters in upper case; every other byte as it is. */
export function upperCase(name: ByteString): ByteString {
  return name.replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- all of ASCII is what it looks for
  return /^[\u0000-\u007f]*$/.test(text);
}
