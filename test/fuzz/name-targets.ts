// What a name meets on its way to a file: cleaning, patterns, texts with variables, rules, templates, and the URLs of our client. Nothing is
// thrown, what is clean stays so, patterns take steps in proportion to the name, and what is accepted can be written back.

import { i32At } from "#base/bytes.ts";
import { matchesGlob, parseGlob } from "#policy/glob.ts";
import { byteString, byteStringOf, lowerCase, textOf as nameText } from "#policy/names.ts";
import { cleanName, segmentsOf, tidyName } from "#policy/path.ts";
import { compilePattern, type PatternSpec, replaceMatch } from "#policy/pattern.ts";
import { INSTRUCTIONS_MAX } from "#policy/regex-program.ts";
import type { Regex } from "#policy/regex.ts";
import { compileRule, type Rule } from "#policy/rule.ts";
import { RuleList } from "#policy/rules.ts";
import { compileTemplate } from "#policy/template.ts";
import {
  escapeText,
  isTextFault,
  parseText,
  renderText,
  requestVariables,
  type Text,
} from "#policy/text.ts";
import { formatTarget, parseTarget } from "#protocol/uri.ts";

import { asking, ruleSpec } from "../unit/policy/rig.ts";
import {
  bytesOf,
  demand,
  demandSame,
  lineEnd,
  piecesOf,
  type Target,
  textCorpus,
  textOf,
  words,
} from "./target.ts";

const pathPieces = [
  ...words(String.raw`/ \ .. . a C: c:/ srv /srv/tftp tftp/ a..b .hidden é ÿ`),
  " ",
  "\0",
];
const globPieces = [...words("* ** ? [ ] ! - [!a] [a-z] / a b . é **/ /** a*"), "\n"];
const regexPieces = [
  ...words(
    String.raw`( ) (?: (?i) | [ ] [^ - * + ? *? { } {2} {1,3} {,2} {255} , ^ $ \b \B \< \w \d \x41 \x{42} \ \1 \Q`,
  ),
  ...words("[[:alpha:]] [: :] . a b ab é 1 (a|b)* (?= aab"),
  "\n",
];
const textPieces = [
  ...words(
    "{ } {{ }} $ $$ ${ $${ {0} {1} {9} {10} {name} {mac:upper} {ip:lower} : :lower} {host a é",
  ),
  " ",
];
const tabs = ["\t", "\t", "\t", "glob\t", "regex\t", "ere\t"];
const rulePieces = [...regexPieces, ...globPieces, ...textPieces, ...tabs, ...words("i r n d w")];
const uriPieces = [
  ...words(
    "tftp:// TFTP:// http:// host [ ] fe80::1 %25eth0 %eth0 : 69 6969 65536 / % %00 %2F %ff ;",
  ),
  ...words(";mode=octet ;mode=NetASCII ;mode= a é // @"),
  " ",
  "\n",
];

const rows: readonly (readonly [
  name: string,
  inputs: number,
  pieces: readonly string[],
  judge: Target["judge"],
])[] = [
  ["path", 5000, pathPieces, judgePath],
  ["glob", 3000, globPieces, judgeGlob],
  ["regex", 3000, regexPieces, judgeRegex],
  ["text", 5000, textPieces, judgeText],
  ["rule", 768, rulePieces, judgeRules],
  ["template", 2000, [...textPieces, ...regexPieces], judgeTemplate],
  ["uri", 5000, uriPieces, judgeUri],
];

export const nameTargets: readonly Target[] = rows.map(([name, inputs, pieces, judge]) => ({
  name,
  inputs,
  judge,
  shape: piecesOf(pieces),
  corpus: textCorpus(`${name}.txt`),
  tokens: pieces.map(bytesOf),
  separator: name === "path" ? 0x2f : lineEnd,
}));

const rootDirs = ["/srv/tftp", "/", "/a"];

