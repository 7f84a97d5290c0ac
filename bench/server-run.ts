// Starts what is measured (bench): the compiled server with a configuration of its own in a temporary folder, or the
// floor. Both run on core 0 until they are stopped, and leave nothing behind.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";

import type { Subject } from "./measure.ts";

/** How the server is configured where it matters here. */
export interface ServerVariant {
  readonly gso: boolean;
  readonly batching: boolean;
  /** How long it looks for datagrams before it sleeps. */
  readonly spinUs: number;
  /** Whether it answers over HTTP, on the same port number. */
  readonly hasStatus?: boolean;
}

/** What the floor does; see floor.ts. */
export interface FloorVariant {
  readonly mode: "echo" | "send";
  readonly clients: number;
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly gso: boolean;
  readonly spinUs: number;
  readonly framed: boolean;
  /** More flags of floor.ts. */
  readonly extra?: readonly string[];
}

/** Makes an empty folder in memory, where there is a file system for that. */
export async function benchFolder(): Promise<string> {
  const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  return await mkdtemp(`${parent}/snow-owl-bench-`);
}

/** A folder in memory with files of random bytes, made once per size. */
export class Files {
  readonly #made: Map<number, string> = new Map();

  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folderGiven?: string): Promise<Files> {
    const folder = folderGiven ?? (await benchFolder());
    await mkdir(`${folder}/root`);
    return new Files(folder);
  }

  /** The name of a file of so many bytes. */
  async named(bytes: number): Promise<string> {
    const name = `${bytes}.bin`;
    if (this.#made.has(bytes)) return name;
    const content = new Uint8Array(bytes);
    // getRandomValues gives at most 65,536 bytes a call.
    for (let at = 0; at < bytes; at += 65_536) {
      crypto.getRandomValues(content.subarray(at, at + 65_536));
    }
    await Bun.write(`${this.folder}/root/${name}`, content);
    this.#made.set(bytes, new Bun.CryptoHasher("sha256").update(content).digest("hex"));
    return name;
  }

  sha256(bytes: number): string {
    return this.#made.get(bytes) ?? "";
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

// Another bench may run beside this one.
let lastPort = 20_000 + ((process.pid * 37) % 10_000);

/** Starts the compiled server with one worker, and waits until its port is taken. */
export async function startServer(
  binary: string,
  files: Files,
  variant: ServerVariant,
): Promise<Subject> {
  const port = nextPort();
  const config = `${files.folder}/${port}.toml`;
  await Bun.write(config, configText(`${files.folder}/root`, port, variant));
  return await startOnCore0([binary, "--config", config], port);
}

/** Starts another server, whose command line is made for a port; `environment` is beyond our own. */
export async function startPeer(
  command: (port: number) => readonly string[] | Promise<readonly string[]>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Subject> {
  const port = nextPort();
  return await startOnCore0(await command(port), port, environment);
}

function nextPort(): number {
  lastPort += 1;
  return lastPort;
}

/** Starts `command`, and waits until its port is taken. */
async function startOnCore0(
  command: readonly string[],
  port: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Subject> {
  const child = Bun.spawn(["taskset", "-c", "0", ...command], {
    cwd: tmpdir(),
    env: { ...process.env, ...environment },
    stdout: "ignore",
    stderr: "inherit",
  });
  await untilBound(port, () => child.exitCode === null);
  return {
    pid: child.pid,
    port,
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** How a process is started that is looked at from outside: behind which command, and with what in its environment beyond our own. */
export interface Wrapping {
  readonly wrapped: (command: readonly string[]) => readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const asItIs: Wrapping = { wrapped: (command) => command, environment: {} };

/** Starts the floor. */
export async function startFloor(
  variant: FloorVariant,
  { wrapped, environment }: Wrapping = asItIs,
): Promise<Subject> {
  const args = [
    `--mode=${variant.mode}`,
    `--clients=${variant.clients}`,
    `--file-bytes=${variant.fileBytes}`,
    `--block-bytes=${variant.blockBytes}`,
    `--window-blocks=${variant.windowBlocks}`,
    `--spin-us=${variant.spinUs}`,
    ...(variant.gso ? ["--gso"] : []),
    ...(variant.framed ? ["--framed"] : []),
    ...(variant.extra ?? []),
  ];
  const floor = wrapped([process.execPath, `${import.meta.dir}/floor.ts`, ...args]);
  const child = Bun.spawn(["taskset", "-c", "0", ...floor], {
    env: { ...process.env, ...environment },
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  return {
    pid: child.pid,
    port,
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function configText(root: string, port: number, variant: ServerVariant): string {
  return `root_dir = "${root}"
bind_addr = "127.0.0.1:${port}"
[logging]
level = "warn"
[cache]
size_mb = 512
[transfer]
max_transfers = 4096
[performance.platform.worker_pool]
worker_count = 1
[performance.platform.batch]
enable_gso = ${variant.gso}
enable_sendmmsg = ${variant.batching}
enable_recvmmsg = ${variant.batching}
enable_adaptive_batching = ${variant.spinUs > 0}
batch_timeout_us = ${variant.spinUs}
${variant.hasStatus === true ? `[status]\nbind_addr = "127.0.0.1:${port}"\n` : ""}`;
}

/** Waits until the port is taken on 127.0.0.1; throws if that does not come, or the server ends. */
export async function untilBound(port: number, isAlive: () => boolean): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await Bun.file("/proc/net/udp").text()).includes(`0100007F:${hex}`)) return;
    if (!isAlive()) break;
    await Bun.sleep(10);
  }
  throw new Error("the server did not start");
}
