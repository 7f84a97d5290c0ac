// Tests of short datagrams on connected sockets, over real loopback: heads of long ones, and only the peer's.

import { afterEach, expect, test } from "bun:test";

import { EPOLLIN } from "#ffi/abi.ts";
import { ConnectedPair } from "#ffi/connected.ts";
import { Epoll } from "#ffi/epoll.ts";
import { Errno } from "#ffi/errno.ts";
import { connectSocket } from "#ffi/socket.ts";

import { addressOf, afterwards, type BoundSocket, cleanUp, udp } from "./rig.ts";

afterEach(cleanUp);

const ANY = "127.0.0.1:0";

/** Has `from` send to `to`, and hear from it alone. */
function connect(from: BoundSocket, to: BoundSocket): void {
  expect(connectSocket(from.fd, addressOf(`127.0.0.1:${to.port}`))).toBe(0);
}

function pairOf(bytes: number): ConnectedPair {
  const pair = new ConnectedPair(bytes);
  afterwards(() => pair.unmap());
  return pair;
}

function awaitReadable(fd: number): void {
  const epoll = new Epoll();
  afterwards(() => epoll.close());
  epoll.add(fd, EPOLLIN, 0);
  expect(epoll.wait(5_000_000)).toBe(1);
}

test("of a long datagram the head comes, and how long all of it was", () => {
  const [one, other] = [udp(ANY), udp(ANY)];
  connect(one, other);
  connect(other, one);
  const long = pairOf(1000);
  long.outgoing.fill(7);
  expect(long.send(one.fd, 1000)).toBe(1000);
  awaitReadable(other.fd);
  const short = pairOf(16);
  expect(short.receive(other.fd)).toBe(1000);
  expect([...short.incoming]).toEqual(Array.from({ length: 16 }, () => 7));
  // What lies behind the head is what is to go, and stays so.
  expect([...short.outgoing]).toEqual(Array.from({ length: 16 }, () => 0));
  expect(short.receive(other.fd)).toBe(-Errno.EAGAIN);
});

test("what is sent goes to the peer, and nobody else is heard", () => {
  const [one, other, stranger] = [udp(ANY), udp(ANY), udp(ANY)];
  connect(one, other);
  connect(stranger, one);
  const pair = pairOf(8);
  expect(pair.send(stranger.fd, 1)).toBe(1);
  expect(pair.receive(one.fd)).toBe(-Errno.EAGAIN);
  expect(pair.send(one.fd, 4)).toBe(4);
  awaitReadable(other.fd);
  expect(pair.receive(other.fd)).toBe(4);
});
