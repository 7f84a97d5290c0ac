// What an administrator wrote: any text whatever is a configuration, or problems that each have a place and a remedy. What loads can be
// written back and loads as the same; what is found sound resolves, and decides on requests.

import * as fc from "fast-check";

import { type Config, defaults, isSet, valueAt } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import type { Files } from "#config/files.ts";
import type { Key } from "#config/key.ts";
import { loadConfig } from "#config/load.ts";
import { nowhere, type Problem, renderProblem } from "#config/problem.ts";
import { reconcile } from "#config/reconcile.ts";
import {
  type EntryPlaces,
  type KeyPath,
  keyPaths,
  keys,
  type ListPath,
  listPaths,
  lists,
  nameOf,
  tableOf,
} from "#config/schema.ts";
import { type Machine, resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";
import { compilePolicy, Policy } from "#policy/policy.ts";

import { asking } from "../unit/policy/rig.ts";
import {
  bytesOf,
  demand,
  demandSame,
  lineEnd,
  type Target,
  textOf,
  wholeFile,
  words,
} from "./target.ts";

const files = words(
  "dropbox minimal nat-container phase1-optimized pxe raspberry-pi switch-ztp try uploads windows-wds",
).map((name) => `examples/${name}.toml`);

const ours = words("config unprintable").map((name) => `test/fuzz/corpus/${name}.txt`);

/** What may stand behind a `=`, or not. */
const values: readonly string[] = [
  ...words(`"" """ ''' ' true false [] {} {a=1} [[]] [1,2] nan -inf 1e400 -0 1979-05-27 07:32:00`),
  ...words(String.raw`1979-05-27T07:32:00Z "\u0000" "\U0010FFFF" "\x00" "\u007f\u009b"`),
];

const tokens: readonly string[] = [
  ...keyPaths.flatMap((path) => [`${path} = `, `${nameOf(path)} = ${toml(keys[path].default)}\n`]),
  ...new Set(keyPaths.map((path) => `[${tableOf(path)}]\n`)),
  ...listPaths.flatMap((path) => [
    `[[${path}]]\n`,
    ...Object.keys(lists[path]).map((name) => `${name} = `),
  ]),
  ...values,
  ...["__proto__", "constructor.prototype", "toString", "a.b.c", '"a b"'].map(
    (key) => `${key} = 1\n`,
  ),
  ...words(String.raw`# = , . \u0000 \U0010FFFF \x00`),
  "\\\n",
  "\r\n",
  "\t",
  "\u{FEFF}",
];

const value: fc.Arbitrary<string> = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.string().map(toml),
  fc
    .array(fc.constantFrom("a", "b/*", "tsize", "10.0.0.0/8", "X: y", "/srv"), { maxLength: 3 })
    .map(toml),
  fc.boolean().map(String),
  fc.constantFrom(...values),
);

/** A value that suits the key more often than not. */
function valueFor(key: Key): fc.Arbitrary<string> {
  const own = toml(key.default);
  const fit =
    key.kind === "integer"
      ? fc.integer({ min: key.min, max: Math.min(key.max, key.min + 99_999) }).map(String)
      : fc.constant(own);
  const word = key.kind === "choice" ? fc.constantFrom(...key.values).map(toml) : fit;
  return fc.oneof({ weight: 3, arbitrary: word }, { weight: 1, arbitrary: value });
}

const topLine: fc.Arbitrary<string> = fc
  .constantFrom(...keyPaths)
  .chain((path) => valueFor(keys[path]).map((text) => `${path} = ${text}\n`));

const listEntry: fc.Arbitrary<string> = fc.constantFrom(...listPaths).chain((path) => {
  const row = fc
    .constantFrom(...Object.entries<Key>(lists[path]))
    .chain(([name, key]) => valueFor(key).map((text) => [name, text] as const));
  return fc
    .uniqueArray(row, { selector: ([name]) => name, maxLength: 6 })
    .map((all) => `[[${path}]]\n${all.map(([name, text]) => `${name} = ${text}\n`).join("")}`);
});

const document: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.uniqueArray(topLine, { selector: (line) => line.split(" ")[0], maxLength: 8 }),
    fc.array(listEntry, { maxLength: 4 }),
  )
  .map(([top, entries]) => bytesOf([...top, ...entries].join("")));

export const configTarget: Target = {
  name: "config",
  inputs: 1024,
  shape: document,
  judge: judgeDocument,
  corpus: [...files, ...ours].map(wholeFile),
  tokens: tokens.map(bytesOf),
  separator: lineEnd,
};

/** A machine on which everything is there and allowed. */
const yes = (): boolean => true;
const obliging: Files = {
  exists: yes,
  isDirectory: yes,
  isReadable: yes,
  isWritable: yes,
  isProgram: yes,
  canAppend: yes,
  read: () => ({ code: "ENOENT" }),
};
const machine: Machine = { cores: 4, memoryBytes: 8 * 1024 ** 3 };

