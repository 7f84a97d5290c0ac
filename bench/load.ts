// The load (bench): many TFTP clients in one thread, over the project's own system calls. Run as a process of its own.
// Checks the order of every block and the size of every file; hashes what came only when asked. Prints one line of JSON.

import { parseArgs } from "node:util";

import { at, u8 as byteAt } from "#base/bytes.ts";
import { EPOLLIN } from "#ffi/abi.ts";
import { encodeSockaddr, parseSocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { closeSocket, openSocket, setOption } from "#ffi/socket.ts";
import { monotonicUs } from "#io/clock.ts";

/** What one run is to do. */
export interface LoadPlan {
  readonly port: number;
  readonly clients: number;
  readonly file: string;
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** Take what the kernel did not cut up in one piece (UDP_GRO), as a network card's receiver would. */
  readonly gro: boolean;
  /** The file's SHA-256 in hexadecimal; empty hashes nothing. */
  readonly sha256: string;
  /** The server knows no end: stop at the file's size. */
  readonly endless: boolean;
  /** Take datagrams without answering them, until none came for 300 ms. */
  readonly sink: boolean;
  /** So many at a time, each of the others when one has ended; all at once if there is none. */
  readonly concurrent?: number;
  /** So many files, `file` with a number from 0 on behind it: client `i` asks for the one of `i` modulo this. One, as it is called, if there is none. */
  readonly files?: number;
  /** Ask for names that are not there, `file` with the client's number behind it: a client has what it wants with ERROR 1. */
  readonly misses?: boolean;
  /** Give up after so long. */
  readonly limitMs?: number;
}

/** What came of it. */
export interface LoadResult {
  /** Payload bytes, headers not counted, repetitions not counted. */
  readonly bytes: number;
  readonly seconds: number;
  readonly completed: number;
  readonly failed: number;
  readonly duplicates: number;
  readonly retransmits: number;
  /** From request to end, of those that completed: the middle, and that which one in a hundred exceeds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Whether it ended by itself; what was under way at the limit, or had not begun, counts as failed. */
  readonly isFinished: boolean;
}

const HEADER_BYTES = 4;
/** The longest UDP payload, and so the longest piece that UDP_GRO hands over. */
const DATAGRAM_BYTES = 65_536;
/** Datagrams per receive call: a window of 64 blocks, which without GRO comes one by one. */
const RECEIVE_MAX = 64;
/** Sockets buffers large enough for a window of any size that is measured: the most that needs no privilege here. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** RFC 1123 §4.2.3.2 asks for adaptive timeouts; nothing is lost on loopback unless a buffer overflows. */
const SILENCE_US = 1_000_000;
const GIVE_UP_US = 15_000_000;
const SINK_SILENCE_US = 300_000;
const ANY_LOCAL = new Uint8Array(LOCAL_BYTES);

/** One client, which fetches one file. */
class Client {
  readonly fd: number;
  readonly request: Uint8Array;
  readonly hash: Bun.CryptoHasher | undefined;
  readonly peer: Uint8Array;
  /** Blocks that came in order; −1 while the server has not answered. */
  block = -1;
  /** What was granted. */
  blockBytes = 0;
  windowBlocks = 0;
  bytes = 0;
  sinceAck = 0;
  startedUs = 0;
  heardUs = 0;
  aliveUs = 0;
  isDone = false;
  hasGapAnswered = false;

  constructor(server: Uint8Array, request: Uint8Array, isGro: boolean, isHashing: boolean) {
    this.request = request;
    this.fd = openSocket(4);
    if (this.fd < 0) throw new Error(`no socket: ${this.fd}; raise ulimit -n`);
    if (setOption(this.fd, "SO_RCVBUFFORCE", SOCKET_BUFFER_BYTES) < 0) {
      setOption(this.fd, "SO_RCVBUF", SOCKET_BUFFER_BYTES);
    }
    if (isGro) setOption(this.fd, "UDP_GRO", 1);
    this.peer = server.slice();
    this.hash = isHashing ? new Bun.CryptoHasher("sha256") : undefined;
  }
}

/** All clients of a run. */
class Load {
  readonly #plan: LoadPlan;
  /** Those that are under way, or were the last in their place. */
  readonly #clients: Client[] = [];
  readonly #epoll: Epoll = new Epoll();
  readonly #inbox: ReceiveBatch = new ReceiveBatch(RECEIVE_MAX, DATAGRAM_BYTES, true);
  readonly #outbox: SendBatch = new SendBatch(1, 1, false);
  readonly #packet: Arena = new Arena(4096);
  readonly #durationsMs: number[] = [];
  readonly #server: Uint8Array = new Uint8Array(NAME_BYTES);
  #begun = 0;
  #running = 0;
  #completed = 0;
  /** Of clients that have given their place to another. */
  #pastBytes = 0;
  #duplicates = 0;
  #retransmits = 0;
  #heardUs = 0;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const address = parseSocketAddress(`127.0.0.1:${plan.port}`);
    if ("fault" in address) throw new Error(address.fault);
    encodeSockaddr(this.#server, 0, address);
    const places = Math.min(plan.clients, plan.concurrent ?? plan.clients);
    for (let place = 0; place < places; place += 1) this.#clients.push(this.#newClient(place));
  }

  #newClient(place: number): Client {
    const { gro, sha256 } = this.#plan;
    const client = new Client(this.#server, requestOf(this.#plan, this.#begun), gro, sha256 !== "");
    this.#begun += 1;
    this.#epoll.add(client.fd, EPOLLIN, place);
    return client;
  }

  run(): LoadResult {
    const startUs = monotonicUs();
    this.#running = this.#clients.length;
    for (const client of this.#clients) this.#start(client, startUs);
    let checkUs = startUs;
    this.#heardUs = startUs;
    while (this.#running > 0) {
      const nowUs = monotonicUs();
      this.#receiveAll(nowUs);
      if (nowUs - checkUs < 50_000) continue;
      checkUs = nowUs;
      if (nowUs - startUs > (this.#plan.limitMs ?? Infinity) * 1000) break;
      if (this.#plan.sink) {
        if (this.#bytes() > 0 && nowUs - this.#heardUs > SINK_SILENCE_US) break;
      } else {
        this.#repeat(nowUs);
      }
    }
    const endUs = this.#plan.sink ? this.#heardUs : monotonicUs();
    for (const client of this.#clients) closeSocket(client.fd);
    const { clients, sink } = this.#plan;
    const completed = sink ? clients : this.#completed;
    return {
      bytes: this.#bytes(),
      seconds: (endUs - startUs) / 1e6,
      completed,
      failed: clients - completed,
      duplicates: this.#duplicates,
      retransmits: this.#retransmits,
      p50Ms: percentile(this.#durationsMs, 50),
      p99Ms: percentile(this.#durationsMs, 99),
      isFinished: sink || this.#running === 0,
    };
  }

  #start(client: Client, nowUs: number): void {
    client.startedUs = nowUs;
    client.aliveUs = nowUs;
    this.#send(client, client.request, nowUs);
  }

  #bytes(): number {
    return this.#clients.reduce((sum, client) => sum + client.bytes, this.#pastBytes);
  }

  /** Never sleeps: the load has a core to itself, and must not be what the server waits for. */
  #receiveAll(nowUs: number): void {
    const [only] = this.#clients;
    if (this.#clients.length === 1 && only !== undefined) {
      this.#receive(only, 0, nowUs);
      return;
    }
    const ready = this.#epoll.wait(0);
    for (let index = 0; index < ready; index += 1) {
      const place = this.#epoll.token(index);
      this.#receive(at(this.#clients, place), place, nowUs);
    }
  }

  #receive(client: Client, place: number, nowUs: number): void {
    const inbox = this.#inbox;
    const count = inbox.receive(client.fd);
    if (count <= 0) return;
    client.heardUs = nowUs;
    this.#heardUs = nowUs;
    for (let index = 0; index < count; index += 1) this.#take(client, index, nowUs);
    inbox.recycle(count);
    if (client.isDone && this.#begun < this.#plan.clients) this.#replace(client, place);
  }

  /** The next client comes by a port of its own, as the next machine would. */
  #replace(client: Client, place: number): void {
    this.#pastBytes += client.bytes;
    closeSocket(client.fd);
    const next = this.#newClient(place);
    this.#clients[place] = next;
    this.#running += 1;
    this.#start(next, monotonicUs());
  }

  /** One datagram, or several of a window that came in one piece. */
  #take(client: Client, index: number, nowUs: number): void {
    const { u8 } = this.#inbox;
    const start = this.#inbox.start(index);
    const end = start + this.#inbox.byteLength(index);
    const segment = (client.blockBytes || this.#plan.blockBytes) + HEADER_BYTES;
    if (this.#plan.sink) {
      client.bytes += end - start - Math.ceil((end - start) / segment) * HEADER_BYTES;
      return;
    }
    if (client.isDone) return;
    const opcode = byteAt(u8, start + 1);
    if (this.#plan.misses === true) {
      // The floor answers everything with an OACK.
      const isMiss = opcode === 5 && byteAt(u8, start + 3) === 1;
      this.#end(client, isMiss || this.#plan.endless);
    } else if (opcode === 6 && client.block < 0) {
      const name = this.#inbox.name(index);
      client.peer.set(u8.subarray(name, name + NAME_BYTES));
      client.block = 0;
      this.#agree(client, start, end);
      client.aliveUs = nowUs;
      this.#acknowledge(client, nowUs);
    } else if (opcode === 5) {
      const text = new TextDecoder().decode(u8.slice(start + 4, end));
      process.stderr.write(`ERROR ${byteAt(u8, start + 3)}: ${text}\n`);
      this.#end(client, false);
    } else if (opcode === 3 && client.block >= 0) {
      for (let from = start; from < end && !client.isDone; from += segment) {
        this.#takeBlock(client, from, Math.min(end, from + segment), nowUs);
      }
    }
  }

  /** A server may grant less than it was asked for, or ignore an option: RFC 2347. */
  #agree(client: Client, start: number, end: number): void {
    const words = new TextDecoder().decode(this.#inbox.u8.slice(start + 2, end)).split("\0");
    const granted = (option: string): string | undefined => words[words.indexOf(option) + 1];
    client.blockBytes = words.includes("blksize") ? Number(granted("blksize")) : 512;
    client.windowBlocks = words.includes("windowsize") ? Number(granted("windowsize")) : 1;
  }

  #takeBlock(client: Client, from: number, to: number, nowUs: number): void {
    const { u8 } = this.#inbox;
    const { fileBytes } = this.#plan;
    const { blockBytes, windowBlocks } = client;
    const wire = (byteAt(u8, from + 2) << 8) | byteAt(u8, from + 3);
    if (wire !== ((client.block + 1) & 0xffff)) {
      this.#duplicates += 1;
      // RFC 7440 §4: a gap is answered once, with the last block in order.
      if (!client.hasGapAnswered) this.#acknowledge(client, nowUs);
      client.hasGapAnswered = true;
      return;
    }
    client.hasGapAnswered = false;
    client.block += 1;
    client.sinceAck += 1;
    client.aliveUs = nowUs;
    const length = to - from - HEADER_BYTES;
    client.bytes += length;
    client.hash?.update(u8.subarray(from + HEADER_BYTES, to));
    const { endless } = this.#plan;
    const isLast = length < blockBytes || client.bytes > fileBytes - (endless ? 1 : 0);
    const isAckDue = isLast ? !endless : client.sinceAck === windowBlocks;
    if (isAckDue) this.#acknowledge(client, nowUs);
    if (isLast) this.#end(client, endless || (client.bytes === fileBytes && this.#isSame(client)));
  }

  #isSame(client: Client): boolean {
    return client.hash === undefined || client.hash.digest("hex") === this.#plan.sha256;
  }

  #acknowledge(client: Client, nowUs: number): void {
    client.sinceAck = 0;
    this.#send(client, undefined, nowUs);
  }

  /** Sends `bytes`, or the ACK of the last block in order. */
  #send(client: Client, bytes: Uint8Array | undefined, nowUs: number): void {
    const { u8, address } = this.#packet;
    if (bytes === undefined) {
      u8[0] = 0;
      u8[1] = 4;
      u8[2] = (client.block >>> 8) & 0xff;
      u8[3] = client.block & 0xff;
    } else {
      u8.set(bytes);
    }
    client.heardUs = nowUs;
    this.#outbox.begin(client.peer, ANY_LOCAL, 0);
    this.#outbox.push(address, bytes === undefined ? HEADER_BYTES : bytes.length);
    this.#outbox.send(client.fd, 0);
    this.#outbox.clear();
  }

  #repeat(nowUs: number): void {
    for (const [place, client] of this.#clients.entries()) {
      if (client.isDone || nowUs - client.heardUs < SILENCE_US) continue;
      if (nowUs - client.aliveUs > GIVE_UP_US) {
        this.#end(client, false);
        if (this.#begun < this.#plan.clients) this.#replace(client, place);
        continue;
      }
      this.#retransmits += 1;
      this.#send(client, client.block < 0 ? client.request : undefined, nowUs);
    }
  }

  #end(client: Client, isGood: boolean): void {
    client.isDone = true;
    this.#running -= 1;
    if (!isGood) return;
    this.#completed += 1;
    this.#durationsMs.push((monotonicUs() - client.startedUs) / 1000);
  }
}

