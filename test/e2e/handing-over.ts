// What the tests of hand-overs share (end-to-end): a line of servers, each started by the one before, and clients that never ask twice,
// so that a datagram that is lost is a failure.

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Server, type ServerOptions, startServer, until } from "./server.ts";
import { ack, openPeer, payload, readRequest } from "./wire.ts";

export interface Line extends AsyncDisposable {
  /** The first; its log is that of all. */
  readonly server: Server;
  /** The number of the process that reads requests. */
  pid(): number;
  /** Asks for a hand-over. */
  ask(): void;
  /** Has the server that reads requests be followed by another, and waits until that one does. */
  upgrade(): Promise<void>;
}

export async function startLine(options: ServerOptions): Promise<Line> {
  const server = await startServer(options);
  // Its banner comes when every worker is ready, which is when it can hand over.
  await until(() => server.log().includes("fast paths"), "the banner");
  const pids = (): readonly number[] =>
    [...server.log().matchAll(/handing_over successor_pid=(\d+)/g)].map(([, pid]) => Number(pid));
  const line: Line = {
    server,
    pid: () => pids().at(-1) ?? server.pid,
    ask: () => void process.kill(line.pid(), "SIGUSR2"),
    async upgrade() {
      const before = countOf(server, "took_over");
      line.ask();
      await until(() => countOf(server, "took_over") > before, "the next server's line");
    },
    async [Symbol.asyncDispose]() {
      for (const pid of [server.pid, ...pids()]) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended by itself, as it should.
        }
      }
      await server.stop();
    },
  };
  return line;
}

export function countOf(server: Server, word: string): number {
  return server.log().split(word).length - 1;
}

/** Puts another program in the executable's place, as a package manager does. */
export function replaceExecutable({ folder }: Server, script: string): void {
  const path = join(folder, "snow-owl-tftp");
  writeFileSync(`${path}.new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  renameSync(`${path}.new`, path);
}

/** Downloads by blocks of 512 bytes, each asked for `pauseMs` after the one before. Every datagram is sent once. */
export async function fetchOnce(port: number, name: string, pauseMs: number): Promise<Uint8Array> {
  using peer = await openPeer();
  peer.send(readRequest(name), port);
  const parts: Uint8Array[] = [];
  for (let block = 1; ; block += 1) {
    const data = await peer.next(PATIENCE_MS);
    // The server may be less patient than this machine is fast.
    if (data.text.startsWith(`DATA ${(block - 1) & 0xffff} `)) {
      block -= 1;
      continue;
    }
    if (!data.text.startsWith(`DATA ${block & 0xffff} `)) throw new Error(data.text);
    parts.push(payload(data));
    if (pauseMs > 0) await Bun.sleep(pauseMs);
    peer.send(ack(block), data.port);
    if (payload(data).length < 512) return Buffer.concat(parts);
  }
}

const PATIENCE_MS = 20_000;

/** What came of a crowd. */
export interface Crowd {
  readonly asked: number;
  readonly faults: readonly string[];
}

/** Has clients begin `perSecond` times a second while `work` lasts, and waits for the last of them. */
export async function crowdDuring(
  work: Promise<unknown>,
  perSecond: number,
  client: () => Promise<string>,
): Promise<Crowd> {
  const end = new AbortController();
  void work.finally(() => end.abort());
  const faults: string[] = [];
  const running = new Set<Promise<string>>();
  let asked = 0;
  const settle = async (one: Promise<string>): Promise<void> => {
    const fault = await one;
    running.delete(one);
    if (fault !== "") faults.push(fault);
  };
  const sinceMs = performance.now();
  while (!end.signal.aborted) {
    const due = Math.floor(((performance.now() - sinceMs) * perSecond) / 1000);
    // A machine that is behind catches up, with so many at a time.
    for (; asked < due && running.size < CROWD_MAX; asked += 1) {
      const one = client().catch(String);
      running.add(one);
      void settle(one);
    }
    await Bun.sleep(1);
  }
  await work;
  await Promise.all(running);
  return { asked, faults };
}

/** Sockets that one test may have open. */
const CROWD_MAX = 500;
