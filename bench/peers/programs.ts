// The servers that are compared, as executables (bench): from where an environment variable says, from PATH, or from Debian's package, which is
// unpacked into a folder and neither installed nor started. Ours is built if it is not there.

import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";

const root: string = `${import.meta.dir}/../..`;

/** How one is found. */
export interface Program {
  readonly name: string;
  /** Names its path. */
  readonly variable: string;
  readonly debianPackage: string;
}

/** Where `program` is, unpacked first if that has to be; throws what apt-get says if it cannot be had. */
export async function findProgram(program: Program): Promise<string> {
  const { name, variable, debianPackage } = program;
  const path = process.env[variable];
  if (path !== undefined) {
    if (!existsSync(path)) throw new Error(`${variable}=${path}: there is no such file`);
    return path;
  }
  // Debian puts them where no user's PATH looks.
  const installed = Bun.which(name, { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });
  if (installed !== null) return installed;
  return await unpacked(name, debianPackage);
}

/** The executable in the cache folder, where it stays for the next time. */
async function unpacked(name: string, debianPackage: string): Promise<string> {
  const cache = `${process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`}/snow-owl-tftp/peers`;
  const folder = `${cache}/${debianPackage}`;
  const path = `${folder}/usr/sbin/${name}`;
  if (existsSync(path)) return path;
  const workshop = `${folder}-${process.pid}`;
  await mkdir(workshop, { recursive: true });
  try {
    await run(["apt-get", "download", "-qq", debianPackage], workshop);
    for (const file of await readdir(workshop)) {
      if (file.endsWith(".deb")) await run(["dpkg", "-x", file, "."], workshop);
    }
    await rename(workshop, folder);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return path;
}

/** Our executable: SNOW_OWL_TFTP, or dist/snow-owl-tftp, which is built if it is missing. */
export async function ourProgram(): Promise<string> {
  const path = process.env["SNOW_OWL_TFTP"] ?? `${root}/dist/snow-owl-tftp`;
  if (!existsSync(path)) await run([process.execPath, "build.ts"], root);
  return path;
}

/** The version as the program tells it, on one line. */
export function versionOf(path: string): string {
  for (const flag of ["--version", "-V"]) {
    const { stdout, stderr } = Bun.spawnSync([path, flag]);
    const version = /\d+\.\d+[\w.+-]*/.exec(`${stdout.toString()}${stderr.toString()}`);
    if (version !== null) return version[0];
  }
  return "unknown version";
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn([...command], { cwd, stdout: "ignore", stderr: "pipe" });
  const error = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) {
    throw new Error(`${command.join(" ")}: ${error.trim()}\n\`apt-get update\` may help`);
  }
}
