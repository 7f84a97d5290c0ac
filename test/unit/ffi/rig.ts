// What the ffi tests share: sockets and folders that are gone after each test, and waiting that cannot flake.

import { expect } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";

import { EPOLLIN } from "#ffi/abi.ts";
import {
  decodeSockaddr,
  encodeSockaddr,
  formatPeer,
  type IpAddress,
  parseIp,
  parseSocketAddress,
  type SocketAddress,
} from "#ffi/address.ts";
import { Epoll } from "#ffi/epoll.ts";
import { closeFd } from "#ffi/file.ts";
import { LOCAL_BYTES, NAME_BYTES, type ReceiveBatch } from "#ffi/message.ts";
import { bindSocket, openSocket, type OptionName, setOption, socketName } from "#ffi/socket.ts";

/** Loopback delivers at once; this only bounds how long a failing test waits. */
const PATIENCE_MS = 5000;

const cleanups: (() => void)[] = [];

/** Undoes everything that the last test opened. For `afterEach`. */
export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
}

/** Has `cleanup` run after the test. */
export function afterwards(cleanup: () => void): void {
  cleanups.push(cleanup);
}

/** `fd`, closed after the test; fails the test if it is an error. */
export function opened(fd: number): number {
  expect(fd).toBeGreaterThanOrEqual(0);
  afterwards(() => closeFd(fd));
  return fd;
}

/** A new empty folder. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-ffi-"));
  afterwards(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** How many open descriptors of this process lead to what begins with `prefix`: a path, `socket:`, `anon_inode:`. */
export function openDescriptors(prefix: string): number {
  let count = 0;
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(prefix)) count += 1;
    } catch {
      // The descriptor that listed the folder has closed meanwhile.
    }
  }
  return count;
}

export interface BoundSocket {
  readonly fd: number;
  readonly port: number;
}

/** A UDP socket bound to `text`, with each of `flags` set to 1 first and IPV6_V6ONLY off. */
export function udp(text: string, ...flags: OptionName[]): BoundSocket {
  const address = addressOf(text);
  const fd = opened(openSocket(address.family));
  if (address.family === 6) expect(setOption(fd, "IPV6_V6ONLY", 0)).toBe(0);
  for (const flag of flags) expect(setOption(fd, flag, 1)).toBe(0);
  expect(bindSocket(fd, address)).toBe(0);
  const name = socketName(fd);
  if (typeof name === "number") throw new Error(`getsockname: ${name}`);
  return { fd, port: name.port };
}

/** A socket address that the test knows to be one. */
export function addressOf(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  if ("fault" in address) throw new Error(address.fault);
  return address;
}

/** An IP address that the test knows to be one. */
export function ipOf(text: string): IpAddress {
  const ip = parseIp(text);
  if ("fault" in ip) throw new Error(ip.fault);
  return ip;
}

/** `address` as the batches take it. */
export function nameOf(address: SocketAddress): Uint8Array {
  const name = new Uint8Array(NAME_BYTES);
  encodeSockaddr(name, 0, address);
  return name;
}

/** The local address that leaves the choice to the kernel. */
export const ANY_LOCAL: Uint8Array<ArrayBuffer> = new Uint8Array(LOCAL_BYTES);

export interface Arrived {
  readonly payload: Uint8Array;
  readonly from: string;
  readonly name: Uint8Array;
  readonly local: Uint8Array;
  readonly isTruncated: boolean;
}

/** Receives until `count` datagrams are there; fails the test if they do not come. */
export function receive(batch: ReceiveBatch, fd: number, count: number): Arrived[] {
  const epoll = new Epoll();
  epoll.add(fd, EPOLLIN, 0);
  const arrived: Arrived[] = [];
  while (arrived.length < count) {
    expect(epoll.wait(PATIENCE_MS * 1000)).toBe(1);
    const received = batch.receive(fd);
    expect(received).toBeGreaterThan(0);
    for (let index = 0; index < received; index++) arrived.push(copyOf(batch, index));
    batch.recycle(received);
  }
  epoll.close();
  expect(arrived).toHaveLength(count);
  return arrived;
}

function copyOf(batch: ReceiveBatch, index: number): Arrived {
  const start = batch.start(index);
  const name = batch.u8.slice(batch.name(index), batch.name(index) + NAME_BYTES);
  const from = decodeSockaddr(name, 0);
  const local = new Uint8Array(LOCAL_BYTES);
  batch.readLocal(index, local);
  return {
    payload: batch.u8.slice(start, start + batch.byteLength(index)),
    from: from === undefined ? "" : formatPeer(from),
    name,
    local,
    isTruncated: batch.isTruncated(index),
  };
}

/** An IPv6 address of this machine that `isWanted`, with the interface it is on. */
export function machineAddress(
  isWanted: (address: string) => boolean,
): { readonly address: string; readonly ifname: string } | undefined {
  for (const [ifname, entries] of Object.entries(networkInterfaces())) {
    for (const entry of entries ?? []) {
      if (entry.family === "IPv6" && isWanted(entry.address)) {
        return { address: entry.address, ifname };
      }
    }
  }
  return undefined;
}
