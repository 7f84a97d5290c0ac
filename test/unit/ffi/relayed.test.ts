// Tests of datagrams that go from one process to another as they came: bytes, addresses and listener are what they were.

import { afterEach, expect, test } from "bun:test";

import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch } from "#ffi/message.ts";
import { RELAY_BYTES, RelaySender, unwrapRelayed } from "#ffi/relayed.ts";
import { openSocketPair } from "#ffi/socket-pair.ts";
import { bindSocket, openSocket, setOption, socketName } from "#ffi/socket.ts";
import { sendText } from "#ffi/unix-socket.ts";

import { cleanUp, opened } from "./rig.ts";

afterEach(cleanUp);

const LOOPBACK = { family: 4, bytes: Uint8Array.of(127, 0, 0, 1), port: 0, scopeId: 0 } as const;

/** A batch with one datagram in it that came by UDP. */
async function received(text: string): Promise<ReceiveBatch> {
  const fd = opened(openSocket(4));
  setOption(fd, "IP_PKTINFO", 1);
  expect(bindSocket(fd, LOOPBACK)).toBe(0);
  const name = socketName(fd);
  const sender = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  sender.send(text, typeof name === "number" ? 0 : name.port, "127.0.0.1");
  const batch = new ReceiveBatch(4, 2048, true);
  while (batch.receive(fd) !== 1) await Bun.sleep(1);
  sender.close();
  return batch;
}

function addressesOf(batch: ReceiveBatch, index: number): readonly Uint8Array[] {
  const local = new Uint8Array(LOCAL_BYTES);
  batch.readLocal(index, local);
  return [batch.u8.slice(batch.name(index), batch.name(index) + NAME_BYTES), local];
}

function pair(): readonly [number, number] {
  const ends = openSocketPair("messages");
  if (typeof ends === "number") throw new Error(`no pair: ${ends}`);
  return [opened(ends[0]), opened(ends[1])];
}

test("a datagram is what it was, where it came from and where to, and by which listener", async () => {
  const batch = await received("what came");
  const [ours, theirs] = pair();
  expect(new RelaySender().send(ours, batch, 0, 3)).toBe(RELAY_BYTES + 9);
  const other = new ReceiveBatch(4, 2048, true);
  expect(other.receive(theirs)).toBe(1);
  expect(unwrapRelayed(other, 0)).toBe(3);
  const start = other.start(0);
  expect(Buffer.from(other.u8.slice(start, start + other.byteLength(0))).toString()).toBe(
    "what came",
  );
  expect(addressesOf(other, 0)).toEqual(addressesOf(batch, 0) as Uint8Array[]);
  expect(addressesOf(other, 0)[1]?.subarray(8, 12)).toEqual(Uint8Array.of(127, 0, 0, 1));
});

test("what is too short, and an end that has gone, are told", async () => {
  const batch = await received("x");
  const [ours, theirs] = pair();
  sendText(ours, "too short");
  const other = new ReceiveBatch(4, 2048, true);
  expect(other.receive(theirs)).toBe(1);
  expect(unwrapRelayed(other, 0)).toBe(-1);
  closeFd(theirs);
  expect(new RelaySender().send(ours, batch, 0, 0)).toBe(-Errno.EPIPE);
});
