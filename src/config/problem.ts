// Problems in a configuration and how they are shown (config layer): where, what, and what to do about it.
// Every problem carries a remedy; rendered text holds no control characters from the file.

/** A stretch of one line of a file, or of the command line. */
export interface Place {
  /** The file's name as it was given, or `command line`. */
  readonly file: string;
  /** Counted from 1; 0 where no line is to blame, as for a key that is missing. */
  readonly line: number;
  /** Counted from 1, in UTF-16 units. */
  readonly column: number;
  /** In UTF-16 units; at least 1. */
  readonly length: number;
  /** The text of the line; empty where there is none. */
  readonly sourceLine: string;
}

/** `error` stops the start, `warning` is printed at the start, `note` is for `check` alone. */
export type Severity = "error" | "warning" | "note";

export interface Problem extends Place {
  readonly severity: Severity;
  /** One line without a full stop at the end, or whole sentences. */
  readonly message: string;
  /** What to do about it, in a sentence; empty only for notes. */
  readonly remedy: string;
}

/** The place of something that was never written. */
export function nowhere(file: string): Place {
  return { file, line: 0, column: 0, length: 0, sourceLine: "" };
}

/** A stretch of a string, `start` units from its first; all of the string if escapes make offsets uncertain. */
export function placeInside(place: Place, start: number, length: number): Place {
  const written = place.sourceLine.slice(place.column - 1, place.column - 1 + place.length);
  const isPlain = /^(?:"[^"\\]*"|'[^']*')$/u.test(written);
  return isPlain ? { ...place, column: place.column + 1 + start, length } : place;
}

/**
 * The problem as text of one or several lines, without a line end:
 *
 * ```text
 * tftp.toml:2:13: error: `bind_addr` has no port
 *   2 | bind_addr = "::"
 *     |             ^^^^
 * help: write "[::]:69"
 * ```
 *
 * A note is its first line alone.
 */
export function renderProblem(problem: Problem): string {
  const place =
    problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const lines = [printable(`${place}: ${problem.severity}: ${problem.message}`)];
  if (problem.severity === "note") return lines.join("\n");
  if (problem.sourceLine !== "") {
    const number = problem.line > 0 ? String(problem.line) : "";
    const before = problem.sourceLine.slice(0, problem.column - 1);
    // Tabs stay tabs, so that the carets stand under the text at any tab width.
    const indent = before.replaceAll(/[^\t]/gu, " ");
    lines.push(
      `  ${number} | ${printable(problem.sourceLine)}`,
      `  ${" ".repeat(number.length)} | ${indent}${"^".repeat(Math.max(1, problem.length))}`,
    );
  }
  if (problem.remedy !== "") lines.push(printable(`help: ${problem.remedy}`));
  return lines.join("\n");
}

/** The text with every control character but the tab replaced, length unchanged. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replaceAll(/[\u0000-\u0008\u000A-\u001F\u007F-\u009F]/g, "\u{FFFD}");
}
