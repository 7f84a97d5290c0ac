// From the text of a configuration file to a configuration (config layer): syntax, types and bounds, unknown
// keys, and notes on keys that do nothing. What the values mean together is judged in validate.ts.

import { parse, TomlError } from "smol-toml";

import type { Fault } from "./address.ts";
import { type Config, makeConfig } from "./config.ts";
import type { Key, KeyTable } from "./key.ts";
import { nearest } from "./nearest.ts";
import { join, locate, type Position, type Span } from "./positions.ts";
import { type Place, placeInside, type Problem, type Severity } from "./problem.ts";
import { remarkOn } from "./remark.ts";
import {
  type EntryPlaces,
  isKeyPath,
  isListPath,
  type KeyPath,
  keyPaths,
  keys,
  type ListPath,
  lists,
  nameOf,
  sections,
  tableOf,
  tolerated,
} from "./schema.ts";
import { type Blame, describe, readValue } from "./value.ts";

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
  readonly #values: Map<KeyPath | ListPath, unknown> = new Map();
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
      } else if (isListPath(own)) {
        this.#readList(own, raw);
      } else if (isTablePath(own)) {
        if (isTable(raw)) this.readTable(raw, own);
        else this.#reportNoTable(own, raw);
      } else {
        const isTableLike = isTable(raw) || (isTables(raw) && raw.length > 0);
        const suggestion = isTableLike ? nearestTable(own) : nearestKey(own, name);
        this.#reportUnknown(own, isTableLike ? "table" : "key", suggestion);
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
    const reading = this.#read(keys[path], path, path, raw);
    if (reading === undefined) return;
    this.#values.set(path, reading.value);
    this.#sources.set(path, this.#valuePlace(path));
    const remark = remarkOn(path, reading.value);
    if (remark !== undefined) this.#found.push({ ...this.#keyPlace(path), ...remark });
  }

  /** Reads one value, which stands at `path`, and reports what is wrong with the key that documents call `name`. */
  #read(
    key: Key,
    name: string,
    path: string,
    raw: unknown,
  ): { readonly value: unknown } | undefined {
    const reading = readValue(key, raw);
    if ("fault" in reading) {
      this.#blame("error", name, path, reading);
      return undefined;
    }
    for (const blame of reading.warnings ?? []) this.#blame("warning", name, path, blame);
    return reading;
  }

  #readList(path: ListPath, raw: unknown): void {
    if (!isTables(raw)) {
      this.#report("error", this.#valuePlace(path), {
        message: `\`${path}\` must be a list of tables, not ${describe(raw)}`,
        remedy: `write [[${path}]], in two brackets, on a line of its own, and its keys below.`,
      });
      return;
    }
    const entries = raw.map((table, index) => this.#readEntry(path, table, `${path}[${index}]`));
    this.#values.set(path, entries);
  }

  /** One table of a list, which stands at `own`, over the defaults of its keys. */
  #readEntry(list: ListPath, table: Readonly<Record<string, unknown>>, own: string): EntryPlaces {
    const rows: KeyTable = lists[list];
    const values: Record<string, unknown> = {};
    const sources = new Map<string, Place>();
    for (const [name, key] of Object.entries(rows)) {
      values[name] = key.default;
      if (!key.isRequired || Object.hasOwn(table, name)) continue;
      this.#report("error", this.#keyPlace(own), {
        message: `this [[${list}]] has no \`${name}\``,
        remedy: `write ${name} = ${JSON.stringify(key.default)}, or another, below it.`,
      });
    }
    for (const [name, raw] of Object.entries(table)) {
      const path = join(own, name);
      const key = Object.hasOwn(rows, name) ? rows[name] : undefined;
      if (key === undefined) {
        const suggestion = nearest(name, Object.keys(rows));
        this.#reportUnknown(path, "key", suggestion);
        continue;
      }
      const reading = this.#read(key, `${list}.${name}`, path, raw);
      if (reading === undefined) continue;
      values[name] = reading.value;
      sources.set(name, this.#valuePlace(path));
      for (const index of Array.isArray(raw) ? raw.keys() : []) {
        sources.set(`${name}[${index}]`, this.#valuePlace(`${path}[${index}]`));
      }
    }
    return { ...values, place: this.#keyPlace(own), sources };
  }

  #reportNoTable(path: string, raw: unknown): void {
    this.#report("error", this.#valuePlace(path), {
      message: `\`${path}\` must be a table, not ${describe(raw)}`,
      remedy: `write [${path}] on a line of its own, and its keys below.`,
    });
  }

  #reportUnknown(path: string, kind: "table" | "key", suggestion: string | undefined): void {
    this.#report("warning", this.#keyPlace(path), {
      message: `unknown ${kind} \`${path}\` is ignored`,
      remedy:
        suggestion === undefined
          ? "remove it, or look for its name in docs/configuration.md."
          : `did you mean \`${suggestion}\`?`,
    });
  }

  /** Reports what is wrong with the value of the key `name`, which stands at `path`, as closely as it is known. */
  #blame(severity: Severity, name: string, path: string, { fault, element }: Blame): void {
    const place = this.#valuePlace(element === undefined ? path : `${path}[${element}]`);
    const message = `\`${name}\` ${fault.message}`;
    const closest = fault.at === undefined ? place : placeInside(place, fault.at, 1);
    this.#report(severity, closest, { message, remedy: fault.remedy });
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

function isTables(raw: unknown): raw is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(raw) && raw.every(isTable);
}

/** Whether some key of the schema lies below `path`. */
function isTablePath(path: string): boolean {
  return keyPaths.some((candidate) => candidate.startsWith(`${path}.`));
}

function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return describe(raw) === "a table";
}
