// The real clients (end-to-end tests): curl, tftp-hpa, atftp and busybox as Debian ships them, each behind one
// function of the same shape. A client that is not installed skips its tests with a reason, and fails them in CI.

import { test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Ask {
  readonly host?: string;
  readonly port: number;
  readonly name: string;
  readonly blockBytes?: number;
  readonly windowBlocks?: number;
  readonly mode?: "octet" | "netascii";
  /** Send no options at all. Only curl needs telling. */
  readonly isPlain?: boolean;
  /** Bytes to upload instead of a download. */
  readonly upload?: Uint8Array;
  /** The address to ask from. Only curl can be told. */
  readonly from?: string;
  /** Put before the command line, as `["ip", "netns", "exec", "x"]`. */
  readonly wrapper?: readonly string[];
}

export interface Answer {
  readonly exitCode: number;
  /** What was received; undefined if the client left no file. */
  readonly bytes: Uint8Array | undefined;
  /** What the client printed. */
  readonly printed: string;
}

export interface Client {
  readonly name: string;
  /** The Debian package and the program in it. */
  readonly program: string;
  readonly debianPackage: string;
  /** The options that it can be told to ask for. */
  readonly can: ReadonlySet<"blksize" | "windowsize" | "netascii">;
  /** The command line for `ask`, with `path` as the local file. */
  command(ask: Ask, path: string): readonly string[];
}

const loopback = "127.0.0.1";

export const curl: Client = {
  name: "curl",
  program: "curl",
  debianPackage: "curl",
  can: new Set(["blksize"] as const),
  command(ask, path) {
    const host = ask.host ?? loopback;
    // A scope is written %25 in a URL (RFC 6874).
    const urlHost = host.includes(":") ? `[${host.replace("%", "%25")}]` : host;
    const url = `tftp://${urlHost}:${ask.port}/${ask.name}`;
    const direction = ask.upload === undefined ? ["-o", path] : ["-T", path];
    const block = ask.blockBytes === undefined ? [] : ["--tftp-blksize", String(ask.blockBytes)];
    const plain = ask.isPlain === true ? ["--tftp-no-options"] : [];
    const from = ask.from === undefined ? [] : ["--interface", ask.from];
    const options = [...plain, ...block, ...from, ...direction];
    return ["curl", "-sS", "-g", "--path-as-is", ...options, url];
  },
};

export const hpa: Client = {
  name: "tftp-hpa",
  program: "tftp",
  debianPackage: "tftp-hpa",
  can: new Set(["netascii"] as const),
  command(ask, path) {
    const verb = ask.upload === undefined ? ["get", ask.name, path] : ["put", path, ask.name];
    const mode = ask.mode ?? "octet";
    return ["tftp", "-m", mode, ask.host ?? loopback, String(ask.port), "-c", ...verb];
  },
};

export const atftp: Client = {
  name: "atftp",
  program: "atftp",
  debianPackage: "atftp",
  can: new Set(["blksize", "windowsize", "netascii"] as const),
  command(ask, path) {
    const options: string[] = [];
    if (ask.blockBytes !== undefined) options.push("--option", `blksize ${ask.blockBytes}`);
    if (ask.windowBlocks !== undefined) options.push("--option", `windowsize ${ask.windowBlocks}`);
    if (ask.mode === "netascii") options.push("--option", "mode netascii");
    const verb = ask.upload === undefined ? "--get" : "--put";
    const place = [ask.host ?? loopback, String(ask.port)];
    return ["atftp", ...options, verb, "-r", ask.name, "-l", path, ...place];
  },
};

export const busybox: Client = {
  name: "busybox tftp",
  program: "busybox",
  debianPackage: "busybox",
  can: new Set(["blksize"] as const),
  command(ask, path) {
    const verb = ask.upload === undefined ? "-g" : "-p";
    const block = ask.blockBytes === undefined ? [] : ["-b", String(ask.blockBytes)];
    const place = [ask.host ?? loopback, String(ask.port)];
    return ["busybox", "tftp", ...block, verb, "-r", ask.name, "-l", path, ...place];
  },
};

export const clients: readonly Client[] = [curl, hpa, atftp, busybox];

/** Runs the client to its end. */
export async function run(client: Client, ask: Ask): Promise<Answer> {
  const running = start(client, ask);
  return running.answer;
}

export interface Running {
  readonly pid: number;
  kill(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void;
  readonly answer: Promise<Answer>;
}

/** Starts the client without waiting for it. */
export function start(client: Client, ask: Ask): Running {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-client-"));
  const path = join(folder, "file");
  if (ask.upload !== undefined) writeFileSync(path, ask.upload);
  const child = Bun.spawn([...(ask.wrapper ?? []), ...client.command(ask, path)], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const finish = async (): Promise<Answer> => {
    const [out, err, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const bytes = existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
    rmSync(folder, { recursive: true, force: true });
    return { exitCode, bytes, printed: out + err };
  };
  return { pid: child.pid, kill: (signal) => child.kill(signal), answer: finish() };
}

/** Registers a test that needs these clients; where one is missing it is skipped with a reason, or fails in CI. */
export function testWith(
  needed: readonly Client[],
  name: string,
  body: () => Promise<void>,
  // Whole files of 33 MB pass in lockstep on two shared cores.
  timeoutMs = 60_000,
): void {
  const missing = needed.filter((client) => Bun.which(client.program) === null);
  const reasons = missing.map((client) => `apt-get install ${client.debianPackage}`);
  if (reasons.length === 0) {
    test(name, body, timeoutMs);
  } else if (process.env["CI"] === "true") {
    test(name, () => {
      throw new Error(`a client is missing: ${reasons.join(", ")}`);
    });
  } else {
    skipBecause(name, reasons.join(", "));
  }
}

/** Registers a skipped test and prints why. */
export function skipBecause(name: string, reason: string): void {
  process.stderr.write(`skipped: ${name}: ${reason}\n`);
  test.skip(name, () => {});
}

/** A server that is no user's program: where the variable says, or where Debian puts it. */
export function serverProgram(variable: string, program: string): string | null {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  return process.env[variable] ?? Bun.which(program, { PATH: path });
}
