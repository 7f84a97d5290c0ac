// The configuration that an import writes (cli layer): keys and tables with a comment for each thing that was translated,
// approximated or impossible, so that whoever moves in sees what became of every line.

import { limitKeys } from "#config/keys-limits.ts";

/** How well something of another server's could be said here. */
export type Fidelity = "translated" | "approximated" | "impossible" | "no need";

type Value = string | number | boolean | readonly string[];

/** The keys of one table that repeats; those that are undefined are left out. */
export type Keys = Readonly<Record<string, Value | undefined>>;

/** A configuration under construction. Keys may be set in any order; tables that repeat keep theirs. */
export class ImportDocument {
  readonly #title: string;
  /** What belongs to no key. */
  readonly #remarks: string[] = [];
  /** By table, `""` the top of the file: by key, its lines. */
  readonly #tables: Map<string, Map<string, readonly string[]>> = new Map([["", new Map()]]);
  readonly #lists: string[] = [];

  constructor(title: string) {
    this.#title = title;
  }

  /** Says what became of something, without a key. */
  remark(fidelity: Fidelity, text: string): void {
    this.#remarks.push(...comment(`${fidelity}: ${text}`));
  }

  /** Sets a key such as `transfer.single_port`, and says what it comes from. A later value replaces an earlier one. */
  set(path: string, value: Value, fidelity: Fidelity, text: string): void {
    const dot = path.lastIndexOf(".");
    const table = path.slice(0, Math.max(0, dot));
    const lines = [...comment(`${fidelity}: ${text}`), `${path.slice(dot + 1)} = ${toml(value)}`];
    const keys = this.#tables.get(table) ?? new Map<string, readonly string[]>();
    keys.set(path, lines);
    this.#tables.set(table, keys);
  }

  /** Sets how many transfers there may be, `value` or else `otherwise`. Other servers do not answer then. */
  limitTransfers(value: string, otherwise: number, written: string): void {
    const transfers = Math.min(Math.max(1, Number(value) || otherwise), TRANSFERS_MAX);
    this.set("limits.transfers", transfers, "translated", written);
    this.set(
      "limits.at_limit",
      "drop",
      "translated",
      `${written}; what comes then is not answered`,
    );
  }

  /** Adds a table to a list such as `rule`. */
  add(list: string, keys: Keys, fidelity: Fidelity, text: string): void {
    this.#lists.push("", ...comment(`${fidelity}: ${text}`), `[[${list}]]`);
    for (const [name, value] of Object.entries(keys)) {
      if (value !== undefined) this.#lists.push(`${name} = ${toml(value)}`);
    }
  }

  /** Says among the lists what has no table of its own. */
  remarkInList(fidelity: Fidelity, text: string): void {
    this.#lists.push("", ...comment(`${fidelity}: ${text}`));
  }

  text(): string {
    const lines = [
      ...comment(this.#title),
      "# translated: means the same here. approximated: means almost the same, as said. impossible: cannot be said here.",
      "# Read the comments, then: snow-owl-tftp check -c THIS-FILE",
    ];
    if (this.#remarks.length > 0) lines.push("", ...this.#remarks);
    for (const [table, keys] of this.#tables) {
      if (keys.size === 0) continue;
      lines.push("");
      if (table !== "") lines.push(`[${table}]`);
      for (const each of keys.values()) lines.push(...each);
    }
    return [...lines, ...this.#lists].join("\n");
  }
}

const TRANSFERS_MAX: number = limitKeys["limits.transfers"].max;

/** Comment lines. What comes from a file may hold anything, but no line of a comment may end early. */
function comment(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return [`# ${text.replaceAll(/[\u0000-\u001f\u007f]/g, "\u{FFFD}")}`];
}

/** A value as TOML. Patterns are full of backslashes, which single quotes spare. */
function toml(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  if (typeof value !== "string") return JSON.stringify(value);
  // oxlint-disable-next-line no-control-regex -- what TOML's literal strings cannot hold
  const isLiteral = value.includes("\\") && !/['\u0000-\u0008\u000a-\u001f\u007f]/.test(value);
  return isLiteral ? `'${value}'` : JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
