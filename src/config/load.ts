// From the text of a configuration file to a configuration (config layer): syntax, types and bounds, unknown
// keys, and notes on keys that do nothing. What the values mean together is judged in validate.ts.

import { parse, TomlError } from "smol-toml";

import type { Fault } from "./address.ts";
import { type Config, makeConfig } from "./config.ts";
import { nearest } from "./nearest.ts";
import { join, locate, type Position, type Span } from "./positions.ts";
import type { Place, Problem, Severity } from "./problem.ts";
import { remarkOn } from "./remark.ts";
import {
  isKeyPath,
  type KeyPath,
  keyPaths,
  keys,
  nameOf,
  sections,
  tableOf,
  tolerated,
} from "./schema.ts";
import { describe, readValue } from "./value.ts";

/** What a file turned out to be. */
export interface Loaded {
  /** Undefined if there are problems. */
  readonly config: Config | undefined;
  /** Errors, in the order of the file. */
  readonly problems: readonly Problem[];
  /** Warnings, and notes for `check`, in the order of the file. */
  readonly warnings: readonly Problem[];
}

/** How deep arrays and inline tables may nest: a guess, twice what the schema could need. */
const DEPTH_MAX = 8;

/** Loads a document. `file` is its name for messages; nothing is opened, and nothing is thrown. */
export function loadConfig(document: string, file: string): Loaded {
  const text = document.replace(/^\u{FEFF}/u, "");
  let root: Readonly<Record<string, unknown>>;
  try {
    root = parse(text, {
      integersAsBigInt: true,
      maxDepth: DEPTH_MAX,
      unsafeKeyBehaviour: "throw",
    });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { config: undefined, problems: [syntaxProblem(error, text, file)], warnings: [] };
  }
  const loader = new Loader(text, file);
  loader.readTable(root, "");
  return loader.finish();
}

class Loader {
  readonly #source: Source;
  readonly #positions: ReadonlyMap<string, Position>;
  readonly #values: Map<KeyPath, unknown> = new Map();
  readonly #sources: Map<KeyPath, Place> = new Map();
  readonly #found: Problem[] = [];

  constructor(text: string, file: string) {
    this.#source = new Source(text, file);
    this.#positions = locate(text);
  }

  readTable(table: Readonly<Record<string, unknown>>, path: string): void {
    for (const [name, raw] of Object.entries(table)) {
      const own = join(path, name);
      const known = tolerated.find((entry) => entry.path === own);
      if (known !== undefined) {
        const remedy = "remove it, or leave it for the other program.";
        this.#report(known.severity, this.#keyPlace(own), {
          message: `\`${own}\` has no effect: ${known.because}`,
          remedy,
        });
      } else if (isKeyPath(own)) {
        this.#readKey(own, raw);
      } else if (isTablePath(own)) {
        if (isTable(raw)) this.readTable(raw, own);
        else this.#reportNoTable(own, raw);
      } else {
        this.#reportUnknown(own, name, isTable(raw) ? "table" : "key");
      }
    }
  }

  finish(): Loaded {
    const inOrder = this.#found.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const problems = inOrder.filter((problem) => problem.severity === "error");
    const warnings = inOrder.filter((problem) => problem.severity !== "error");
    const config = problems.length === 0 ? makeConfig(this.#values, this.#sources) : undefined;
    return { config, problems, warnings };
  }

  #readKey(path: KeyPath, raw: unknown): void {
    const key = keys[path];
    const reading = readValue(key, raw);
    if ("fault" in reading) {
      const element = reading.element === undefined ? "" : `[${reading.element}]`;
      const { message, remedy } = reading.fault;
      this.#report("error", this.#valuePlace(path + element), {
        message: `\`${path}\` ${message}`,
        remedy,
      });
      return;
    }
    this.#values.set(path, reading.value);
    this.#sources.set(path, this.#valuePlace(path));
    if (reading.adjusted !== undefined) {
      const { message, remedy } = reading.adjusted;
      this.#report("warning", this.#valuePlace(path), {
        message: `\`${path}\` ${message}`,
        remedy,
      });
    }
    const remark = remarkOn(path, reading.value);
    if (remark !== undefined) this.#found.push({ ...this.#keyPlace(path), ...remark });
  }

  #reportNoTable(path: string, raw: unknown): void {
    this.#report("error", this.#valuePlace(path), {
      message: `\`${path}\` must be a table, not ${describe(raw)}`,
      remedy: `write [${path}] on a line of its own, and its keys below.`,
    });
  }

  #reportUnknown(path: string, name: string, kind: "table" | "key"): void {
    const suggestion = kind === "table" ? nearestTable(path) : nearestKey(path, name);
    this.#report("warning", this.#keyPlace(path), {
      message: `unknown ${kind} \`${path}\` is ignored`,
      remedy:
        suggestion === undefined
          ? "remove it, or look for its name in docs/configuration.md."
          : `did you mean \`${suggestion}\`?`,
    });
  }

  #report(severity: Severity, place: Place, fault: Fault): void {
    this.#found.push({ ...place, severity, message: fault.message, remedy: fault.remedy });
  }

  #keyPlace(path: string): Place {
    return this.#source.placeOf(this.#positions.get(path)?.key);
  }

  #valuePlace(path: string): Place {
    return this.#source.placeOf(this.#positions.get(path)?.value);
  }
}

