// The configuration file that `--init-config` writes (config layer): every key that does something, with what
// it means, commented out at its default. It loads back to the defaults, and so does each line uncommented.

import { defaults, valueAt } from "./config.ts";
import type { Key } from "./key.ts";
import {
  isListPath,
  keyPaths,
  keys,
  type ListPath,
  lists,
  nameOf,
  sections,
  tableOf,
} from "./schema.ts";
import { boundsOf } from "./value.ts";

/** Lines of prose are wrapped to this many columns. */
const COLUMNS = 100;

/** The text of the file. Prose begins with `# `, a key at its default with `#` alone. */
export function initialConfig(): string {
  const lines = [
    "# Configuration of snow-owl-tftp. Every line that begins with # and a key shows that key's default;",
    "# remove the # to change it. `snow-owl-tftp check` says what a file resolves to.",
  ];
  for (const section of sections) {
    if (isListPath(section.path)) {
      lines.push("", "", ...listExample(section.path, section.about.join(" ")));
      continue;
    }
    const paths = keyPaths.filter(
      (path) => tableOf(path) === section.path && keys[path].note === undefined,
    );
    if (paths.length === 0) continue;
    if (section.path !== "")
      lines.push(
        "",
        "",
        ...prose(section.about.join(" ").replaceAll("`", "")),
        `[${section.path}]`,
      );
    for (const path of paths) {
      lines.push(
        "",
        ...prose(keyProse(keys[path])),
        `#${nameOf(path)} = ${toml(valueAt(defaults, path))}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A default as TOML writes it. */
export function toml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(toml).join(", ")}]` : JSON.stringify(value);
}

/** A table that repeats, whole as an example: there is none by default. */
function listExample(path: ListPath, about: string): string[] {
  const lines = [...prose(about.replaceAll("`", "")), "#", `# [[${path}]]`];
  for (const [name, key] of Object.entries<Key>(lists[path])) {
    lines.push("#", ...prose(keyProse(key)), `#   ${name} = ${toml(key.default)}`);
  }
  return lines;
}

/** A key's sentences, with its bounds or choices. */
function keyProse(key: Key): string {
  const sentences = [...key.about];
  if (key.kind === "integer") sentences.push(`${capitalised(boundsOf(key))}.`);
  return sentences.join(" ").replaceAll("`", "");
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Comment lines, wrapped between words. */
function prose(text: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
