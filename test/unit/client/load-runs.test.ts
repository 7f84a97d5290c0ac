// What a load looks at of runs of blocks (client layer), against a server of our own on real loopback: runs in which the first header is
// right and one behind it is not are noticed, though not each of them.

import { afterEach, expect, test } from "bun:test";

import type { LoadFigures, LoadPlan } from "#client/load-contract.ts";
import { Load } from "#client/load.ts";
import { Arena } from "#ffi/arena.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { monotonicUs } from "#io/clock.ts";

import { afterwards, cleanUp, udp } from "../ffi/rig.ts";

afterEach(cleanUp);

const BLOCK_BYTES = 512;
const WINDOW_BLOCKS = 8;
const SEGMENT_BYTES = BLOCK_BYTES + 4;
/** Of the file. */
const BLOCKS = 64 * WINDOW_BLOCKS + 1;
const anyLocal = new Uint8Array(LOCAL_BYTES);

/** Answers one client: each ACK with a run of the next window, in which the block `wrongAt` has no number of the file. */
class RunServer {
  readonly socket = udp("127.0.0.1:0");
  readonly #inbox = new ReceiveBatch(1, 600, true);
  readonly #outbox = new SendBatch(1, 1, false);
  readonly #packet = new Arena(WINDOW_BLOCKS * SEGMENT_BYTES);
  readonly #wrongAt: number;

  constructor(wrongAt: number) {
    this.#wrongAt = wrongAt;
    for (const it of [this.#inbox, this.#outbox, this.#packet]) afterwards(() => it.unmap());
  }

  /** Answers what has come. */
  turn(): void {
    while (this.#inbox.receive(this.socket.fd) === 1) {
      const start = this.#inbox.start(0);
      const { u8 } = this.#inbox;
      const name = u8.slice(this.#inbox.name(0), this.#inbox.name(0) + NAME_BYTES);
      const acked = ((u8[start + 2] ?? 0) << 8) | (u8[start + 3] ?? 0);
      if (u8[start + 1] === 1) {
        const oack = `\0\u0006blksize\0${BLOCK_BYTES}\0windowsize\0${WINDOW_BLOCKS}\0`;
        this.#packet.u8.set(new TextEncoder().encode(oack));
        this.#send(name, oack.length, 0);
      } else if (u8[start + 1] === 4) {
        this.#sendRun(name, acked);
      }
      this.#inbox.recycle(1);
    }
  }

  #sendRun(name: Uint8Array, acked: number): void {
    const blocks = Math.min(WINDOW_BLOCKS, BLOCKS - acked);
    if (blocks <= 0) return;
    for (let index = 0; index < blocks; index += 1) {
      const block = index === this.#wrongAt ? 0xfff0 : acked + 1 + index;
      this.#packet.u8.set([0, 3, block >>> 8, block & 0xff], index * SEGMENT_BYTES);
    }
    // The last block is empty.
    const missing = acked + blocks === BLOCKS ? BLOCK_BYTES : 0;
    this.#send(name, blocks * SEGMENT_BYTES - missing, blocks > 1 ? SEGMENT_BYTES : 0);
  }

  #send(name: Uint8Array, length: number, segmentBytes: number): void {
    this.#outbox.begin(name, anyLocal, segmentBytes);
    this.#outbox.push(this.#packet.address, length);
    expect(this.#outbox.send(this.socket.fd, 0)).toBe(1);
    this.#outbox.clear();
  }
}

/** What one client says of that server. */
function figuresOf(wrongAt: number): LoadFigures {
  const server = new RunServer(wrongAt);
  const plan: LoadPlan = {
    direction: "get",
    files: [
      {
        server: { address: "127.0.0.1", port: server.socket.port },
        name: new TextEncoder().encode("file"),
        numberAt: -1,
        weight: 1,
        sha256: undefined,
        bytes: undefined,
      },
    ],
    asks: [
      [
        { name: "blksize", value: String(BLOCK_BYTES) },
        { name: "windowsize", value: String(WINDOW_BLOCKS) },
      ],
    ],
    putBytes: 0,
    clients: 1,
    sources: [],
    transfersMax: 1,
    durationUs: Infinity,
    arrivals: "storm",
    ratePerS: 1,
    patience: { firstTimeoutUs: 1_000_000, timeoutUsMax: 5_000_000, repetitionsMax: 5 },
    churn: 0,
    churnAt: undefined,
    loss: 0,
    delayUs: 0,
    seed: 1,
  };
  const load = new Load(plan);
  afterwards(() => load.close());
  const endUs = monotonicUs() + 20e6;
  while (!load.run(monotonicUs() + 100) && !load.isLingering && monotonicUs() < endUs)
    server.turn();
  return load.figures;
}

test("runs that are right are all taken", () => {
  const { completed, blocksRepeated, bytesMoved } = figuresOf(-1);
  expect([completed, blocksRepeated]).toEqual([1, 0]);
  expect(bytesMoved).toBe((BLOCKS - 1) * BLOCK_BYTES);
});

test("of runs with a wrong number inside, one in sixteen is looked into", () => {
  const { completed, blocksRepeated, bytesMoved } = figuresOf(3);
  expect(completed).toBe(1);
  // Blocks behind the wrong one are out of order.
  expect(blocksRepeated).toBeGreaterThanOrEqual(WINDOW_BLOCKS - 4);
  expect(bytesMoved).toBe((BLOCKS - 1) * BLOCK_BYTES);
});
