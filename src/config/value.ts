// Whether a value from a file or a flag suits its key (config layer). TOML's types are kept apart exactly:
// 4096.0 is no integer. What Snow-Owl never checked is brought into range with a warning, not refused.

import { TomlDate } from "smol-toml";

import { unreachable } from "#base/assert.ts";

import { type Fault, ipVersion, isFault, parseListenAddress, parsePortRange } from "./address.ts";
import {
  absolutePathFault,
  accountFault,
  fileModeFault,
  fileNameFault,
  folderBelowFault,
  headerFault,
  httpUrlFault,
  patternFault,
  type PlacedFault,
} from "./formats.ts";
import type { DecimalKey, ElementKind, IntegerKey, Key, TextKind, TextsKey } from "./key.ts";
import { logLevels, parseLevel } from "./level.ts";
import { nearest } from "./nearest.ts";

/** What is wrong with a value, or with one element of an array. */
export interface Blame {
  readonly fault: PlacedFault;
  readonly element?: number;
}

/** A value of the key's type, with what deserves a warning; or a fault. */
export type Reading = { readonly value: unknown; readonly warnings?: readonly Blame[] } | Blame;

/** Reads a value as the TOML parser gives it (integers as bigint). Messages continue "`key` …". */
export function readValue(key: Key, raw: unknown): Reading {
  switch (key.kind) {
    case "boolean":
      return typeof raw === "boolean" ? { value: raw } : mistyped("true or false", raw);
    case "integer":
      return typeof raw === "bigint" ? readInteger(key, raw) : mistyped("an integer", raw);
    case "decimal":
      return typeof raw === "bigint" || typeof raw === "number"
        ? readDecimal(key, Number(raw))
        : mistyped("a number", raw);
    case "choice":
      return typeof raw === "string" ? readWord(key.values, raw) : mistyped("a string", raw);
    case "texts":
      return Array.isArray(raw) ? readTexts(key, raw) : mistyped("an array of strings", raw);
    case "variables":
      return describe(raw) === "a table" ? readVariables(raw) : mistyped("a table of strings", raw);
    case "text":
    case "path":
    case "folder-below":
    case "file-name":
    case "socket-address":
    case "status-address":
    case "ip-address":
    case "port-range":
    case "log-level":
    case "file-mode":
    case "account":
    case "name-pattern":
    case "http-url":
      return typeof raw === "string" ? readText(key.kind, raw) : mistyped("a string", raw);
    default:
      return unreachable(key);
  }
}

/** Reads the text of a command-line flag: the same rules, after turning it into a TOML value. */
export function readFlag(key: Key, text: string): Reading {
  if (key.kind === "boolean") {
    if (text === "true" || text === "false") return { value: text === "true" };
    return failed(`cannot be "${text}"`, "write true or false.");
  }
  if (key.kind === "integer") {
    if (/^\d{1,19}$/u.test(text)) return readInteger(key, BigInt(text));
    return failed(`cannot be "${text}"`, `write an integer ${boundsOf(key)}.`);
  }
  return readValue(key, text);
}

/** The bounds of a number in words: `from 8 to 65464 bytes`, or `from 0 bytes up` where none is in sight. */
export function boundsOf(key: IntegerKey | DecimalKey): string {
  const unit = key.kind === "integer" && key.unit !== undefined ? ` ${key.unit}` : "";
  if (key.max === Number.MAX_SAFE_INTEGER) return `from ${key.min}${unit} up`;
  return `from ${key.min} to ${key.max}${unit}`;
}

function readInteger(key: IntegerKey, raw: bigint): Reading {
  // A Snow-Owl file with a negative number never loaded; one beyond these bounds did.
  const isMistake = key.origin === "ours" || raw < 0n;
  const value = raw < key.min ? key.min : raw > key.max ? key.max : Number(raw);
  return inRange(key, String(raw), value, BigInt(value) === raw, isMistake);
}

function readDecimal(key: DecimalKey, raw: number): Reading {
  const value = Number.isNaN(raw) ? key.default : Math.min(Math.max(raw, key.min), key.max);
  return inRange(key, String(raw), value, value === raw, key.origin === "ours");
}

function inRange(
  key: IntegerKey | DecimalKey,
  written: string,
  value: number,
  isWithin: boolean,
  isMistake: boolean,
): Reading {
  if (isWithin) return { value };
  const bounds = boundsOf(key);
  if (isMistake) return failed(`cannot be ${written}`, `write a number ${bounds}.`);
  const message = `is ${written}, beyond its bounds; ${value} is used`;
  return { value, warnings: [{ fault: { message, remedy: `write a number ${bounds}.` } }] };
}

function readWord(values: readonly string[], raw: string): Reading {
  if (values.includes(raw)) return { value: raw };
  const near = nearest(raw.toLowerCase(), values);
  const choices = values.map((word) => `"${word}"`).join(", ");
  const remedy = near === undefined ? `write one of ${choices}.` : `did you mean "${near}"?`;
  return failed(`cannot be ${JSON.stringify(raw)}`, remedy);
}

