// Uploads of which some die half-way, every other one of those with an ERROR (end-to-end): many clients in one thread, as a process of its own. The load
// generator cannot do this: each file is another one here, and who dies is told by its number. Prints one line of JSON.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { at, u8 as byteAt } from "#base/bytes.ts";
import { EPOLLIN } from "#ffi/abi.ts";
import { encodeSockaddr, parseSocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { closeSocket, openSocket } from "#ffi/socket.ts";
import { monotonicUs } from "#io/clock.ts";

/** What one run is to do. */
export interface PutPlan {
  readonly port: number;
  readonly clients: number;
  /** Path of the bytes to upload: client `i` sends `fileBytes` of it from byte {@link contentStart}(i) on. */
  readonly content: string;
  readonly fileBytes: number;
  /** Client `i` writes the name `prefix` + `i`. */
  readonly prefix: string;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** Every so many-th client dies half-way, every other one of them with an ERROR; 0 is none. See {@link isDying}. */
  readonly dieEvery: number;
}

/** What came of it. */
export interface PutResult {
  readonly completed: number;
  /** Those that got an ERROR, or no answer; not those that died as they were told. */
  readonly failed: number;
  readonly retransmits: number;
}

/** Where the content of client `index` begins: no two files are the same. */
export function contentStart(index: number): number {
  return index * 64;
}

/** Whether client `index` is one that dies. */
export function isDying(index: number, dieEvery: number): boolean {
  return dieEvery > 0 && index % dieEvery === dieEvery - 1;
}

const HEADER_BYTES = 4;
/** UDP_MAX_SEGMENTS before Linux 6.9, and the largest UDP payload over IPv4. */
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_507;
/** An OACK or an ERROR. */
const REPLY_BYTES = 1500;
/** Nothing is lost on loopback unless a buffer overflows; a server that waits for its disk is not to be hurried. */
const SILENCE_US = 1_000_000;
const GIVE_UP_US = 60_000_000;
const ANY_LOCAL = new Uint8Array(LOCAL_BYTES);

/** One client. */
class Client {
  readonly fd: number;
  readonly name: string;
  readonly content: number;
  readonly peer: Uint8Array;
  /** The block before which it dies; Infinity for those that live. */
  readonly diesAt: number;
  /** The last block that was acknowledged; −1 while the server has not answered. */
  acked = -1;
  heardUs = 0;
  aliveUs = 0;
  /** The window was repeated for an ACK that came again. */
  hasRepeated = false;
  isDone = false;

  constructor(index: number, plan: PutPlan, server: Uint8Array) {
    this.fd = openSocket(4);
    if (this.fd < 0) throw new Error(`no socket: ${this.fd}; raise ulimit -n`);
    this.name = `${plan.prefix}${index}`;
    this.content = contentStart(index);
    this.peer = server.slice();
    const blocks = Math.floor(plan.fileBytes / plan.blockBytes) + 1;
    // Spread over the file by a step that meets every hundredth.
    const share = ((index * 37) % 100) / 100;
    this.diesAt = isDying(index, plan.dieEvery) ? 1 + Math.floor(blocks * share) : Infinity;
  }
}

/** All clients of a run. */
class PutLoad {
  readonly #plan: PutPlan;
  readonly #lastBlock: number;
  readonly #clients: readonly Client[];
  readonly #epoll: Epoll = new Epoll();
  readonly #inbox: ReceiveBatch = new ReceiveBatch(1, REPLY_BYTES, true);
  readonly #outbox: SendBatch = new SendBatch(1, 2 * SEGMENTS_MAX, false);
  readonly #content: Arena;
  /** The header of every block number, and the packets that have no payload. */
  readonly #headers: Arena = new Arena(65_536 * HEADER_BYTES);
  readonly #packet: Arena = new Arena(4096);
  readonly #server: Uint8Array = new Uint8Array(NAME_BYTES);
  #running = 0;
  #completed = 0;
  #failed = 0;
  #retransmits = 0;

  constructor(plan: PutPlan) {
    this.#plan = plan;
    this.#lastBlock = Math.floor(plan.fileBytes / plan.blockBytes) + 1;
    const address = parseSocketAddress(`127.0.0.1:${plan.port}`);
    if ("fault" in address) throw new Error(address.fault);
    encodeSockaddr(this.#server, 0, address);
    const content = readFileSync(plan.content);
    const bytes = contentStart(plan.clients) + plan.fileBytes;
    if (content.length < bytes) throw new Error(`${plan.content} needs ${bytes} bytes`);
    this.#content = new Arena(content.length);
    this.#content.u8.set(content);
    for (let block = 0; block < 65_536; block += 1) {
      this.#headers.u8.set([0, 3, block >>> 8, block & 0xff], block * HEADER_BYTES);
    }
    this.#clients = Array.from(
      { length: plan.clients },
      (_, index) => new Client(index, plan, this.#server),
    );
    this.#clients.forEach((client, index) => this.#epoll.add(client.fd, EPOLLIN, index));
  }

  run(): PutResult {
    const startUs = monotonicUs();
    this.#running = this.#clients.length;
    for (const client of this.#clients) {
      client.aliveUs = startUs;
      this.#send(client, startUs);
    }
    let checkUs = startUs;
    // Never sleeps: the load has a core to itself, and must not be what the server waits for.
    while (this.#running > 0) {
      const nowUs = monotonicUs();
      const ready = this.#epoll.wait(0);
      for (let index = 0; index < ready; index += 1) {
        this.#receive(at(this.#clients, this.#epoll.token(index)), nowUs);
      }
      if (nowUs - checkUs < 50_000) continue;
      checkUs = nowUs;
      this.#repeat(nowUs);
    }
    for (const client of this.#clients) closeSocket(client.fd);
    return {
      completed: this.#completed,
      failed: this.#failed + this.#running,
      retransmits: this.#retransmits,
    };
  }

  #receive(client: Client, nowUs: number): void {
    const inbox = this.#inbox;
    if (inbox.receive(client.fd) <= 0) return;
    const { u8 } = inbox;
    const start = inbox.start(0);
    const opcode = byteAt(u8, start + 1);
    const number = (byteAt(u8, start + 2) << 8) | byteAt(u8, start + 3);
    if (!client.isDone && opcode === 5) {
      const text = new TextDecoder().decode(u8.slice(start + 4, start + inbox.byteLength(0)));
      process.stderr.write(`${client.name}: ERROR ${number}: ${text}\n`);
      this.#failed += 1;
      this.#end(client);
    } else if (!client.isDone && client.acked < 0) {
      const name = inbox.name(0);
      client.peer.set(u8.subarray(name, name + NAME_BYTES));
      this.#acknowledged(client, 0, nowUs);
    } else if (!client.isDone && opcode === 4) {
      // How far it is ahead of the last one, whatever the 16 bits have been through.
      const blocks = (number - client.acked) & 0xffff;
      const isNew = blocks > 0 && blocks <= this.#plan.windowBlocks;
      if (isNew) this.#acknowledged(client, client.acked + blocks, nowUs);
      else if (blocks === 0) this.#repeatWindow(client, nowUs);
    }
    inbox.recycle(1);
  }

  #acknowledged(client: Client, block: number, nowUs: number): void {
    client.acked = block;
    client.hasRepeated = false;
    client.aliveUs = nowUs;
    if (block === this.#lastBlock) {
      this.#completed += 1;
      this.#end(client);
    } else this.#send(client, nowUs);
  }

  /** RFC 7440 §4: the first block of the window was lost. Without windows that would double every packet to come. */
  #repeatWindow(client: Client, nowUs: number): void {
    if (this.#plan.windowBlocks === 1 || client.hasRepeated) return;
    client.hasRepeated = true;
    this.#retransmits += 1;
    this.#send(client, nowUs);
  }

  /** Sends what is due: the request, or the window behind the last acknowledged block. */
  #send(client: Client, nowUs: number): void {
    client.heardUs = nowUs;
    if (client.acked < 0) {
      this.#sendPacket(client, requestOf(this.#plan, client.name));
      return;
    }
    const { blockBytes, windowBlocks } = this.#plan;
    const segment = blockBytes + HEADER_BYTES;
    const most = Math.min(SEGMENTS_MAX, Math.floor(MESSAGE_BYTES_MAX / segment));
    const end = Math.min(client.acked + windowBlocks, this.#lastBlock, client.diesAt - 1);
    for (let block = client.acked + 1; block <= end; block += most) {
      this.#sendBlocks(client, block, Math.min(end, block + most - 1));
    }
    if (client.diesAt - 1 <= client.acked + windowBlocks) this.#die(client);
  }

  /** Sends the blocks `from` to `to` in one message, which the kernel cuts up. */
  #sendBlocks(client: Client, from: number, to: number): void {
    const { blockBytes, fileBytes } = this.#plan;
    this.#outbox.begin(client.peer, ANY_LOCAL, to > from ? blockBytes + HEADER_BYTES : 0);
    for (let block = from; block <= to; block += 1) {
      const start = (block - 1) * blockBytes;
      const bytes = Math.min(blockBytes, fileBytes - start);
      this.#outbox.push(this.#headers.address + (block & 0xffff) * HEADER_BYTES, HEADER_BYTES);
      if (bytes > 0) this.#outbox.push(this.#content.address + client.content + start, bytes);
    }
    this.#outbox.send(client.fd, 0);
    this.#outbox.clear();
  }

  #sendPacket(client: Client, bytes: Uint8Array): void {
    this.#packet.u8.set(bytes);
    this.#outbox.begin(client.peer, ANY_LOCAL, 0);
    this.#outbox.push(this.#packet.address, bytes.length);
    this.#outbox.send(client.fd, 0);
    this.#outbox.clear();
  }

  #die(client: Client): void {
    if (client.diesAt % 2 === 0) this.#sendPacket(client, Uint8Array.of(0, 5, 0, 0, 0));
    this.#end(client);
  }

  #repeat(nowUs: number): void {
    for (const client of this.#clients) {
      if (client.isDone || nowUs - client.heardUs < SILENCE_US) continue;
      if (nowUs - client.aliveUs > GIVE_UP_US) {
        process.stderr.write(`${client.name}: no answer after block ${client.acked}\n`);
        this.#failed += 1;
        this.#end(client);
        continue;
      }
      this.#retransmits += 1;
      this.#send(client, nowUs);
    }
  }

  #end(client: Client): void {
    client.isDone = true;
    this.#running -= 1;
  }
}