function judgePath(input: Uint8Array): void {
  const name = byteString(input);
  for (const rootDir of rootDirs) {
    const tidy = tidyName(name, rootDir);
    demand(tidy.length <= name.length, "a tidy name is no longer");
    const clean = cleanName(name, rootDir);
    const isTraversal = segmentsOf(tidy).includes("..");
    demandSame(!clean.isClean && clean.cause === "traversal", isTraversal, "a .. is called so");
    if (!clean.isClean) continue;
    const { path } = clean;
    demandSame(path, tidy, "a clean name is a tidy one that is not refused");
    demandSame(
      segmentsOf(path).join("/"),
      path,
      "a clean name has no empty segments and none that is a dot",
    );
    demand(!/(?:^|\/)\./.test(path), "no segment of a clean name is .. or hidden");
    demand(
      path !== "" && !path.startsWith("/") && !path.includes("\\"),
      "a clean name is relative",
    );
    demandSame(
      cleanName(`${rootDir}/${path}`, rootDir),
      clean,
      "a clean name behind its root is the same name",
    );
  }
}

/** A pattern on the first line, and a name on the others. */
function patternAndName(input: Uint8Array): readonly [pattern: string, name: string] {
  const end = input.indexOf(lineEnd);
  const pattern = end < 0 ? input : input.subarray(0, end);
  return [textOf(pattern), end < 0 ? "" : byteString(input.subarray(end + 1))];
}

function judgeGlob(input: Uint8Array): void {
  const [text, name] = patternAndName(input);
  const glob = parseGlob(text);
  if (!glob.isGlob)
    demand(glob.at >= 0 && glob.at < text.length, "a fault is somewhere in the pattern");
  for (const ignoreCase of [false, true]) {
    const regex = compilePattern({ kind: "glob", text, ignoreCase });
    if ("message" in regex) continue;
    demand(glob.isGlob, "what compiles is a glob");
    const isMatch = judgeMatch(regex, name);
    // Of bytes that are no text the two know different things.
    const nameAsText = nameText(name);
    if (ignoreCase || byteStringOf(nameAsText) !== name) continue;
    demandSame(isMatch, matchesGlob(glob, nameAsText), "a glob matches what its program matches");
  }
}

function judgeRegex(input: Uint8Array): void {
  const [text, name] = patternAndName(input);
  for (const kind of ["regex", "ere"] as const) {
    for (const ignoreCase of [false, true]) {
      const regex = compilePattern({ kind, text, ignoreCase });
      if ("message" in regex) demand(regex.remedy !== "", "who refuses says what to do");
      else judgeMatch(regex, name);
    }
  }
}

/** Whether `name` matches; the steps are bounded, and the match is a part of the name. */
function judgeMatch(regex: Regex, name: string): boolean {
  demand(regex.captures >= 0 && regex.captures <= 9, "captures have one digit");
  const before = regex.steps;
  const match = regex.exec(name);
  // At each byte an instruction is reached once, and carried out once.
  const stepsMax = 2 * INSTRUCTIONS_MAX * (name.length + 1);
  demand(regex.steps - before <= stepsMax, "a name takes no more steps than bytes × instructions");
  demandSame(regex.test(name), match !== undefined, "there is a match where the pattern matches");
  if (match === undefined) return false;
  for (let slot = 0; slot < match.length; slot += 2) {
    const [start, end] = [i32At(match, slot), i32At(match, slot + 1)];
    const isNone = start === -1 && end === -1 && slot > 0;
    demand(
      isNone || (start >= 0 && start <= end && end <= name.length),
      "a capture is a part of the name",
    );
  }
  demandSame(
    replaceMatch(name, match, name.slice(match[0], match[1])),
    name,
    "a match put into its own place changes nothing",
  );
  const lower = lowerCase(name);
  demand(
    regex.literals.every((literal) => lower.includes(literal)),
    "what matches has the literals by which the pattern is found",
  );
  return true;
}

const known: ReadonlySet<string> = new Set([...requestVariables, "site"]);
const VALUE = "Va{lue}";

function judgeText(input: Uint8Array): void {
  const text = textOf(input);
  const escaped = parseText(escapeText(text), known, 9);
  demand(!isTextFault(escaped), "an escaped text is one");
  demandSame(
    renderText(escaped, () => undefined),
    byteStringOf(text),
    "an escaped text stands for itself",
  );
  const parsed = parseText(text, known, 9);
  if (isTextFault(parsed)) {
    demand(
      parsed.start >= 0 && parsed.start + parsed.length <= text.length,
      "a fault is somewhere in the text",
    );
    return;
  }
  const rendered = renderText(parsed, () => VALUE);
  demand(rendered !== undefined, "a text whose variables have values is rendered");
  demand(
    rendered.length <= (input.length + 2) * Math.max(VALUE.length, 3),
    "a text grows by its values alone",
  );
  const again = parseText(formatText(parsed), known, 9);
  demandSame(again, parsed, "a text is read as it was written");
}

