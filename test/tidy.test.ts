// The house style, checked by machine: layers, headers, sizes, and the words that have no place in a layer.
// Each rule is a function of one file's text, and is shown here to refuse something as well as to accept the tree.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const projectFolder: string = resolve(import.meta.dir, "..");

// A file may import from its own folder or from a lower rank; main.ts stands above them all.
const ranks: ReadonlyMap<string, number> = new Map([
  ["base", 0],
  ["protocol", 1],
  ["policy", 1],
  ["ffi", 1],
  ["config", 2],
  ["io", 2],
  ["storage", 2],
  ["server", 3],
  ["client", 3],
  ["supervisor", 4],
  ["cli", 5],
  ["main", 6],
]);

const seesFfi: ReadonlySet<string> = new Set(["ffi", "io", "storage"]);
const mayAwait: ReadonlySet<string> = new Set(["supervisor", "cli", "main"]);
const pure: ReadonlySet<string> = new Set(["protocol", "policy"]);
const linesMax = 450;

interface Source {
  /** Relative to the project. */
  readonly path: string;
  /** The layer, or `tool` for tests, benchmarks, documentation and build. */
  readonly layer: string;
  readonly text: string;
}

type Rule = (source: Source) => readonly string[];

const rules: Readonly<Record<string, Rule>> = {
  "imports point down": wrongImports,
  "a header of two lines says what the file is for": missingHeader,
  "a file has at most 450 lines": tooLong,
  "no default exports": (source) => matches(source, /\bexport default\b/),
  "ptr( only in ffi": (source) => (source.layer === "ffi" ? [] : matches(source, /\bptr\(/)),
  "nothing is asynchronous below the supervisor": (source) =>
    mayAwait.has(source.layer) || source.layer === "tool"
      ? []
      : matches(source, /\b(?:async|await|Promise)\b/),
  "protocol and policy know no machine": (source) =>
    pure.has(source.layer)
      ? matches(source, /\b(?:Date|process|Bun|performance|console|Worker|Math\.random)\b|"node:/)
      : [],
  "non-null assertions only in base/bytes.ts": (source) =>
    source.path === "src/base/bytes.ts"
      ? []
      : matches(source, /[\w)\]]!(?=[.,;)\]}[\s]|$)(?!\s*=)/),
  "console.log only in the command line": (source) =>
    source.layer === "cli" || source.layer === "tool" ? [] : matches(source, /\bconsole\.\w/),
  "nothing is left for later": (source) =>
    // Comments count, so the words are spelled here in a way that this very rule does not find.
    matchesIn(source.text, /\b(?:T[O]DO|F[I]XME|X[X]X)\b/),
};

const sources: readonly Source[] = [
  ...sourcesIn("src"),
  ...sourcesIn("ffi"),
  ...sourcesIn("test"),
  ...sourcesIn("bench"),
  ...sourcesIn("docs"),
  ...sourcesIn("packaging"),
  ...sourcesIn("examples"),
  source("build.ts"),
];

describe("every file", () => {
  test("was found", () => {
    expect(sources.length).toBeGreaterThan(30);
    expect(new Set(sources.map(({ layer }) => layer))).toContain("protocol");
  });

  for (const [name, rule] of Object.entries(rules)) {
    test(name, () => {
      const faults = sources.flatMap((each) => rule(each).map((fault) => `${each.path}: ${fault}`));
      expect(faults).toEqual([]);
    });
  }
});

describe("the rules can refuse", () => {
  const refused: readonly (readonly [rule: string, path: string, text: string])[] = [
    ["imports point down", "src/base/a.ts", 'import { x } from "#server/x.ts";'],
    ["imports point down", "src/server/a.ts", 'import type { X } from "#ffi/file.ts";'],
    ["imports point down", "src/protocol/a.ts", 'import { x } from "#policy/path.ts";'],
    ["imports point down", "src/io/a.ts", 'import { x } from "../base/bytes.ts";'],
    ["imports point down", "src/io/a.ts", 'import {\n  x,\n} from "citty";'],
    ["imports point down", "src/server/a.ts", 'const x = import("./b.ts");'],
    ["imports point down", "ffi/a.ts", 'export * from "#io/waiter.ts";'],
    ["a header of two lines says what the file is for", "src/io/a.ts", "// One line.\n\ncode();"],
    ["a file has at most 450 lines", "src/io/a.ts", "\n".repeat(451)],
    ["no default exports", "src/io/a.ts", "export default 1;"],
    ["ptr( only in ffi", "src/io/a.ts", "call(ptr(bytes));"],
    ["nothing is asynchronous below the supervisor", "src/server/a.ts", "async function f() {}"],
    ["protocol and policy know no machine", "src/policy/a.ts", "const now = Date.now();"],
    ["protocol and policy know no machine", "src/policy/a.ts", 'import fs from "node:fs";'],
    ["non-null assertions only in base/bytes.ts", "src/io/a.ts", "const x = list[0]!;"],
    ["non-null assertions only in base/bytes.ts", "src/io/a.ts", "f(map.get(1)!.size);"],
    ["console.log only in the command line", "src/server/a.ts", 'console.log("x");'],
    ["nothing is left for later", "src/io/a.ts", `// ${["TO", "DO"].join("")}: later`],
  ];
  for (const [rule, path, text] of refused) {
    test(`${rule}: ${JSON.stringify(text.slice(0, 60))}`, () => {
      expect(rules[rule]?.({ path, layer: layerOf(path), text })).not.toEqual([]);
    });
  }

  test("but not what comments and strings say", () => {
    const text = [
      "// Waits without await; ptr( and process are words here.",
      '// Second line.\nconst a = "async Promise" + `Date ${b} process`;',
      "const c = a !== b && !d;\nconst e = /[\"'`]await/.test(a);",
    ].join("\n");
    for (const rule of Object.values(rules)) {
      expect(rule({ path: "src/protocol/a.ts", layer: "protocol", text })).toEqual([]);
    }
  });
});

