// What the tests of reloads share (end-to-end): configurations, SIGHUP and waiting until it has worked, and what a
// process holds meanwhile.

import { expect } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Server, until } from "./server.ts";
import { ack, dataPacket, openPeer, payload, readRequest, writeRequest } from "./wire.ts";

export interface Changes {
  readonly root?: string;
  readonly port?: number;
  readonly top?: readonly string[];
  readonly tables?: readonly string[];
}

/** The configuration that the server was started with, with changes. */
export function configuration(server: Server, changes: Changes = {}): string {
  const { root = server.root, port = server.port, top = [], tables = [] } = changes;
  const address = JSON.stringify(`127.0.0.1:${port}`);
  return `${[`root_dir = ${JSON.stringify(root)}`, `bind_addr = ${address}`, ...top, ...tables].join("\n")}\n`;
}

/** Tables that allow uploads of names that match `pattern`, into `root`. */
export function allow(pattern: string, root: string): readonly string[] {
  return [
    "[write_config]",
    "enabled = true",
    `allowed_patterns = ["${pattern}"]`,
    "[uploads]",
    `root_dir = ${JSON.stringify(root)}`,
  ];
}

/** The rule `refuse`, which answers ERROR 6 where `condition` holds. */
export function deny(condition: string): readonly string[] {
  return ["[[rule]]", 'name = "refuse"', condition, 'action = "deny"', "code = 6"];
}

export function isIn(file: string, text: string): boolean {
  return existsSync(file) && readFileSync(file, "utf8").includes(text);
}

/** Sends SIGHUP, after writing `text` if there is one, and waits until the server says that it is in force. */
export async function reload(server: Server, text?: string): Promise<void> {
  if (text !== undefined) server.configure(text);
  const before = reloadsOf(server);
  server.kill("SIGHUP");
  await until(() => reloadsOf(server) > before, "the reload's line in the log");
}

export function reloadsOf(server: Server): number {
  return server.log().match(/configuration_loaded/g)?.length ?? 0;
}

/** Waits until the log file says that the reload of this number is in force. */
export async function generation(log: string, number: number): Promise<void> {
  const said = ` generation=${number}\n`;
  while (!existsSync(log) || !readFileSync(log, "utf8").includes(said)) await Bun.sleep(0);
  // The reader would otherwise be the slowest part: the next reload makes a file of its own.
  rmSync(log);
}

/** Open descriptors and resident memory. */
export function usageOf({ pid }: Server): { readonly fds: number; readonly kilobytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  return { fds: readdirSync(`/proc/${pid}/fd`).length, kilobytes };
}

/** What the server has open that begins with `path`. */
export function fdsTo({ pid }: Server, path: string): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => targetOf(`/proc/${pid}/fd/${fd}`))
    .filter((target) => target.startsWith(path));
}

export async function answerTo(server: Server, request: Uint8Array): Promise<string> {
  using peer = await openPeer();
  peer.send(request, server.port);
  return (await peer.next()).text;
}

export async function fetchText(server: Server, name: string, host?: string): Promise<string> {
  using peer = await openPeer(host);
  peer.send(readRequest(name), server.port);
  const first = await peer.next();
  expect(first.text).toStartWith("DATA 1 ");
  peer.send(ack(1), first.port);
  return new TextDecoder().decode(payload(first));
}

/** Uploads what fits in one block. Returns the server's last word. */
export async function upload(
  server: Server,
  name: string,
  content: Uint8Array | string,
  blockBytes?: number,
): Promise<string> {
  using peer = await openPeer();
  peer.send(
    writeRequest(name, blockBytes === undefined ? [] : [["blksize", blockBytes]]),
    server.port,
  );
  const first = await peer.next();
  if (first.text.startsWith("ERROR")) return first.text;
  peer.send(
    dataPacket(1, typeof content === "string" ? Buffer.from(content) : content),
    first.port,
  );
  return (await peer.next()).text;
}

export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "snow-owl-reload-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** What a descriptor is open to; nothing if it has been closed since it was listed. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}
