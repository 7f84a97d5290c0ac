// A running server (end-to-end tests): the executable in an otherwise empty folder, with a configuration and a
// port of its own. It is ready when this returns, and gone with its folder after `stop`.

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { placeBinary } from "./binary.ts";
import { openPeer, readRequest } from "./wire.ts";

export interface ServerOptions {
  /** The address part of `bind_addr`, IPv6 in brackets. Default `127.0.0.1`. */
  readonly bind?: string;
  /** Its port; without it one that is free. */
  readonly port?: number;
  /** TOML lines before the first table. */
  readonly top?: readonly string[];
  /** TOML lines from the first table on. */
  readonly tables?: readonly string[];
  /** A whole configuration, such as one of the examples; its root and its first address are replaced, and nothing else. */
  readonly configuration?: string;
  /** Put before the command line, as `["ip", "netns", "exec", "x"]`. */
  readonly wrapper?: readonly string[];
  /** Variables besides PATH. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Descriptors that it finds open from 3 on. */
  readonly fds?: readonly number[];
  /** A folder to serve that is the caller's, and stays; without it an empty one is made. */
  readonly root?: string;
  /** What is run instead of the executable: a server whose workers may die. */
  readonly program?: readonly string[];
  /** Where a client reaches it, to see that it is ready; undefined: the caller waits. */
  readonly readyHost?: string | undefined;
}

export interface Server extends AsyncDisposable {
  readonly port: number;
  /** The served folder. */
  readonly root: string;
  /** The working folder, which holds the executable and nothing else that Bun would read. */
  readonly folder: string;
  readonly pid: number;
  /** Resolves to the exit code, or 128 + the signal's number. */
  readonly exited: Promise<number>;
  /** Writes a file below the root. */
  put(name: string, bytes: Uint8Array | string): void;
  /** Everything printed so far, both streams. */
  log(): string;
  kill(signal: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGHUP" | "SIGUSR2"): void;
  /** Writes another configuration, whole or not at all, as a careful administrator does. */
  configure(text: string): void;
  /** Ends it at once and removes its folder. An error if one of its workers had died. */
  stop(): Promise<void>;
}

/** Starts a server and waits until it answers. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const readyHost =
    "readyHost" in options ? options.readyHost : hostOf(options.bind ?? defaultAddress);
  for (;;) {
    const server = await launchServer(options);
    if (readyHost === undefined) return server;
    const fault = await untilItAnswers(server, readyHost);
    if (fault === "") return server;
    await server.stop();
    // Another program may have taken the port since it was looked at; the next one is another.
    if (!fault.includes("EADDRINUSE")) throw new Error(fault);
  }
}

const defaultAddress = "127.0.0.1";

async function launchServer(options: ServerOptions): Promise<Server> {
  const bind = options.bind ?? defaultAddress;
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-e2e-"));
  // A server that becomes somebody else starts itself as that user.
  chmodSync(folder, 0o755);
  // Outside the working folder, so that this stays as empty as an administrator's would be.
  const ownRoot = options.root === undefined ? temporaryFolder() : undefined;
  const root = options.root ?? ownRoot?.path ?? "";
  const configuration = `${folder}.toml`;
  writeFileSync(configuration, configurationText(root, `${bind}:${port}`, options));
  const program = options.program ?? [placeBinary(folder)];
  const child = Bun.spawn([...(options.wrapper ?? []), ...program, "--config", configuration], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", ...options.variables },
    stdio: ["ignore", "pipe", "pipe", ...(options.fds ?? [])],
  });
  let printed = "";
  const listen = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) printed += decoder.decode(chunk, { stream: true });
  };
  const listening = Promise.all([listen(child.stdout), listen(child.stderr)]);
  const server: Server = {
    port,
    root,
    folder,
    pid: child.pid,
    exited: child.exited,
    put(name, bytes) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), bytes);
    },
    log: () => printed,
    kill: (signal) => child.kill(signal),
    configure(text) {
      writeFileSync(`${configuration}.new`, text);
      renameSync(`${configuration}.new`, configuration);
    },
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
      await listening;
      for (const path of [folder, configuration]) rmSync(path, { recursive: true, force: true });
      ownRoot?.[Symbol.dispose]();
      if (options.program !== undefined) return;
      // A worker is replaced so quickly that most clients notice nothing; a test must.
      const death = printed.split("\n").find((line) => /worker_(?:replaced|died)/.test(line));
      if (death !== undefined) throw new Error(`a worker died: ${death}`);
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  return server;
}

/** An empty folder that others may read too; gone when it goes out of scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "snow-owl-root-"));
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A UDP port that was free on every address a moment ago. */
export async function freePort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "::", port: 0 });
  const { port } = socket;
  socket.close();
  return port;
}

/** A TCP port that was free on loopback a moment ago. */
export async function freeTcpPort(): Promise<number> {
  const server = createServer();
  const { promise, resolve: listening } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening);
  await promise;
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Waits until `isSo` holds, for things that only show outside the protocol, such as log lines. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  // Far beyond anything that happens here, on a busy machine too, and short of a test's own limit.
  const untilMs = performance.now() + 30_000;
  while (performance.now() < untilMs) {
    if (isSo()) return;
    await Bun.sleep(20);
  }
  throw new Error(`this did not happen within 30 s: ${what}`);
}

function configurationText(root: string, bindAddress: string, options: ServerOptions): string {
  if (options.configuration !== undefined) {
    return options.configuration
      .replace(/^root_dir = .*$/m, () => `root_dir = ${JSON.stringify(root)}`)
      .replace(/^bind_addr = .*$/m, () => `bind_addr = ${JSON.stringify(bindAddress)}`);
  }
  const lines = [
    `root_dir = ${JSON.stringify(root)}`,
    `bind_addr = ${JSON.stringify(bindAddress)}`,
    ...(options.top ?? []),
    ...(options.tables ?? []),
  ];
  return `${lines.join("\n")}\n`;
}

function hostOf(bind: string): string {
  if (bind === "0.0.0.0") return "127.0.0.1";
  if (bind === "[::]") return "::1";
  return bind.replaceAll(/[[\]]/g, "");
}

/** Returns why the server does not answer, or nothing when it does. */
async function untilItAnswers(server: Server, host: string): Promise<string> {
  using peer = await openPeer(host);
  let exitCode: number | undefined;
  void server.exited.then((code) => (exitCode = code));
  // Asking every 50 ms for 10 s: start-up takes some 30 ms, a loaded machine may need a second.
  for (let attempt = 0; attempt < 200; attempt += 1) {
    peer.send(readRequest("are-you-ready"), server.port);
    await Bun.sleep(50);
    if (exitCode !== undefined) break;
    if (peer.waiting().length > 0) return "";
  }
  // What it printed last may still be under way.
  await Bun.sleep(50);
  return `the server did not come up (exit code ${String(exitCode)}); it printed:\n${server.log()}`;
}
