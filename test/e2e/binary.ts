// The executable under test (end-to-end tests): compiled from a copy of the sources that is deleted afterwards,
// so that nothing in it can lead back to them. Kept until a source file is newer.

import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const projectFolder: string = resolve(import.meta.dir, "../..");
const cacheFolder: string = join(projectFolder, "node_modules/.cache/snow-owl-tftp-e2e");
const ingredients = ["src", "ffi", "build.ts", "package.json", "tsconfig.json", "bunfig.toml"];

/** Puts the executable into `folder`, compiling it first if a source is newer; returns its path. */
export function placeBinary(folder: string): string {
  const path = join(folder, "snow-owl-tftp");
  const built = compiledBinary();
  try {
    linkSync(built, path);
  } catch {
    // Another file system: a copy serves as well.
    copyFileSync(built, path);
  }
  return path;
}

function compiledBinary(): string {
  const newestMs = Math.max(
    ...ingredients.map((name) => newestChangeMs(join(projectFolder, name))),
  );
  const path = join(cacheFolder, `snow-owl-tftp-${Math.round(newestMs)}`);
  if (!existsSync(path)) compile(path);
  return path;
}

function newestChangeMs(path: string): number {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  const inside = readdirSync(path).map((name) => newestChangeMs(join(path, name)));
  return Math.max(status.mtimeMs, ...inside);
}

function compile(path: string): void {
  const workshop = mkdtempSync(join(tmpdir(), "snow-owl-build-"));
  try {
    for (const name of ingredients) {
      cpSync(join(projectFolder, name), join(workshop, name), { recursive: true });
    }
    symlinkSync(join(projectFolder, "node_modules"), join(workshop, "node_modules"));
    const build = Bun.spawnSync([process.execPath, "build.ts"], {
      cwd: workshop,
      stdout: "pipe",
      stderr: "pipe",
    });
    if (build.exitCode !== 0) {
      throw new Error(`build.ts failed:\n${build.stdout.toString()}${build.stderr.toString()}`);
    }
    rmSync(cacheFolder, { recursive: true, force: true });
    mkdirSync(cacheFolder, { recursive: true });
    // Two runs may compile at once: each publishes a whole file.
    const unfinished = `${path}.${process.pid}`;
    copyFileSync(join(workshop, "dist/snow-owl-tftp"), unfinished);
    renameSync(unfinished, path);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}
