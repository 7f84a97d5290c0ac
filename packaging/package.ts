// Builds the Debian packages into dist: `bun run package` for this machine, `bun run package --target linux-x64|linux-arm64|all` for
// others. It needs dpkg-deb. The same commit makes the same bytes: every file bears the commit's time, or that of SOURCE_DATE_EPOCH.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import packageJson from "../package.json" with { type: "json" };
import { type Build, contents, controlFiles, debianVersion, type Entry } from "./contents.ts";

/** The machines that are built for, as build.ts and as dpkg name them. */
const TARGETS = { "linux-x64": "amd64", "linux-arm64": "arm64" } as const;

type Target = keyof typeof TARGETS;

const root: string = resolve(import.meta.dir, "..");

async function packageFor(target: Target, facts: Omit<Build, "architecture" | "executable">) {
  await run([process.execPath, "build.ts", "--target", target]);
  const architecture = TARGETS[target];
  const executable = await Bun.file(`${root}/dist/${packageJson.name}-${target}`).bytes();
  const build: Build = { ...facts, architecture, executable };
  const entries = contents(build);
  const stage = await mkdtemp(join(tmpdir(), "package-"));
  try {
    const tree = join(stage, "tree");
    await writeTree(tree, entries);
    await writeTree(join(tree, "DEBIAN"), controlFiles(build, entries));
    const path = `dist/${packageJson.name}_${debianVersion}_${architecture}.deb`;
    // gzip: xz takes minutes for the executable and saves a quarter, and zstd is not known to Debian 11.
    await run(["dpkg-deb", "--build", "--root-owner-group", "-Zgzip", tree, path], {
      SOURCE_DATE_EPOCH: String(facts.seconds),
    });
  } finally {
    await rm(stage, { recursive: true });
  }
}

async function writeTree(folder: string, entries: readonly Entry[]): Promise<void> {
  for (const { path, mode, bytes } of entries) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, bytes, { mode });
  }
}

/** The time of the package. Without a repository it is now, and then the bytes differ from time to time. */
async function packageTime(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const committed = await answer(["git", "log", "-1", "--format=%ct"]);
  return committed === undefined ? Math.floor(Date.now() / 1000) : Number(committed);
}

async function run(command: string[], environment: Record<string, string> = {}): Promise<void> {
  const env = { ...process.env, ...environment };
  const child = Bun.spawn(command, { cwd: root, env, stdout: "inherit", stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
}

/** What a command prints; undefined if it fails or is not there. */
async function answer(command: string[]): Promise<string | undefined> {
  try {
    const child = Bun.spawn(command, { cwd: root, stdout: "pipe", stderr: "ignore" });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

function wantedTargets(text: string | undefined): readonly Target[] {
  const names = Object.keys(TARGETS) as Target[];
  if (text === "all") return names;
  const wanted = text ?? `linux-${process.arch}`;
  const name = names.find((known) => known === wanted);
  if (name === undefined) {
    process.stderr.write(`unknown target "${wanted}"; known are ${names.join(", ")} and all\n`);
    process.exit(2);
  }
  return [name];
}

process.umask(0o022);
const { values } = parseArgs({ options: { target: { type: "string" } } });
// The names that Debian's own tools read.
const { DEBFULLNAME: name, DEBEMAIL: address } = process.env;
const facts = {
  commit: (await answer(["git", "rev-parse", "--short=12", "HEAD"])) ?? "unknown",
  seconds: await packageTime(),
  maintainer: `${name ?? "the Snow-Owl TFTP authors"} <${address ?? "snow-owl-tftp@packages.invalid"}>`,
};
for (const target of wantedTargets(values.target)) await packageFor(target, facts);
