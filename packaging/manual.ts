// The manual page snow-owl-tftp(8) (packaging): the text of --help as roff. --help is made from the tables of commands, flags and
// exit codes, so the page cannot lack one either; its layout is what this file knows of it.

/** What stands in no other text: the files of the package. */
const FILES: readonly (readonly [path: string, about: string])[] = [
  ["/etc/snow-owl/tftp.toml", "The configuration."],
  ["/srv/tftp", "The folder that is served unless the configuration names another one."],
  ["/usr/share/doc/snow-owl-tftp/docs", "How to run it, every key, rules, metrics."],
  ["/usr/share/doc/snow-owl-tftp/examples", "Complete configurations with comments."],
];

/** A line of the text that begins a section: a title, and a remark in parentheses. */
const TITLE = /^([a-z][a-z ]*)(?: \((.*)\))?:$/;
/** Two columns: a term, two spaces or more, what it means. Terms begin at column 2, or at 6 behind the place of a short flag. */
const ROW = /^(?: {2}| {6})(\S.*?) {2,}(\S.*)$/;
/** Text that goes on in the second column. */
const CONTINUATION = /^ {8,}(\S.*)$/;

/**
 * The page as roff. `help` begins with `NAME VERSION: WHAT IT IS`; sections follow as `--help` prints them. `seconds` is the date that
 * the page bears, since 1970.
 */
export function manualPage(help: string, seconds: number): string {
  const [first = "", ...lines] = help.split("\n");
  const [, name = "", version = "", about = ""] = /^(\S+) (\S+): (.*)$/.exec(first) ?? [];
  const date = new Date(seconds * 1000).toISOString().slice(0, 10);
  const output = [
    `.TH ${name.toUpperCase()} 8 ${date} "${name} ${version}" "System Administration"`,
    ".SH NAME",
    `${plain(name)} \\- ${plain(about)}`,
  ];
  let isVerbatim = false;
  for (const line of lines) {
    const [, title, remark] = TITLE.exec(line) ?? [];
    if (isVerbatim && line.trim() === "") {
      output.push(".fi");
      isVerbatim = false;
    }
    if (title !== undefined) {
      isVerbatim = title === "usage";
      output.push(`.SH ${isVerbatim ? "SYNOPSIS" : title.toUpperCase()}`);
      if (remark !== undefined) output.push(`${plain(capitalised(remark))}.`);
      if (isVerbatim) output.push(".nf");
    } else {
      output.push(...(isVerbatim ? [plain(line.slice(2))] : body(line)));
    }
  }
  output.push(".SH FILES", ...FILES.flatMap(([path, meaning]) => row(path, meaning)));
  return `${output.join("\n")}\n`;
}

/** A line of a section: a row, more of the row before, or prose. */
function body(line: string): readonly string[] {
  if (line === "") return [];
  const [, term, meaning] = ROW.exec(line) ?? [];
  if (term !== undefined && meaning !== undefined) return row(term, meaning);
  const more = CONTINUATION.exec(line)?.[1];
  if (more !== undefined) return [plain(more)];
  return line.startsWith(" ") ? [plain(line.trim())] : [".PP", plain(line)];
}

function row(term: string, meaning: string): readonly string[] {
  return [".TP", `.B ${plain(term)}`, plain(meaning)];
}

/** Text that roff prints as it is: no escapes, no requests, `-` as typed, other characters than ASCII by their numbers. */
function plain(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(
      /[^\u0020-\u007e]/gu,
      (each) => `\\[u${(each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
