// Where measurements go (bench): between the markers of a page, with the circumstances in which they were taken.
// A table stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`, and what is written replaces all that is there.

import { cpus, loadavg, release } from "node:os";

const root: string = `${import.meta.dir}/..`;

/** Replaces what stands between the markers of `name` in `page`, a path below the project; throws if they are not there. */
export async function writeBetween(page: string, name: string, text: string): Promise<void> {
  const path = `${root}/${page}`;
  await Bun.write(path, replaceBetween(await Bun.file(path).text(), name, text));
  Bun.spawnSync([process.execPath, "fmt", path]);
}

/** `before` with `text` between the markers of `name`. */
export function replaceBetween(before: string, name: string, text: string): string {
  const beginMark = `<!-- ${name}: begin -->`;
  const begin = before.indexOf(beginMark);
  const end = before.indexOf(`<!-- ${name}: end -->`);
  if (begin < 0 || end < begin) throw new Error(`the page lacks the markers of ${name}`);
  return `${before.slice(0, begin + beginMark.length)}\n\n${text}\n\n${before.slice(end)}`;
}

/** What is not measured: the page itself changes from one section to the next. */
const UNMEASURED = ["docs", "README.md", "CHANGELOG.md", "test"];

/** Machine, kernel, commit and command on one line; `repeats` says how often each run was made. Behind a commit `+`: files differ from it. */
export function machineLine(command: string, repeats: string): string {
  const [cpu] = cpus();
  return (
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}, Linux ${release()}, Bun ${Bun.version}, ` +
    `commit ${commitName()}, \`${command}\`, ${repeats}, load average at the end ${loadavg()[0]?.toFixed(1)}`
  );
}

function commitName(): string {
  const others = UNMEASURED.map((path) => `:(exclude)${path}`);
  const changes = git(["status", "--porcelain", "--", ".", ...others]);
  return `${git(["rev-parse", "--short", "HEAD"])}${changes === "" ? "" : "+"}`;
}

function git(words: readonly string[]): string {
  return Bun.spawnSync(["git", ...words], { cwd: root })
    .stdout.toString()
    .trim();
}

/** A table in Markdown: the first `texts` columns to the left, figures to the right. */
export function markdownTable(
  head: readonly string[],
  lines: readonly (readonly string[])[],
  texts: number,
): string {
  const rule = head.map((_, index) => (index < texts ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
