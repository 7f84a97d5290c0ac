// What the kernel asks for the single things that serving files is made of (bench): datagrams sent and received over loopback, files opened and read. Run as a
// process of its own on the server's core. Prints one line of JSON, from which envelope.ts reckons what each load must cost.

import { closeSync, existsSync, fstatSync, openSync, readSync, writeFileSync } from "node:fs";

import { encodeSockaddr, parseSocketAddress, type SocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { bindSocket, openSocket, setOption, socketName } from "#ffi/socket.ts";
import { monotonicUs } from "#io/clock.ts";

/** Microseconds, each the least of many rounds. `alone`: with a call for each message, as for a single client; else with one for 64. */
export interface Prices {
  /** Messages of so many datagrams, keyed by {@link messageKey}: to send one, delivery to the receiver's queue included, and to receive it. */
  readonly messages: Readonly<Record<string, MessagePrice>>;
  /** To open a file of 64 KiB, look at it, read it and close it; and to be told that there is none. */
  readonly fileUs: number;
  readonly missUs: number;
}

export interface MessagePrice {
  readonly sendUs: number;
  readonly receiveUs: number;
  readonly sendAloneUs: number;
  readonly receiveAloneUs: number;
}

/** A message: so many datagrams of so many bytes each, `16 × 1432`. */
export function messageKey(datagrams: number, datagramBytes: number): string {
  return `${datagrams} × ${datagramBytes}`;
}

const BATCH = 64;
/** Room for what is sent before it is received. */
const SOCKET_BUFFER_BYTES = 64 * 1024 * 1024;
const DATAGRAM_BYTES_MAX = 65_536;
const FILE_BYTES = 64 * 1024;
/** Rounds of 64; what disturbs one can only make it dearer, so the least is taken. */
const ROUNDS = 300;
const ANY_LOCAL = new Uint8Array(LOCAL_BYTES);

/** Two sockets on loopback, the second of which takes in one piece what the kernel has not cut up. */
class Pair {
  readonly #from: number = opened();
  readonly #to: number = opened();
  readonly #memory: Arena = new Arena(DATAGRAM_BYTES_MAX);
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  readonly #outbox: SendBatch = new SendBatch(BATCH, BATCH, true);
  readonly #inbox: ReceiveBatch = new ReceiveBatch(BATCH, DATAGRAM_BYTES_MAX, true);

  constructor() {
    setOption(this.#to, "UDP_GRO", 1);
    encodeSockaddr(this.#name, 0, nameOf(this.#to));
  }

  price(datagramBytes: number, datagrams: number): MessagePrice {
    let [sendUs, receiveUs, sendAloneUs, receiveAloneUs] = [Infinity, Infinity, Infinity, Infinity];
    for (let round = 0; round < ROUNDS; round += 1) {
      const together = this.#round(datagramBytes, datagrams, BATCH);
      sendUs = Math.min(sendUs, together.sendUs / BATCH);
      receiveUs = Math.min(receiveUs, together.receiveUs / BATCH);
      const alone = this.#round(datagramBytes, datagrams, 1);
      sendAloneUs = Math.min(sendAloneUs, alone.sendUs);
      receiveAloneUs = Math.min(receiveAloneUs, alone.receiveUs);
    }
    return { sendUs, receiveUs, sendAloneUs, receiveAloneUs };
  }

  /** So many messages with one call, and then received. */
  #round(
    datagramBytes: number,
    datagrams: number,
    messages: number,
  ): { sendUs: number; receiveUs: number } {
    for (let index = 0; index < messages; index += 1) {
      this.#outbox.begin(this.#name, ANY_LOCAL, datagrams > 1 ? datagramBytes : 0);
      this.#outbox.push(this.#memory.address, datagramBytes * datagrams);
    }
    const startUs = monotonicUs();
    const sent = this.#outbox.send(this.#from, 0);
    const sentUs = monotonicUs();
    this.#outbox.clear();
    if (sent !== messages) throw new Error(`${sent} of ${messages} messages were sent`);
    let received = 0;
    while (received < messages * datagrams * datagramBytes) {
      const count = this.#inbox.receive(this.#to);
      if (count <= 0) throw new Error("what was sent did not arrive");
      for (let index = 0; index < count; index += 1) received += this.#inbox.byteLength(index);
      this.#inbox.recycle(count);
    }
    return { sendUs: sentUs - startUs, receiveUs: monotonicUs() - sentUs };
  }
}

function opened(): number {
  const fd = openSocket(4);
  const address = parseSocketAddress("127.0.0.1:0");
  if ("fault" in address || bindSocket(fd, address) < 0) throw new Error("there is no socket");
  setOption(fd, "SO_RCVBUFFORCE", SOCKET_BUFFER_BYTES);
  setOption(fd, "SO_SNDBUFFORCE", SOCKET_BUFFER_BYTES);
  return fd;
}

function nameOf(fd: number): SocketAddress {
  const name = socketName(fd);
  if (typeof name === "number") throw new Error("the socket has no name");
  return name;
}

/** The least that `work` took, of as many rounds as of messages, by 64. */
function leastUs(work: () => void): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startUs = monotonicUs();
    for (let index = 0; index < BATCH; index += 1) work();
    least = Math.min(least, (monotonicUs() - startUs) / BATCH);
  }
  return least;
}

function readWhole(path: string, into: Uint8Array): void {
  const fd = openSync(path, "r");
  fstatSync(fd);
  readSync(fd, into);
  closeSync(fd);
}

function pricesOf(keys: readonly string[], folder: string): Prices {
  const pair = new Pair();
  const messages: Record<string, MessagePrice> = {};
  for (const key of keys) {
    const [datagrams = 0, bytes = 0] = key.split(" × ").map(Number);
    messages[key] = pair.price(bytes, datagrams);
  }
  const path = `${folder}/price`;
  writeFileSync(path, new Uint8Array(FILE_BYTES));
  const into = new Uint8Array(FILE_BYTES);
  return {
    messages,
    fileUs: leastUs(() => readWhole(path, into)),
    missUs: leastUs(() => existsSync(`${path}-none`)),
  };
}

if (import.meta.main) {
  const [folder = "", ...keys] = process.argv.slice(2);
  console.log(JSON.stringify(pricesOf(keys, folder)));
}