/** The request of client `index`. In lockstep it asks for no windows, as clients do that know none. */
function requestOf(plan: LoadPlan, index: number): Uint8Array {
  const { file, files, blockBytes, windowBlocks } = plan;
  const isNumbered = plan.misses === true || files !== undefined;
  const name = isNumbered ? `${file}${index % (files ?? Infinity)}` : file;
  const window = windowBlocks > 1 ? `windowsize\0${windowBlocks}\0` : "";
  return new TextEncoder().encode(`\0\u0001${name}\0octet\0blksize\0${blockBytes}\0${window}`);
}

/** The value that `percent` of `values` do not exceed; NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

function planOf(args: string[]): LoadPlan {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "6969" },
      clients: { type: "string", default: "1" },
      file: { type: "string", default: "" },
      "file-bytes": { type: "string", default: "0" },
      "block-bytes": { type: "string", default: "1428" },
      "window-blocks": { type: "string", default: "1" },
      gro: { type: "boolean", default: false },
      sha256: { type: "string", default: "" },
      endless: { type: "boolean", default: false },
      sink: { type: "boolean", default: false },
      concurrent: { type: "string" },
      files: { type: "string" },
      misses: { type: "boolean", default: false },
      "limit-ms": { type: "string" },
    },
  });
  return {
    port: Number(values.port),
    clients: Number(values.clients),
    file: values.file,
    fileBytes: Number(values["file-bytes"]),
    blockBytes: Number(values["block-bytes"]),
    windowBlocks: Number(values["window-blocks"]),
    gro: values.gro,
    sha256: values.sha256,
    endless: values.endless,
    sink: values.sink,
    misses: values.misses,
    ...(values.concurrent === undefined ? {} : { concurrent: Number(values.concurrent) }),
    ...(values.files === undefined ? {} : { files: Number(values.files) }),
    ...(values["limit-ms"] === undefined ? {} : { limitMs: Number(values["limit-ms"]) }),
  };
}

if (import.meta.main) console.log(JSON.stringify(new Load(planOf(process.argv.slice(2))).run()));
