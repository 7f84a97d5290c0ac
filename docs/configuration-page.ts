// Writes docs/configuration.md from the schema: what an administrator needs to know about each key.
// The text is formatted as `bun fmt` leaves it, so that the page needs no second hand.

import { toml } from "#config/initial.ts";
import type { Key } from "#config/key.ts";
import {
  isListPath,
  keyPaths,
  keys,
  lists,
  nameOf,
  sections,
  tableOf,
  tolerated,
} from "#config/schema.ts";
import { boundsOf } from "#config/value.ts";

import { table } from "./markdown.ts";

const INTRODUCTION = `# Configuration

<!-- Written by docs/generate.ts from the tables in src/config; change those. -->

The server reads one TOML file. Every key and every table may be left out, and an empty file is a valid
one; the shortest useful file names the folder to serve:

\`\`\`toml
root_dir = "/var/lib/tftpboot"
\`\`\`

- Flags on the command line win over the file, and the file wins over the defaults.
- A value of the wrong type stops the start with the line, a caret and a remedy. An unknown key is a
  warning that names the nearest key there is.
- \`snow-owl-tftp check\` says what a file resolves to on this machine, and which of its keys do nothing.
- \`snow-owl-tftp --init-config\` writes a file with every key that does something, at its default.

A file written for Snow-Owl loads unchanged. Where a default differs from Snow-Owl's, the key says so, and
[Differences from Snow-Owl](#differences-from-snow-owl) collects them. A key marked _new_ is one that
Snow-Owl does not have. A key marked _restart_ is read at the start alone; all others follow a
[reload](operations.md#reload).`;

/** The whole page. */
export function configurationPage(): string {
  const parts = [INTRODUCTION, contents()];
  for (const { path, title, about } of sections) {
    const live = liveKeys(path);
    if (live.length === 0) continue;
    parts.push(`## ${title}`);
    if (isListPath(path)) parts.push(`\`[[${path}]]\`, any number of times`);
    else if (path !== "") parts.push(`\`[${path}]\``);
    parts.push(about.join(" "), live.map(describeKey).join("\n"));
  }
  parts.push(differences(), inertKeys(), toleratedTables());
  return `${parts.join("\n\n")}\n`;
}

function contents(): string {
  const titles = sections.filter(({ path }) => liveKeys(path).length > 0).map(({ title }) => title);
  titles.push("Differences from Snow-Owl", "Keys that do nothing", "Other programs' tables");
  return titles.map((title) => `- [${title}](#${anchor(title)})`).join("\n");
}

/** A list item: the key, what it takes, its default, and its sentences. */
function describeKey([name, key]: readonly [string, Key]): string {
  const facts = [typeOf(key), defaultOf(key)];
  if (key.theirs !== undefined) facts.push(`Snow-Owl's ${code(key.theirs)}`);
  if (key.origin === "ours") facts.push("_new_");
  if (key.needsRestart === true) facts.push("_restart_");
  const sentences = [...key.about];
  // A default that differs is explained once, in the table of differences.
  if (key.because !== undefined && key.theirs === undefined) {
    sentences.push(`Why this default: ${key.because}`);
  }
  return `- **\`${name}\`** (${facts.join(", ")}): ${sentences.join(" ")}`;
}

function defaultOf(key: Key): string {
  if (key.isRequired === true) return "required";
  return key.inherits === undefined
    ? `default \`${toml(key.default)}\``
    : `default that of \`${key.inherits}\``;
}

/** Where our default is another, and why. */
function differences(): string {
  const rows = keyPaths
    .map((path) => ({ path, key: keys[path] }))
    .filter(({ key }) => key.theirs !== undefined)
    .map(({ path, key }) => [
      `\`${path}\``,
      code(key.theirs ?? ""),
      `\`${toml(key.default)}\``,
      key.because ?? "",
    ]);
  return [
    "## Differences from Snow-Owl",
    "Only what a file leaves out is affected; a value that is set is honoured.",
    table(["Key", "Snow-Owl's default", "Default here", "Because"], rows),
  ].join("\n\n");
}

/** Keys of Snow-Owl that have no effect, by table. */
function inertKeys(): string {
  const inert = keyPaths.filter((path) => keys[path].note !== undefined);
  const items = inert.map((path) => `- \`${path}\`: ${keys[path].note}`);
  return [
    "## Keys that do nothing",
    "These keys of Snow-Owl's are accepted, with the types they had, so that its files load. They have no effect here:",
    items.join("\n"),
  ].join("\n\n");
}

function toleratedTables(): string {
  const items = tolerated.map(({ path, because }) => `- \`${path}\`: ${because}`);
  return [
    "## Other programs' tables",
    "These stand in files that describe Snow-Owl or its companions. They are passed over with a remark:",
    items.join("\n"),
  ].join("\n\n");
}

/** What a key takes, in words. */
function typeOf(key: Key): string {
  switch (key.kind) {
    case "integer":
    case "decimal":
      return `${key.kind === "integer" ? "integer" : "number"} ${boundsOf(key)}`;
    case "boolean":
      return "`true` or `false`";
    case "choice":
      return key.values.map((value) => `\`"${value}"\``).join(" or ");
    case "texts":
      return "array of strings";
    case "text":
      return "string";
    case "variables":
      return "table of strings";
    case "path":
      return "path";
    case "folder-below":
      return "folder";
    case "file-name":
      return "name";
    case "file-mode":
      return "octal digits";
    case "account":
      return "name or number";
    case "name-pattern":
      return "pattern";
    case "http-url":
      return "web address";
    case "socket-address":
    case "status-address":
      return "address and port";
    case "ip-address":
      return "IP address";
    case "port-range":
      return "range of ports";
    case "log-level":
      return "level or filter";
  }
  return key satisfies never;
}

/** The keys of a section that do something, by their names in it. */
function liveKeys(section: string): (readonly [string, Key])[] {
  if (isListPath(section)) return Object.entries(lists[section]);
  return keyPaths
    .filter((path) => tableOf(path) === section && keys[path].note === undefined)
    .map((path) => [nameOf(path), keys[path]]);
}

/** A default of Snow-Owl's: TOML as code, a rule in words as it is. */
function code(theirs: string): string {
  return /^(?:"[^"]*"|[\d.]+|true|false)$/u.test(theirs) ? `\`${theirs}\`` : theirs;
}

function anchor(title: string): string {
  return title.toLowerCase().replaceAll("'", "").replaceAll(" ", "-");
}
