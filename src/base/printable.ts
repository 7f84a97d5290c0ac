// Texts from outside as log lines may carry them (base layer): names that clients send, and what programs print.
// The result has no control character, so that a line stays one line and a terminal obeys nobody.

// C0, DEL, C1, and the two separators that some viewers break lines at.
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `text` with control characters escaped: `\x1b` for ESC. */
export function printable(text: string): string {
  return text.replaceAll(
    CONTROL,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
