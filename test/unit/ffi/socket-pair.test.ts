// Tests of pairs of Unix sockets: what one end says the other hears, whole, and it is told when nobody is there any more.

import { afterEach, expect, test } from "bun:test";

import { Arena } from "#ffi/arena.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { openSocketPair, receiveText, sendBytes } from "#ffi/socket-pair.ts";
import { sendText } from "#ffi/unix-socket.ts";

import { cleanUp, opened } from "./rig.ts";

afterEach(cleanUp);

function pairOf(kind: "messages" | "bytes"): readonly [number, number] {
  const pair = openSocketPair(kind);
  if (typeof pair === "number") throw new Error(`no pair: ${pair}`);
  return [opened(pair[0]), opened(pair[1])];
}

test("a pair of messages keeps each message whole, and waits for nobody", () => {
  const [one, other] = pairOf("messages");
  expect(receiveText(other)).toBe(-Errno.EAGAIN);
  expect(sendText(one, "1 ready größer")).toBe(16);
  expect(sendText(one, "2")).toBe(1);
  expect(receiveText(other)).toBe("1 ready größer");
  expect(receiveText(other)).toBe("2");
});

test("a pair of bytes runs messages together", () => {
  const [one, other] = pairOf("bytes");
  sendText(one, "start 1\n");
  sendText(one, "look 1\n");
  expect(receiveText(other)).toBe("start 1\nlook 1\n");
});

test("an end that has gone is told from one that is silent", () => {
  const [one, other] = pairOf("messages");
  closeFd(other);
  expect(receiveText(one)).toBe("");
  expect(sendText(one, "anybody there?")).toBe(-Errno.EPIPE);
});

test("bytes of an arena go out as one message, until the reader is behind", () => {
  const [one, other] = pairOf("messages");
  const arena = new Arena(60_000);
  arena.u8.fill(0x61);
  expect(sendBytes(one, arena.address, 3)).toBe(3);
  expect(receiveText(other)).toBe("aaa");
  let result = 0;
  for (let sent = 0; result >= 0 && sent < 1000; sent += 1)
    result = sendBytes(one, arena.address, 60_000);
  expect(result).toBe(-Errno.EAGAIN);
  arena.unmap();
});