/** A text as someone would write it. A `$` before a variable is doubled. */
function formatText({ pieces }: Text): string {
  return pieces
    .map((piece, index) => {
      if (typeof piece !== "string") {
        return piece.letterCase === "kept"
          ? `{${piece.name}}`
          : `{${piece.name}:${piece.letterCase}}`;
      }
      const literal = escapeText(nameText(piece));
      return index < pieces.length - 1 && literal.endsWith("$") ? `${literal}$` : literal;
    })
    .join("");
}

/** A rule on each line but the last, which is the name: kind, flags, pattern, rewrite, fallback and jump, with tabs between them. */
function judgeRules(input: Uint8Array): void {
  const lines = byteString(input).split("\n");
  const name = lines.pop() ?? "";
  const rules = lines
    .slice(0, 8)
    .map((line, index) => ruleOf(line, index))
    .filter((rule) => rule !== undefined);
  const list = new RuleList(rules);
  const request = asking(name);
  let traced = 0;
  const ruling = list.decide(request, name, valueOf);
  const explained = list.decide(request, name, valueOf, () => {
    traced += 1;
  });
  demandSame(explained, ruling, "who explains decides as the server does");
  demand(traced <= 1026 * (rules.length + 1), "rules that go round in circles are left");
  // 4,096 bytes are let grow once more.
  const textMax = Math.max(0, ...lines.map((line) => line.length));
  const nameMax = Math.max(name.length, 4096) * (textMax + 1);
  demand(ruling.name.length <= nameMax, "a name grows no longer than one rewriting makes it");
  demand(ruling.fallbacks.length <= 8, "fallbacks are counted");
  demand(
    !rules.some(({ regex }) => regex !== undefined && regex.captures > 9),
    "captures have one digit",
  );
}

/** Every variable has a value, but one. */
function valueOf(variable: string): string | undefined {
  return variable === "mac" ? undefined : variable;
}

const kinds: readonly PatternSpec["kind"][] = ["glob", "regex", "ere"];

function ruleOf(line: string, index: number): Rule | undefined {
  const [word = "", flags = "", text = "", rewrite = "", fallback = "", goTo = ""] =
    line.split("\t");
  const kind = kinds.find((each) => each === word);
  const action = flags.includes("d")
    ? "deny"
    : flags.includes("a")
      ? "allow"
      : flags.includes("s")
        ? "stop"
        : "next";
  const spec = ruleSpec({
    label: String(index),
    request: flags.includes("w") ? "write" : "any",
    pattern: kind === undefined ? undefined : { kind, text, ignoreCase: flags.includes("i") },
    isNegated: flags.includes("n"),
    isRepeated: flags.includes("r"),
    rewrite: rewrite === "" ? undefined : rewrite,
    fallback: fallback === "" ? undefined : fallback,
    action,
    goTo,
  });
  const rule = compileRule(spec, known);
  if (!("remedy" in rule)) return rule;
  demand(rule.remedy !== "" && rule.message !== "", "who refuses says why and what to do");
  return undefined;
}

/** A pattern, a name, and a text on the other lines. */
function judgeTemplate(input: Uint8Array): void {
  const [pattern = "", name = "", ...lines] = textOf(input).split("\n");
  const text = lines.join("\n");
  for (const kind of kinds) {
    const template = compileTemplate(
      { pattern: { kind, text: pattern, ignoreCase: false }, text },
      known,
    );
    if ("remedy" in template) {
      const { start, length } = template.at ?? { start: 0, length: 0 };
      demand(start + length <= text.length, "a fault is somewhere in the text");
      continue;
    }
    const rendered = renderText(template.text, () => VALUE);
    demand(rendered !== undefined, "a template whose variables have values is rendered");
    judgeMatch(template.regex, byteStringOf(name));
  }
}

function judgeUri(input: Uint8Array): void {
  const text = textOf(input);
  const target = parseTarget(text);
  if ("fault" in target) {
    demand(target.remedy !== "", "who refuses says what to do");
    return;
  }
  demand(!target.name.includes(0) || !text.startsWith("tftp://"), "a URL names no NUL");
  const url = formatTarget(target);
  const again = parseTarget(url);
  // The usual port is not written.
  demandSame(
    again,
    { ...target, port: target.port === 69 ? undefined : target.port },
    `${url} is what it was made of`,
  );
}
