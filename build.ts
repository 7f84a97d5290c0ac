// Builds the executables: `bun build.ts` for this machine, `bun build.ts --target linux-x64|linux-arm64|all` for others.
// Each is one file that needs nothing beside it; version and commit are compiled in.

import { mkdir, readdir, rm } from "node:fs/promises";
import { parseArgs } from "node:util";

import packageJson from "./package.json" with { type: "json" };

/** The machines that are built for, as Bun names them. glibc 2.17 or later is all that they need. */
const TARGETS = { "linux-x64": "bun-linux-x64", "linux-arm64": "bun-linux-arm64" } as const;

type Target = keyof typeof TARGETS;

const root: string = import.meta.dir;

async function build(outfile: string, target: Target | undefined, commit: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: ["main.ts", "server/worker.ts", "storage/disk-worker.ts"].map(
      (path) => `${root}/src/${path}`,
    ),
    root: `${root}/src`,
    compile: {
      outfile,
      // A daemon that runs as root must not read .env or bunfig.toml from wherever it was started.
      autoloadDotenv: false,
      autoloadBunfig: false,
      ...(target === undefined ? {} : { target: TARGETS[target] }),
    },
    // No bytecode: with it `import.meta.url` points into the source tree, where the worker is not at run time.
    minify: true,
    define: {
      BUILD_VERSION: JSON.stringify(packageJson.version),
      BUILD_COMMIT: JSON.stringify(commit),
    },
  });
  for (const log of result.logs) process.stderr.write(`${log.message}\n`);
  if (!result.success) throw new Error(`building ${outfile} failed`);
  const megabytes = (Bun.file(outfile).size / 1e6).toFixed(0);
  process.stdout.write(`${outfile} (${megabytes} MB, commit ${commit})\n`);
}

/** The commit that is built, `+` behind it when files differ from it; `unknown` outside a repository. */
async function commitName(): Promise<string> {
  const git = await run(["git", "rev-parse", "--short=12", "HEAD"]);
  if (git === undefined) return "unknown";
  const changes = await run(["git", "status", "--porcelain"]);
  return changes === "" ? git : `${git}+`;
}

async function run(command: string[]): Promise<string | undefined> {
  try {
    const child = Bun.spawn(command, { cwd: root, stdout: "pipe", stderr: "ignore" });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

/** Earlier builds left source maps beside the executable, one of them for the worker. */
async function removeMaps(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(".map")) await rm(`${folder}/${name}`);
  }
}

function wantedTargets(text: string | undefined): readonly (Target | undefined)[] {
  if (text === undefined) return [undefined];
  const names = Object.keys(TARGETS) as Target[];
  if (text === "all") return names;
  const name = names.find((known) => known === text);
  if (name === undefined) {
    process.stderr.write(`unknown target "${text}"; known are ${names.join(", ")} and all\n`);
    process.exit(2);
  }
  return [name];
}

const { values } = parseArgs({ options: { target: { type: "string" } } });
const dist = `${root}/dist`;
await mkdir(dist, { recursive: true });
const commit: string = await commitName();
for (const target of wantedTargets(values.target)) {
  const suffix = target === undefined ? "" : `-${target}`;
  await build(`${dist}/snow-owl-tftp${suffix}`, target, commit);
}
await removeMaps(dist);