// `import … from "x"`, `export … from "x"`, `import "x"`; a dynamic import() has no group.
const importPattern = /^(?:import|export)\b(?:[^;"'=(]*?\bfrom)?\s*"([^"]+)"|\bimport\(/gm;

function wrongImports({ path, layer, text }: Source): readonly string[] {
  if (layer === "tool") return [];
  const rank = ranks.get(layer) ?? -1;
  const faults: string[] = [];
  for (const [, specifier] of text.matchAll(importPattern)) {
    if (specifier === undefined) {
      faults.push("an import() where a static import is due");
      continue;
    }
    if (specifier.startsWith("./")) {
      // main.ts stands beside the folders: it writes `#cli/x.ts` all the same.
      if (specifier.includes("/", 2)) faults.push(`${specifier} crosses folders without #`);
      continue;
    }
    const target = /^#(\w+)\/[\w-]+\.ts$/.exec(specifier)?.[1];
    if (target === undefined) {
      if (!isAllowedOutside(path, layer, specifier))
        faults.push(`${specifier} does not belong here`);
    } else if (target === layer) {
      faults.push(`${specifier} is in the same folder: write ./`);
    } else if ((ranks.get(target) ?? Infinity) >= rank) {
      faults.push(`${specifier} is not below ${layer}`);
    } else if (target === "ffi" && !seesFfi.has(layer)) {
      faults.push(`${specifier}: only io and storage see ffi`);
    }
  }
  return faults;
}

// Packages are seen by one layer each; Bun's and Node's own modules not by the pure layers.
function isAllowedOutside(path: string, layer: string, specifier: string): boolean {
  if (specifier === "citty") return layer === "cli";
  if (specifier === "smol-toml") return layer === "config";
  if (specifier === "bun:ffi") return layer === "ffi";
  if (specifier === "bun:jsc") return layer === "io";
  if (specifier.endsWith("package.json")) return mayAwait.has(layer) || path === "build.ts";
  return specifier.startsWith("node:") && !pure.has(layer);
}

function missingHeader({ layer, text }: Source): readonly string[] {
  const lines = text.replace(/^#!.*\n/, "").split("\n");
  const headerLines = lines.findIndex((line) => !line.startsWith("//"));
  // A test says what it tests in its names; one line above them is enough.
  const least = layer === "tool" ? 1 : 2;
  return headerLines >= least
    ? []
    : [`${Math.max(headerLines, 0)} header lines instead of ${least}`];
}

function tooLong({ text }: Source): readonly string[] {
  const lines = text.split("\n").length - 1;
  return lines <= linesMax ? [] : [`${lines} lines`];
}

function matches(source: Source, pattern: RegExp): readonly string[] {
  return matchesIn(codeOf(source.text), pattern);
}

function matchesIn(text: string, pattern: RegExp): readonly string[] {
  return text
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`line ${index + 1}: ${line.trim()}`] : []));
}

/** The text with comments, regular expressions and the insides of strings blanked; module names stay. */
function codeOf(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=[(=,:[!&|?{};]\s*|\breturn\s+|^\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/gm;
  return text.replace(token, (found) =>
    /^"(?:node|bun):/.test(found) ? found : found.replace(/[^\n]/g, " "),
  );
}

function sourcesIn(folder: string): readonly Source[] {
  return readdirSync(join(projectFolder, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .toSorted()
    .map((path) => source(join(folder, path)));
}

function source(path: string): Source {
  return { path, layer: layerOf(path), text: readFileSync(join(projectFolder, path), "utf8") };
}

function layerOf(path: string): string {
  if (path === "src/main.ts") return "main";
  if (path.startsWith("ffi/")) return "ffi";
  return /^src\/(\w+)\//.exec(path)?.[1] ?? "tool";
}