/** A document cut into lines. */
class Source {
  readonly #file: string;
  readonly #lines: readonly string[];
  /** Where each line starts. */
  readonly #starts: readonly number[];

  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = text.split("\n").map((line) => line.replace(/\r$/u, ""));
    const starts = [0];
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1))
      starts.push(at + 1);
    this.#starts = starts;
  }

  /** The first line of a span; the top of the file if there is no span. */
  placeOf(span: Span | undefined): Place {
    const { start, end } = span ?? { start: 0, end: 0 };
    const index = this.#starts.findLastIndex((lineStart) => lineStart <= start);
    const sourceLine = this.#lines[index] ?? "";
    const offset = start - (this.#starts[index] ?? 0);
    const length = Math.max(1, Math.min(end - start, sourceLine.length - offset));
    return { file: this.#file, line: index + 1, column: offset + 1, length, sourceLine };
  }
}

/** What the parser refused, in the same form as everything else. */
function syntaxProblem(error: TomlError, text: string, file: string): Problem {
  const { line, column } = error;
  const sourceLine = text.split(/\r?\n/u)[line - 1] ?? "";
  const reason = (error.message.split("\n")[0] ?? "").replace("Invalid TOML document: ", "");
  const isRepeated = reason.startsWith("trying to redefine");
  const isUnsafe = reason.includes("unsafe");
  return {
    file,
    line,
    column,
    length: 1,
    sourceLine,
    severity: "error",
    message: isUnsafe
      ? "`__proto__` and `constructor` cannot be keys"
      : `this is not TOML: ${reason}`,
    remedy: isUnsafe
      ? "remove the key."
      : isRepeated
        ? "each key and each table may stand in the file once; join the two."
        : syntaxRemedy(sourceLine),
  };
}

/** A guess at what the line was meant to be. */
function syntaxRemedy(sourceLine: string): string {
  const unquoted = /=\s*(?<value>[^\s"'[{#][^"'#]*)/u.exec(sourceLine)?.groups?.["value"]?.trim();
  return unquoted === undefined || /^(?:true|false|[\d.+-]+)$/u.test(unquoted)
    ? "write `key = value` or `[table]`, one per line; strings stand in quotes."
    : `strings stand in quotes: ${JSON.stringify(unquoted)}.`;
}

/** The key that was meant: a misspelt one of the same table, or one by that name in another table. */
function nearestKey(path: string, name: string): string | undefined {
  const table = tableOf(path);
  const siblings = keyPaths.filter((candidate) => tableOf(candidate) === table).map(nameOf);
  const sibling = nearest(name, siblings);
  if (sibling !== undefined) return join(table, sibling);
  return keyPaths.find((candidate) => nameOf(candidate) === name);
}

function nearestTable(path: string): string | undefined {
  const paths = [...new Set(sections.flatMap((section) => [section.path, tableOf(section.path)]))];
  return nearest(path, paths) ?? paths.find((candidate) => nameOf(candidate) === nameOf(path));
}

/** Whether some key of the schema lies below `path`. */
function isTablePath(path: string): boolean {
  return keyPaths.some((candidate) => candidate.startsWith(`${path}.`));
}

function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return describe(raw) === "a table";
}
