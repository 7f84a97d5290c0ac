// What a floor that only sends sends to (bench): clients that ask, and take what comes without answering. No protocol is left in that, and so
// it shares nothing with the load. Run as a process of its own; prints the result of a load, as one line of JSON.

import { EPOLLIN } from "#ffi/abi.ts";
import { encodeSockaddr, parseSocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { headCalls, LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { closeSocket, openSocket, setOption } from "#ffi/socket.ts";
import { monotonicUs } from "#io/clock.ts";

import type { LoadPlan, LoadResult } from "./load.ts";

const HEADER_BYTES = 4;
/** What is kept of a datagram: nothing is looked at. */
const HEAD_BYTES = 16;
const RECEIVE_MAX = 64;
/** As the load has it. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** It has ended when nothing has come for so long. */
const SILENCE_US = 300_000;

/** Most of a plan means nothing here. */
function run({ port, clients, blockBytes, windowBlocks }: LoadPlan): LoadResult {
  const inbox = new ReceiveBatch(RECEIVE_MAX, HEAD_BYTES, true, headCalls);
  const epoll = new Epoll();
  const fds = Array.from({ length: clients }, (_, index) => {
    const fd = openSocket(4);
    if (fd < 0) throw new Error(`no socket: ${fd}; raise ulimit -n`);
    if (setOption(fd, "SO_RCVBUFFORCE", SOCKET_BUFFER_BYTES) < 0)
      setOption(fd, "SO_RCVBUF", SOCKET_BUFFER_BYTES);
    setOption(fd, "UDP_GRO", 1);
    epoll.add(fd, EPOLLIN, index);
    return fd;
  });
  const startUs = monotonicUs();
  for (const fd of fds) ask(fd, port, blockBytes, windowBlocks);
  let bytes = 0;
  let heardUs = startUs;
  while (bytes === 0 || monotonicUs() - heardUs < SILENCE_US) {
    // Never sleeps: a socket that is full says nothing of what the floor can send.
    const ready = epoll.wait(0);
    for (let index = 0; index < ready; index += 1) {
      const count = inbox.receive(fds[epoll.token(index)] ?? -1);
      for (let each = 0; each < count; each += 1) {
        const length = inbox.byteLength(each);
        bytes += length - Math.ceil(length / (blockBytes + HEADER_BYTES)) * HEADER_BYTES;
      }
      if (count > 0) inbox.recycle(count);
      heardUs = monotonicUs();
    }
  }
  for (const fd of fds) closeSocket(fd);
  return {
    bytes,
    seconds: (heardUs - startUs) / 1e6,
    completed: clients,
    failed: 0,
    retransmits: 0,
    p50Ms: 0,
    p99Ms: 0,
    loadSeconds: 0,
    loadKernelSeconds: 0,
    isFinished: true,
  };
}

function ask(fd: number, port: number, blockBytes: number, windowBlocks: number): void {
  const address = parseSocketAddress(`127.0.0.1:${port}`);
  if ("fault" in address) throw new Error(address.fault);
  const server = new Uint8Array(NAME_BYTES);
  encodeSockaddr(server, 0, address);
  const request = `\0\u0001floor\0octet\0blksize\0${blockBytes}\0windowsize\0${windowBlocks}\0`;
  const packet = new Arena(request.length);
  packet.u8.set(new TextEncoder().encode(request));
  const outbox = new SendBatch(1, 1, false);
  outbox.begin(server, new Uint8Array(LOCAL_BYTES), 0);
  outbox.push(packet.address, request.length);
  outbox.send(fd, 0);
  outbox.unmap();
  packet.unmap();
}

const [plan = ""] = process.argv.slice(2);
console.log(JSON.stringify(run(JSON.parse(plan) as LoadPlan)));
