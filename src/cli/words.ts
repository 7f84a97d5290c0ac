// The words of a command line (cli layer): what is a flag, what its value, and what neither. Refuses what citty would let pass:
// unknown flags, missing values, and flags that stand twice.

import type { BooleanArgDef, StringArgDef } from "citty";

import { nearest } from "#config/nearest.ts";

type Flag = (BooleanArgDef | StringArgDef) & { readonly description: string };

/** Flags by name; an alias is one letter or digit. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** A command line that is not well formed: what is wrong, and what to write. */
export interface UsageFault {
  readonly fault: string;
  readonly remedy: string;
}

/**
 * Reads `argv` by `table`. Words that are no flags go to `takeWord`, which may find fault with them; a `-` alone is a word, and
 * so is all behind `--`. Returns the flags as citty parses them, `--name` or `--name=value`.
 */
export function readFlags(
  argv: readonly string[],
  table: FlagTable,
  takeWord: (word: string) => UsageFault | undefined,
): string[] | UsageFault {
  const rawArgs: string[] = [];
  const seen = new Set<string>();
  let isRest = false;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (isRest || !word.startsWith("-") || word === "-") {
      const fault = takeWord(word);
      if (fault !== undefined) return fault;
      continue;
    }
    if (word === "--") {
      isRest = true;
      continue;
    }
    const equals = word.indexOf("=");
    const typed = equals < 0 ? word : word.slice(0, equals);
    const name = flagNamed(typed, table);
    const flag = name === undefined ? undefined : table[name];
    if (name === undefined || flag === undefined) return unknownFlag(typed, table);
    if (seen.has(name)) return { fault: `${typed} stands twice`, remedy: "give each flag once" };
    seen.add(name);
    if (flag.type === "boolean") {
      if (equals >= 0) return { fault: `${typed} takes no value`, remedy: `write ${typed} alone` };
      rawArgs.push(`--${name}`);
      continue;
    }
    const value = equals < 0 ? argv[++index] : word.slice(equals + 1);
    if (value === undefined || value === "" || (equals < 0 && /^-./.test(value))) {
      return { fault: `${typed} needs a value`, remedy: `write ${typed} ${flag.valueHint}` };
    }
    rawArgs.push(`--${name}=${value}`);
  }
  return rawArgs;
}

function flagNamed(typed: string, table: FlagTable): string | undefined {
  return Object.entries(table).find(
    ([name, { alias }]) =>
      typed === `--${name}` || (alias !== undefined && typed === `-${String(alias)}`),
  )?.[0];
}

function unknownFlag(typed: string, table: FlagTable): UsageFault {
  const name = nearest(typed.replace(/^-+/, ""), Object.keys(table));
  const remedy = name === undefined ? "--help lists the flags" : `did you mean --${name}?`;
  return { fault: `unknown flag ${typed}`, remedy };
}