function requestOf({ blockBytes, windowBlocks }: PutPlan, name: string): Uint8Array {
  const window = windowBlocks > 1 ? `windowsize\0${windowBlocks}\0` : "";
  return new TextEncoder().encode(`\0\u0002${name}\0octet\0blksize\0${blockBytes}\0${window}`);
}

/** The command line of a run, after the program. */
export function putArgs(plan: PutPlan): string[] {
  return [
    `--port=${plan.port}`,
    `--clients=${plan.clients}`,
    `--content=${plan.content}`,
    `--file-bytes=${plan.fileBytes}`,
    `--prefix=${plan.prefix}`,
    `--block-bytes=${plan.blockBytes}`,
    `--window-blocks=${plan.windowBlocks}`,
    `--die-every=${plan.dieEvery}`,
  ];
}

function planOf(args: string[]): PutPlan {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "6969" },
      clients: { type: "string", default: "1" },
      content: { type: "string", default: "" },
      "file-bytes": { type: "string", default: "0" },
      prefix: { type: "string", default: "" },
      "block-bytes": { type: "string", default: "1428" },
      "window-blocks": { type: "string", default: "1" },
      "die-every": { type: "string", default: "0" },
    },
  });
  return {
    port: Number(values.port),
    clients: Number(values.clients),
    content: values.content,
    fileBytes: Number(values["file-bytes"]),
    prefix: values.prefix,
    blockBytes: Number(values["block-bytes"]),
    windowBlocks: Number(values["window-blocks"]),
    dieEvery: Number(values["die-every"]),
  };
}

if (import.meta.main) console.log(JSON.stringify(new PutLoad(planOf(process.argv.slice(2))).run()));
