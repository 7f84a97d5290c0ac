// Map files of tftpd-hpa as rules (cli layer): `rg \\ /` and its like. What they mean was read off the running program, where
// it differs from its manual page: `s` goes on with the second rule of the file, not with the first.

import { compileRegex } from "#policy/regex.ts";
import { escapeText } from "#policy/text.ts";

import type { Fidelity, ImportDocument, Keys } from "./import-document.ts";

/** One line of a map file. */
interface MapLine {
  readonly number: number;
  readonly operation: string;
  readonly regex: string;
  readonly replacement: string;
  readonly written: string;
}

/**
 * Adds the rules of a map file. Returns how many there are. `end`: the label of the rule to go on with where the map ends
 * early; undefined to end the rules.
 */
export function importMap(
  document: ImportDocument,
  text: string,
  file: string,
  end: string | undefined,
): number {
  const lines = text
    .split("\n")
    .map(readLine)
    .filter((line) => line !== undefined);
  // The rules that run: a rule that is left out is no target of `s`.
  const kept = lines.map((line) => refusalOf(line) === undefined && line.regex !== "");
  const second = kept.indexOf(true, 1);
  for (const [index, line] of lines.entries()) {
    const at = `${file}:${line.number}: ${line.written}`;
    const refusal = refusalOf(line);
    if (refusal !== undefined) {
      document.remarkInList("impossible", `${at}: ${refusal}`);
      continue;
    }
    const isTarget = index === second && lines.some(({ operation }) => operation.includes("s"));
    const { keys, fidelity, remarks } = ruleOf(line, second < 0 ? end : RESTART, end);
    const name = isTarget ? RESTART : undefined;
    document.add("rule", { name, ...keys }, fidelity, [at, ...remarks].join("; "));
  }
  return lines.length;
}

/** The label of the second rule. */
const RESTART = "start over";

const LETTERS = "rgiesaGP46~";

/** Why a line cannot be a rule here. */
function refusalOf({ operation, regex, replacement }: MapLine): string | undefined {
  const unknown = Array.from(operation).find((letter) => !LETTERS.includes(letter));
  if (unknown === "E") return "whether a file exists is not known to rules; see `fallback`";
  if (unknown !== undefined) return `there is no operation ${unknown}`;
  if (operation.includes("r") && operation.includes("~")) return "tftpd-hpa refuses r with ~";
  if (regex === "") return "there is no regular expression";
  if (`${regex}${replacement}`.includes("\u{FFFD}")) {
    return 'it has bytes that are no UTF-8; for junk behind names see names.junk = "ff"';
  }
  const isNever = /G.*P|P.*G/.test(operation) || /4.*6|6.*4/.test(operation);
  if (isNever) return "it never applies: G and P, or 4 and 6, exclude each other";
  const compiled = compileRegex(regex, "posix");
  return "message" in compiled ? `the pattern ${compiled.message}; ${compiled.remedy}` : undefined;
}

/** The keys of a rule, what to say of them, and how close they are. */
function ruleOf(
  { operation, regex, replacement }: MapLine,
  restart: string | undefined,
  end: string | undefined,
): { keys: Keys; fidelity: Fidelity; remarks: readonly string[] } {
  const does = (letter: string): boolean => operation.includes(letter);
  const remarks: string[] = [];
  let fidelity: Fidelity = "translated";
  const isAbort = does("a");
  const isRewrite = does("r") && !isAbort;
  const restarts = does("s") && !does("e") && !isAbort;
  if (isAbort && replacement !== "") {
    fidelity = "approximated";
    remarks.push("the client is told a sentence of this server's own");
  }
  if (restarts) remarks.push("s goes on with the second rule, as in.tftpd 5.2 does");
  if (isRewrite && does("gg")) {
    fidelity = "approximated";
    remarks.push("gg is repeated from the start of the name each time");
  }
  const family = does("4") ? ["0.0.0.0/0"] : does("6") ? ["::/0"] : undefined;
  const goTo = restarts ? restart : does("e") && !isAbort ? end : undefined;
  const ends = goTo === undefined && (does("e") || restarts);
  const keys: Keys = {
    client: family,
    request: does("G") ? "read" : does("P") ? "write" : undefined,
    ere: regex,
    ignore_case: does("i") || undefined,
    not: does("~") || undefined,
    rewrite: isRewrite ? rewriteOf(replacement, capturesIn(regex)) : undefined,
    repeat: (isRewrite && does("g")) || undefined,
    action: isAbort ? "deny" : ends ? "stop" : undefined,
    go_to: goTo,
  };
  return { keys, fidelity, remarks };
}

function capturesIn(regex: string): number {
  const compiled = compileRegex(regex, "posix");
  return "message" in compiled ? 0 : compiled.captures;
}

/** A replacement in our words: `\1` is `{1}`, and what `\U` and `\L` do is done to literals and asked of variables. */
function rewriteOf(replacement: string, captures: number): string {
  let letterCase = "";
  let text = "";
  const cased = (literal: string): string =>
    escapeText(
      letterCase === "" ? literal : letterCase === ":upper" ? upper(literal) : lower(literal),
    );
  for (const [all, letter] of replacement.matchAll(/\\(.)|[^\\]+|\\$/gsu)) {
    const variable = letter === undefined ? undefined : variableOf(letter, captures);
    if (variable !== undefined) {
      // A `$` that stands before a variable is written twice.
      text += `${text.endsWith("$") ? "$" : ""}{${variable}${letterCase}}`;
    } else if (letter === undefined) text += cased(all);
    else if (letter === "U") letterCase = ":upper";
    else if (letter === "L") letterCase = ":lower";
    else if (letter === "E") letterCase = "";
    // A group that the expression does not have is empty.
    else if (!/\d/.test(letter)) text += cased(letter);
  }
  return text;
}

/** What `\1`, `\i` and `\x` are called here. */
function variableOf(letter: string, captures: number): string | undefined {
  if (letter === "i") return "ip";
  if (letter === "x") return "ip_hex";
  return /\d/.test(letter) && Number(letter) <= captures ? letter : undefined;
}

function upper(text: string): string {
  return text.replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function lower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Cuts a line into its fields: white space and `#` end a field unless a backslash stands before them. */
function readLine(line: string, index: number): MapLine | undefined {
  const field = /\s*((?:\\.|\\$|[^\s#\\])*)/y;
  const next = (): string => field.exec(line)?.[1] ?? "";
  const operation = next();
  if (operation === "") return undefined;
  const regex = next();
  const replacement = next();
  const written = line.slice(0, field.lastIndex).trim().replaceAll(/\s+/g, " ");
  return { number: index + 1, operation, regex, replacement, written };
}
