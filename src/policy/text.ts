// Texts with variables (policy layer, pure): `clients/{mac}/{1:lower}`, read once and filled in for each request. What a text
// may name is known when it is read, so that a misspelt variable is an error of the configuration, not of a boot.

import { type ByteString, byteStringOf, lowerCase, upperCase } from "./names.ts";
import { CAPTURES_MAX } from "./regex-syntax.ts";

/** The value of a variable for one request; undefined if it has none, as `mac` beyond a router. */
export type ValueOf = (variable: string) => ByteString | undefined;

/** A text that was read: literal bytes and variables in turn. */
export interface Text {
  readonly pieces: readonly (ByteString | Variable)[];
}

interface Variable {
  /** A name, or the number of a capture as a digit. */
  readonly name: string;
  readonly letterCase: "lower" | "upper" | "kept";
}

/** What is wrong with a text, and where: the start and length of the variable in UTF-16 units. */
export interface TextFault {
  readonly message: string;
  readonly remedy: string;
  readonly start: number;
  readonly length: number;
}

/** The variables that every request may have. A host's own variables come on top. */
export const requestVariables = [
  "ip",
  "ip_hex",
  "mac",
  "mac_dash",
  "serial",
  "name",
  "host",
  "group",
  "local",
  "interface",
] as const;

/** The highest number of a capture where there is no pattern: not even {0}. */
export const NO_CAPTURES = -1;

/**
 * Reads a text. A variable is a name or a digit in braces, with `:lower` or `:upper` behind it if its letters shall change.
 * `{{` is a brace; a brace that no name follows stands for itself, and so does one behind `$`, for the sake of the `${…}` of
 * shells, GRUB and iPXE. `$${` is a `$` and then whatever the brace is. `known` are the names that may stand there, `captures` the highest number, or {@link NO_CAPTURES}.
 */
export function parseText(
  text: string,
  known: ReadonlySet<string>,
  captures: number,
): Text | TextFault {
  const pieces: (ByteString | Variable)[] = [];
  let literal = "";
  let end = 0;
  for (const found of text.matchAll(/\$\$(?=\{)|\$\{|\{\{|\{([A-Za-z_]\w*|\d+)(?::(\w+))?\}/g)) {
    const [all, name, modifier] = found;
    literal += text.slice(end, found.index);
    end = found.index + all.length;
    if (name === undefined) {
      literal += all === "{{" ? "{" : all === "$$" ? "$" : all;
      continue;
    }
    const fault = faultOf(name, modifier, known, captures);
    if (fault !== undefined) return { ...fault, start: found.index, length: all.length };
    if (literal !== "") pieces.push(byteStringOf(literal));
    literal = "";
    const letterCase = modifier === "lower" || modifier === "upper" ? modifier : "kept";
    pieces.push({ name, letterCase });
  }
  literal += text.slice(end);
  if (literal !== "") pieces.push(byteStringOf(literal));
  return { pieces };
}

/** Whether the answer of {@link parseText} is a fault. */
export function isTextFault(answer: Text | TextFault): answer is TextFault {
  return "message" in answer;
}

/** The text with its variables filled in; undefined if one of them has no value. */
export function renderText(text: Text, valueOf: ValueOf): ByteString | undefined {
  let rendered = "";
  for (const piece of text.pieces) {
    if (typeof piece === "string") {
      rendered += piece;
      continue;
    }
    const value = valueOf(piece.name);
    if (value === undefined) return undefined;
    rendered += cased(value, piece.letterCase);
  }
  return rendered;
}

/** A literal as a text that stands for it. */
export function escapeText(literal: string): string {
  return literal.replaceAll(/\$?\{/g, (found) => (found === "{" ? "{{" : "$${{"));
}

function cased(value: ByteString, letterCase: Variable["letterCase"]): ByteString {
  if (letterCase === "kept") return value;
  return letterCase === "lower" ? lowerCase(value) : upperCase(value);
}

function faultOf(
  name: string,
  modifier: string | undefined,
  known: ReadonlySet<string>,
  captures: number,
): Pick<TextFault, "message" | "remedy"> | undefined {
  if (modifier !== undefined && modifier !== "lower" && modifier !== "upper") {
    return { message: `has the modifier \`:${modifier}\``, remedy: "write :lower or :upper." };
  }
  if (/^\d/.test(name)) {
    if (Number(name) <= captures) return undefined;
    const remedy =
      captures === NO_CAPTURES
        ? "only a rule with a pattern has captures; write {{ for a brace."
        : `its pattern has captures up to {${captures}}, at most {${CAPTURES_MAX}}; {0} is all that matched.`;
    return { message: `names the capture {${name}}`, remedy };
  }
  if (known.has(name)) return undefined;
  const names = [...known].map((each) => `{${each}}`).join(", ");
  return {
    message: `names the unknown variable {${name}}`,
    remedy: `write one of ${names}; write {{ for a brace.`,
  };
}
