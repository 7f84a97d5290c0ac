// The executable as a client (end-to-end tests): in an empty folder, with what it printed, and what it left behind.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { placeBinary } from "./binary.ts";

/** What a run of the client came to. */
export interface ClientRun {
  readonly exitCode: number;
  readonly out: string;
  readonly error: string;
}

/** A folder that the client works in; it holds nothing at first, and is gone when it goes out of scope. */
export interface ClientFolder extends Disposable {
  readonly path: string;
  /** Runs it to its end. */
  run(...args: readonly string[]): Promise<ClientRun>;
  /** Starts it without waiting. */
  start(...args: readonly string[]): StartedClient;
  /** The bytes of a file that it left; undefined if there is none. */
  bytesOf(name: string): Uint8Array | undefined;
  put(name: string, bytes: Uint8Array | string): void;
  /** Everything that lies there, sorted. */
  names(): readonly string[];
}

export interface StartedClient {
  readonly pid: number;
  kill(signal: "SIGKILL" | "SIGINT" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  readonly ended: Promise<ClientRun>;
}

/** An empty folder, and the executable in another one. `wrapper` stands before the command line, as `["ip", "netns", "exec", "x"]`. */
export function clientFolder(wrapper: readonly string[] = []): ClientFolder {
  const home = mkdtempSync(join(tmpdir(), "snow-owl-get-"));
  const path = mkdtempSync(join(tmpdir(), "snow-owl-empty-"));
  const binary = placeBinary(home);
  const start = (...args: readonly string[]): StartedClient => {
    const child = Bun.spawn([...wrapper, binary, ...args], {
      cwd: path,
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const ended = Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]).then(([out, error, exitCode]) => ({ exitCode, out, error }));
    return { pid: child.pid, kill: (signal) => child.kill(signal), ended };
  };
  return {
    path,
    start,
    run: (...args) => start(...args).ended,
    bytesOf(name) {
      try {
        return readFileSync(join(path, name));
      } catch {
        return undefined;
      }
    },
    put: (name, bytes) => writeFileSync(join(path, name), bytes),
    names: () => readdirSync(path).toSorted(),
    [Symbol.dispose]() {
      for (const folder of [home, path]) rmSync(folder, { recursive: true, force: true });
    },
  };
}
