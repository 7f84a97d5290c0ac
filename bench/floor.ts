// The floor (bench): the least that the same system calls can cost, without a protocol. `--mode echo` answers every ACK
// with the window after it; `--mode send` sends windows to its clients without listening. Prints its port. What a server asks of the
// kernel besides (`--local`, `--tells-local`, `--busy-poll-us`) can be added, to see what it costs (trials.ts).

import { parseArgs } from "node:util";

import { u8 as byteAt } from "#base/bytes.ts";
import { AF_INET } from "#ffi/abi.ts";
import { parseSocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { bindSocket, openSocket, setOption, socketName } from "#ffi/socket.ts";
import { monotonicUs } from "#io/clock.ts";
import { Waiter } from "#io/waiter.ts";
import { Framing } from "#storage/framing.ts";

import { BlockHeaders, HEADER_BYTES } from "./block-headers.ts";

interface FloorPlan {
  readonly mode: "echo" | "send";
  readonly clients: number;
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly gso: boolean;
  readonly spinUs: number;
  /** Send each window as one piece of memory that holds its headers already, as the server does; else gather header by header. */
  readonly framed: boolean;
  /** Name the address to send from in each message (PKTINFO), as the server does; else the socket's own is good enough. */
  readonly local: boolean;
  /** Have the kernel name the address of each datagram that came. */
  readonly tellsLocal: boolean;
  /** SO_BUSY_POLL. */
  readonly busyPollUs: number;
}

/** As the server has it: 64 messages per call, and room for the pieces of 64 full windows. */
const MESSAGES_MAX = 64;
const IOVECS_MAX = 8192;
const SOCKET_BUFFER_BYTES = 2 * 1024 * 1024;
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_507;
const ANY_LOCAL = new Uint8Array(LOCAL_BYTES);
/** 127.0.0.1, by whichever interface: index (4 bytes), family (4), address (16). */
const LOOPBACK_LOCAL = new Uint8Array(LOCAL_BYTES);
LOOPBACK_LOCAL.set([0, 0, 0, 0, AF_INET, 0, 0, 0, 127, 0, 0, 1]);

class Floor {
  readonly #plan: FloorPlan;
  readonly #fd: number;
  readonly #file: Arena;
  readonly #oack: Arena = new Arena(512);
  readonly #oackBytes: number;
  readonly #framing: Framing;
  readonly #headers: BlockHeaders = new BlockHeaders();
  readonly #inbox: ReceiveBatch = new ReceiveBatch(MESSAGES_MAX, 2048, true);
  readonly #outbox: SendBatch = new SendBatch(MESSAGES_MAX, IOVECS_MAX, true);
  readonly #waiter: Waiter;
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  readonly #blocksPerMessage: number;
  readonly #blocksInFile: number;
  readonly #local: Uint8Array;
  #peers: Uint8Array[] = [];

  constructor(plan: FloorPlan) {
    this.#plan = plan;
    const { blockBytes, windowBlocks } = plan;
    this.#fd = openSocket(4);
    const address = parseSocketAddress("127.0.0.1:0");
    if ("fault" in address) throw new Error(address.fault);
    if (bindSocket(this.#fd, address) < 0) throw new Error("the floor has no port");
    setOption(this.#fd, "SO_RCVBUFFORCE", SOCKET_BUFFER_BYTES);
    setOption(this.#fd, "SO_SNDBUFFORCE", SOCKET_BUFFER_BYTES);
    setOption(this.#fd, "IP_MTU_DISCOVER", 0);
    if (plan.tellsLocal) setOption(this.#fd, "IP_PKTINFO", 1);
    if (plan.busyPollUs > 0) setOption(this.#fd, "SO_BUSY_POLL", plan.busyPollUs);
    this.#local = plan.local ? LOOPBACK_LOCAL : ANY_LOCAL;
    this.#blocksInFile = Math.floor(plan.fileBytes / blockBytes);
    this.#framing = Framing.packets(Number.MAX_SAFE_INTEGER, blockBytes, 0);
    // The last window goes beyond the end, because a client of the floor stops when it has enough.
    const blocks = this.#blocksInFile + windowBlocks + 1;
    this.#file = new Arena(blocks * this.#framing.strideBytes);
    this.#file.u8.fill(0x5a);
    if (plan.framed) this.#framing.frame(this.#file.u8, 0, blocks * blockBytes - 1, 0);
    const window = windowBlocks > 1 ? `windowsize\0${windowBlocks}\0` : "";
    const options = `\0\u0006blksize\0${blockBytes}\0${window}`;
    const oack = new TextEncoder().encode(options);
    this.#oack.u8.set(oack);
    this.#oackBytes = oack.length;
    const segments = Math.min(
      SEGMENTS_MAX,
      Math.floor(MESSAGE_BYTES_MAX / (blockBytes + HEADER_BYTES)),
    );
    this.#blocksPerMessage = plan.gso ? segments : 1;
    this.#waiter = new Waiter(plan.spinUs);
    this.#waiter.watch(this.#fd, 0);
  }

  run(): never {
    const name = socketName(this.#fd);
    console.log(typeof name === "number" ? name : name.port);
    for (;;) {
      const ready = this.#waiter.wait(monotonicUs(), Infinity, true);
      if (ready > 0) this.#receive();
      if (this.#peers.length === this.#plan.clients) this.#sendOnly();
    }
  }

  #receive(): void {
    const inbox = this.#inbox;
    const count = inbox.receive(this.#fd);
    for (let index = 0; index < count; index += 1) {
      const from = inbox.name(index);
      this.#name.set(inbox.u8.subarray(from, from + NAME_BYTES));
      const start = inbox.start(index);
      const isRequest = byteAt(inbox.u8, start + 1) === 1;
      if (this.#plan.mode === "send") {
        if (isRequest) this.#peers.push(this.#name.slice());
      } else if (isRequest) {
        this.#reserve();
        this.#outbox.begin(this.#name, this.#local, 0);
        this.#outbox.push(this.#oack.address, this.#oackBytes);
      } else {
        const wire = (byteAt(inbox.u8, start + 2) << 8) | byteAt(inbox.u8, start + 3);
        this.#window(this.#name, wire + 1, this.#plan.windowBlocks);
      }
    }
    inbox.recycle(Math.max(0, count));
    this.#flush();
  }

  /** Every peer in turn gets a window, until each was sent as many blocks as the file has. */
  #sendOnly(): void {
    const { windowBlocks } = this.#plan;
    for (let block = 1; block <= this.#blocksInFile; block += windowBlocks) {
      for (const peer of this.#peers) this.#window(peer, block, windowBlocks);
    }
    this.#flush();
    this.#peers = [];
  }

  #window(peer: Uint8Array, first: number, blocks: number): void {
    for (let done = 0; done < blocks; done += this.#blocksPerMessage) {
      this.#message(peer, first + done, Math.min(this.#blocksPerMessage, blocks - done));
    }
  }

  #message(peer: Uint8Array, first: number, blocks: number): void {
    const { blockBytes } = this.#plan;
    this.#reserve();
    this.#outbox.begin(peer, this.#local, blocks > 1 ? blockBytes + HEADER_BYTES : 0);
    if (this.#plan.framed) {
      const { strideBytes } = this.#framing;
      const place = (first - 1) * strideBytes;
      this.#outbox.push(this.#file.address + place, blocks * strideBytes);
      return;
    }
    for (let block = first; block < first + blocks; block += 1) {
      const place = ((block - 1) % this.#blocksInFile) * blockBytes;
      this.#outbox.push(this.#headers.address(block & 0xffff), HEADER_BYTES);
      this.#outbox.push(this.#file.address + place, blockBytes);
    }
  }

  #reserve(): void {
    if (!this.#outbox.hasRoom(2 * SEGMENTS_MAX)) this.#flush();
  }

  #flush(): void {
    const { count } = this.#outbox;
    for (let first = 0; first < count;) {
      const sent = this.#outbox.send(this.#fd, first);
      // EAGAIN: the socket's buffer is full, and asking again is all that a sender without a protocol can do.
      if (sent > 0) first += sent;
    }
    this.#outbox.clear();
  }
}

const { values } = parseArgs({
  options: {
    mode: { type: "string", default: "echo" },
    clients: { type: "string", default: "1" },
    "file-bytes": { type: "string", default: "33554432" },
    "block-bytes": { type: "string", default: "1428" },
    "window-blocks": { type: "string", default: "1" },
    gso: { type: "boolean", default: false },
    "spin-us": { type: "string", default: "0" },
    framed: { type: "boolean", default: false },
    local: { type: "boolean", default: false },
    "tells-local": { type: "boolean", default: false },
    "busy-poll-us": { type: "string", default: "0" },
  },
});
new Floor({
  mode: values.mode === "send" ? "send" : "echo",
  clients: Number(values.clients),
  fileBytes: Number(values["file-bytes"]),
  blockBytes: Number(values["block-bytes"]),
  windowBlocks: Number(values["window-blocks"]),
  gso: values.gso,
  spinUs: Number(values["spin-us"]),
  framed: values.framed,
  local: values.local,
  tellsLocal: values["tells-local"],
  busyPollUs: Number(values["busy-poll-us"]),
}).run();
