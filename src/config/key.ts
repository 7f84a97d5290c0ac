// What a configuration key is (config layer): the shape of one row of the schema tables.
// Guarantees nothing by itself; the tables in keys-*.ts are checked against it in schema.ts.

/** Where a key comes from: Snow-Owl's schema, or this server's own additions to it. */
type Origin = "snow-owl" | "ours";

/** The formats of string keys: what the text must be able to mean, beyond being a string. */
export type TextKind =
  | "text"
  | "path"
  | "folder-below"
  | "file-name"
  | "socket-address"
  | "status-address"
  | "ip-address"
  | "port-range"
  | "log-level"
  | "file-mode"
  | "account"
  | "name-pattern"
  | "http-url";

/** What every row says, whatever its type. */
interface Row {
  /** Sentences for the administrator; they become the reference page and the written-out file. */
  readonly about: readonly string[];
  readonly origin: Origin;
  /** For a key that does nothing here: why, and what serves instead. Its presence makes the key inert. */
  readonly note?: string;
  /** Set to true, an inert key asks for something that will be missed: a warning, not a mere note. */
  readonly isMissed?: boolean;
  /** Snow-Owl's default as TOML, where ours differs from it. */
  readonly theirs?: string;
  /** Why our default differs from Snow-Owl's; or how the number was chosen. */
  readonly because?: string;
  /** Read at the start alone: a reload keeps the value that is in force, and says so. */
  readonly needsRestart?: boolean;
  /** The key whose value counts where this one is left out; then `default` is never used. */
  readonly inherits?: string;
  /** In a table that repeats: it must be written there, and `default` is an example. */
  readonly isRequired?: boolean;
}

/** A whole number from `min` to `max`, both included. */
export interface IntegerKey extends Row {
  readonly kind: "integer";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}

/** A number that may have a fraction; TOML integers are accepted as well. */
export interface DecimalKey extends Row {
  readonly kind: "decimal";
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

interface BooleanKey extends Row {
  readonly kind: "boolean";
  readonly default: boolean;
}

/** One of a few words, in lower case. */
interface ChoiceKey extends Row {
  readonly kind: "choice";
  readonly default: string;
  readonly values: readonly string[];
}

interface TextKey extends Row {
  readonly kind: TextKind;
  readonly default: string;
}

/** What each string of an array must be, where it is not one of a few words. */
export type ElementKind = "name-pattern" | "http-header" | "absolute-path" | "account";

/** An array of strings, each one of `values` where that is given, and of the format `of`. */
export interface TextsKey extends Row {
  readonly kind: "texts";
  readonly default: readonly string[];
  readonly values?: readonly string[];
  readonly of?: ElementKind;
}

/** A table of strings under names of the administrator's choice. */
interface VariablesKey extends Row {
  readonly kind: "variables";
  readonly default: Readonly<Record<string, string>>;
}

export type Key =
  IntegerKey | DecimalKey | BooleanKey | ChoiceKey | TextKey | TextsKey | VariablesKey;

/** Dotted TOML path → row, or name → row for a table that repeats, in the order in which documents print them. */
export type KeyTable = Readonly<Record<string, Key>>;

/** A TOML table as documents introduce it, repeating or not; `""` is the top of the file. */
export interface Section {
  readonly path: string;
  readonly title: string;
  readonly about: readonly string[];
}

/** A key or table that is no part of the schema, but that existing files contain. */
export interface Tolerated {
  readonly path: string;
  readonly severity: "note" | "warning";
  readonly because: string;
}