function judgeDocument(input: Uint8Array): void {
  const text = textOf(input);
  const { config, problems, warnings } = loadConfig(text, "tftp.toml");
  for (const problem of [...problems, ...warnings]) judgeProblem(problem, text);
  demandSame(
    config === undefined,
    problems.length > 0,
    "a file is a configuration or has problems",
  );
  demand(
    problems.length + warnings.length <= text.length + Object.keys(lists).length,
    "problems are counted",
  );
  if (config === undefined) return;
  const written = documentOf(config);
  const again = loadConfig(written, "again.toml");
  demandSame(again.problems, [], `what loads can be written back: ${written}`);
  demandSame(
    plain(again.config ?? defaults),
    plain(config),
    "a configuration is read as it was written",
  );
  for (const path of config.sources.keys()) judgePlace(config, path);
  reconcile(defaults, config);
  const findings = validateConfig(config, obliging, "tftp.toml");
  for (const finding of findings) judgeProblem(finding, text);
  if (findings.some(({ severity }) => severity === "error")) return;
  judgeSound(config);
}

function judgeProblem(problem: Problem, text: string): void {
  const { line, column, length, sourceLine, severity, message, remedy } = problem;
  const lines = text.replace(/^\u{FEFF}/u, "").split(/\r?\n/u);
  demand(line >= 0 && line <= lines.length, "a problem is on a line of the file");
  if (line > 0) demandSame(sourceLine, lines[line - 1], "a problem shows its line");
  demand(
    line === 0 || (column >= 1 && column <= sourceLine.length + 1),
    "a problem is in its line",
  );
  demand(
    length >= 1 && length <= Math.max(sourceLine.length, 1),
    "a problem is no longer than its line",
  );
  demand(
    message !== "" && (severity === "note" || remedy !== ""),
    "who complains says why and what to do",
  );
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  const controls = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/;
  demand(!controls.test(renderProblem(problem)), "what is printed cannot colour a terminal");
}

/** A key's value stands where it is said to stand, if it stands on one line. */
function judgePlace(config: Config, path: KeyPath): void {
  const { sourceLine, column, length } = config.sources.get(path) ?? nowhere("");
  const written = sourceLine.slice(column - 1, column - 1 + length);
  if (/^(?:[[{]|"""|''')/.test(written)) return;
  const alone = loadConfig(`${path} = ${written}`, "alone.toml").config;
  demandSame(
    alone && valueAt(alone, path),
    valueAt(config, path),
    `${path} stands where it is said to`,
  );
}

/** A configuration without errors runs: it resolves to plain data, and its policy compiles and decides. */
function judgeSound(config: Config): void {
  const settings = resolveSettings(config, machine);
  demandSame(structuredClone(settings), settings, "settings cross between threads");
  demand(settings.listeners.length > 0 && settings.workers > 0, "someone listens");
  explainSettings(config, machine);
  const policy = compilePolicy(settings.policy);
  demand(policy instanceof Policy, "a policy without findings compiles");
  for (const name of ["pxelinux.0", "boot/../a", "C:\\a", "\u00ff\u00fe", "a".repeat(300)]) {
    for (const isWrite of [false, true]) {
      const decision = policy.decide(asking(name, { isWrite, mac: "b8:27:eb:00:00:01" }));
      demand(
        !decision.isAllowed || !/(?:^|\/)\.\.?(?:\/|$)/.test(decision.path),
        "what is allowed is a clean name",
      );
    }
  }
}

/** What was written in a configuration, without where. */
function plain(config: Config): unknown {
  return [
    ...keyPaths.map((path) => [path, isSet(config, path), valueAt(config, path)]),
    ...listPaths.map((path) =>
      entriesOf(config, path).map((entry) => {
        const written = writtenIn(entry.sources);
        return [written, Object.keys(lists[path]).map((name) => valueIn(entry, name))];
      }),
    ),
  ];
}

function entriesOf(config: Config, path: ListPath): readonly EntryPlaces[] {
  return valueAt(config, path) as readonly EntryPlaces[];
}

function valueIn(entry: EntryPlaces, name: string): unknown {
  return (entry as unknown as Readonly<Record<string, unknown>>)[name];
}

/** The keys that an entry has of its own; elements of arrays have places, too. */
function writtenIn(sources: EntryPlaces["sources"]): readonly string[] {
  return [...sources.keys()].filter((name) => !name.includes("[")).toSorted();
}

/** The file that says what `config` says. */
function documentOf(config: Config): string {
  const top = keyPaths
    .filter((path) => isSet(config, path))
    .map((path) => `${path} = ${toml(valueAt(config, path))}\n`);
  const entries = listPaths.flatMap((path) =>
    entriesOf(config, path).map((entry) => {
      const written = writtenIn(entry.sources).map(
        (name) => `${name} = ${toml(valueIn(entry, name))}\n`,
      );
      return `[[${path}]]\n${written.join("")}`;
    }),
  );
  return [...top, ...entries].join("");
}

/** A value as TOML. JSON's strings are TOML's, but for DEL. */
function toml(content: unknown): string {
  if (Array.isArray(content)) return `[${content.map(toml).join(", ")}]`;
  if (typeof content === "object" && content !== null) {
    return `{ ${Object.entries(content)
      .map(([name, each]) => `${toml(name)} = ${toml(each)}`)
      .join(", ")} }`;
  }
  return JSON.stringify(content).replaceAll("\u007f", "\\u007f");
}