function readVariables(raw: unknown): Reading {
  for (const [name, value] of Object.entries(raw as Readonly<Record<string, unknown>>)) {
    if (typeof value === "string") continue;
    const message = `must hold strings alone, but \`${name}\` is ${describe(value)}`;
    return failed(message, `put it in quotes: ${name} = "…".`);
  }
  return { value: raw };
}

function readTexts(key: TextsKey, raw: readonly unknown[]): Reading {
  const warnings: Blame[] = [];
  for (const [element, text] of raw.entries()) {
    if (typeof text !== "string") {
      const message = `must hold strings alone, not ${describe(text)}`;
      return { fault: { message, remedy: "put each element in quotes." }, element };
    }
    const reading = key.values === undefined ? { value: text } : readWord(key.values, text);
    if ("fault" in reading) return { fault: reading.fault, element };
    const fault = key.of === undefined ? undefined : elementFault(key.of, text);
    if (fault === undefined) continue;
    if (key.origin === "ours") return { fault, element };
    // A Snow-Owl file with such a text loaded, and the text was never heard of again.
    warnings.push({ fault: { ...fault, message: `${fault.message}; it is ignored` }, element });
  }
  return warnings.length === 0 ? { value: raw } : { value: raw, warnings };
}

/** What is wrong with an element; it is named, because the caret may stand in a long line. */
function elementFault(kind: ElementKind, text: string): PlacedFault | undefined {
  // A header is not named: it may hold a secret, and messages travel further than files.
  if (kind === "http-header") return namedFault("an element", headerFault(text));
  return namedFault(JSON.stringify(text), elementFaults[kind](text));
}

const elementFaults = {
  "absolute-path": absolutePathFault,
  "name-pattern": patternFault,
  account: accountFault,
} as const;

function namedFault(name: string, fault: PlacedFault | undefined): PlacedFault | undefined {
  return fault && { ...fault, message: `holds ${name}, which ${fault.message}` };
}

function readText(kind: TextKind, raw: string): Reading {
  const fault = textFault(kind, raw);
  return fault === undefined ? { value: raw } : { fault };
}

/** What is wrong with a string of this format. */
function textFault(kind: TextKind, raw: string): PlacedFault | undefined {
  switch (kind) {
    case "text":
      return undefined;
    case "path":
      return raw.includes("\0")
        ? { message: "holds a NUL character", remedy: "no file name can hold one; remove it." }
        : undefined;
    case "socket-address":
      return faultOf(parseListenAddress(raw));
    case "status-address":
      return raw === "" ? undefined : faultOf(parseListenAddress(raw));
    case "port-range":
      return faultOf(parsePortRange(raw));
    case "ip-address":
      return ipVersion(raw) === undefined
        ? { message: "is not an IP address", remedy: 'write a literal such as "ff12::8000:1".' }
        : undefined;
    case "log-level":
      return parseLevel(raw) === undefined ? levelFault(raw) : undefined;
    case "folder-below":
      return folderBelowFault(raw);
    case "file-name":
      return fileNameFault(raw);
    case "file-mode":
      return fileModeFault(raw);
    case "account":
      return accountFault(raw);
    case "name-pattern":
      return patternFault(raw);
    case "http-url":
      return httpUrlFault(raw);
    default:
      return unreachable(kind);
  }
}

function faultOf(answer: object | undefined): Fault | undefined {
  return answer !== undefined && isFault(answer) ? answer : undefined;
}

function levelFault(raw: string): Fault | undefined {
  const reading = readWord(logLevels, raw);
  return "fault" in reading ? reading.fault : undefined;
}

function mistyped(expected: string, raw: unknown): Reading {
  return failed(`must be ${expected}, not ${describe(raw)}`, remedyFor(expected, raw));
}

function failed(message: string, remedy: string): Reading {
  return { fault: { message, remedy } };
}

/** The remedy for a wrong type, with the value itself where it only needs other quotes. */
function remedyFor(expected: string, raw: unknown): string {
  if (typeof raw === "string" && (/^\d+$/u.test(raw) || raw === "true" || raw === "false")) {
    return `write ${raw} without quotes.`;
  }
  if (expected === "a string") return "put the value in quotes.";
  if (expected.startsWith("an array") && typeof raw === "string") {
    return `put it in brackets: [${JSON.stringify(raw)}].`;
  }
  return `write ${expected}.`;
}

/** The TOML type of a value, with its article. */
export function describe(raw: unknown): string {
  if (typeof raw === "string") return "a string";
  if (typeof raw === "boolean") return "a boolean";
  if (typeof raw === "bigint") return "an integer";
  if (typeof raw === "number") return "a float";
  if (Array.isArray(raw)) return "an array";
  return raw instanceof TomlDate ? "a date" : "a table";
}
