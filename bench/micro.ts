// What the single parts cost (bench): nanoseconds per operation of codec, negotiation, name, timers, cache, sender and calls into the kernel, each beside the
// least that could do as much. `bun bench/micro.ts [--write]`, which puts the table into docs/performance.md.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";

import { i32At, u8 as byteAt } from "#base/bytes.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { Epoll } from "#ffi/epoll.ts";
import { pageBytes, threadId } from "#ffi/process.ts";
import { openRootFolder } from "#io/start.ts";
import { cleanName } from "#policy/path.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import { encodeRequest, Opcode } from "#protocol/packet.ts";
import { parseRequest, type Request } from "#protocol/request.ts";
import { Sender } from "#protocol/sender.ts";
import { FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import { Root } from "#storage/root.ts";

import { machineLine, markdownTable, writeBetween } from "./page.ts";

/** `run` does the thing so many times. The floor does the least that has to be done, in the same way. */
interface Part {
  readonly name: string;
  readonly run: (times: number) => void;
  readonly floorName: string;
  readonly floor: (times: number) => void;
}

/** Long enough that the clock's own time is nothing, short enough that some rounds are not disturbed. */
const ROUND_NS = 2_000_000;
/** The first are the compiler's. */
const ROUNDS = 60;

const NAME = "images/debian/initrd.gz";
const request: Uint8Array = encodeRequest(Opcode.rrq, Buffer.from(NAME), "octet", [
  { name: "tsize", value: "0" },
  { name: "blksize", value: "1428" },
  { name: "windowsize", value: "16" },
]);
const limits: GrantLimits = {
  blockBytesMax: 65_464,
  windowBlocksMax: 512,
  windowBytesMax: 4 * 1024 * 1024,
  refused: new Set(),
};
/** What is computed goes here, so that the compiler does not leave it out. */
const kept: { value: unknown } = { value: undefined };

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const lines: string[][] = partsOf().map(({ name, run, floorName, floor }) => {
  const [cost, least] = [nanosecondsOf(run), nanosecondsOf(floor)];
  return [name, cost.toFixed(1), floorName, least.toFixed(1), (cost / least).toFixed(1)];
});
const head = ["operation", "ns", "the least", "ns", "ratio"];
const command: string = ["bun bench/micro.ts", ...process.argv.slice(2)].join(" ");
const line: string = machineLine(command, `least of ${ROUNDS} rounds of 2 ms`);
const text: string = `${line}\n\n${markdownTable(head, lines, 1)}`;
console.log(text);
if (values.write) await writeBetween("docs/performance.md", "bench-micro", text);
process.exit(0);

/** The least of all rounds, per operation. */
function nanosecondsOf(run: (times: number) => void): number {
  let times = 1;
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = Bun.nanoseconds();
    run(times);
    const spent = Bun.nanoseconds() - start;
    least = Math.min(least, spent / times);
    times = Math.max(1, Math.ceil((times * ROUND_NS) / Math.max(1, spent)));
  }
  return least;
}

function partsOf(): readonly Part[] {
  const parsed = parseRequest(request, request.length);
  if (parsed.kind === "fault") throw new Error("the request is one");
  return [...protocolParts(parsed), ...senderParts(), timerPart(), cachePart(), ...callParts()];
}

function protocolParts(parsed: Request): readonly Part[] {
  const grant = negotiate(parsed, limits, 52_428_800);
  const oack = encodeOack(grant) ?? new Uint8Array(0);
  return [
    {
      name: `codec: a request of ${request.length} bytes with three options is parsed`,
      run: repeated(() => parseRequest(request, request.length)),
      floorName: "its bytes are read once",
      floor: repeated(() => sumOf(request)),
    },
    {
      name: "codec: the OACK is written",
      run: repeated(() => encodeOack(grant)),
      floorName: "its bytes are copied",
      floor: repeated(() => oack.slice()),
    },
    {
      name: "negotiation: three options are granted",
      run: repeated(() => negotiate(parsed, limits, 52_428_800)),
      floorName: "an object like the grant is made",
      floor: repeated((): Grant => ({ ...grant, accepted: [...grant.accepted] })),
    },
    {
      name: "policy: a name is cleaned",
      run: repeated(() => cleanName(NAME, "/srv/tftp")),
      floorName: "its characters are read once",
      floor: repeated(() => characterSum(NAME)),
    },
  ];
}

/** A window of 16 blocks: acknowledged and sent, or silent and sent again. */
function senderParts(): readonly Part[] {
  const options = {
    blockBytes: 1428,
    windowBlocks: 16,
    rolloverTo: 0,
    timeoutUs: undefined,
    patienceUs: Infinity,
    hasOack: true,
    lastBlock: Infinity,
  } as const;
  let nowUs = 0;
  const acknowledged = new Sender(options);
  acknowledged.start(nowUs);
  acknowledged.pollTransmit(64, nowUs);
  acknowledged.handleAck(0, nowUs);
  acknowledged.pollTransmit(64, nowUs);
  const silent = new Sender(options);
  silent.start(nowUs);
  silent.pollTransmit(64, nowUs);
  silent.handleAck(0, nowUs);
  silent.pollTransmit(64, nowUs);
  let block = 0;
  return [
    {
      name: "sender: an ACK comes, the next window is named",
      run: repeated(() => {
        nowUs += 100;
        block = (block + 16) & 0xffff;
        acknowledged.handleAck(block, nowUs);
        return acknowledged.pollTransmit(64, nowUs);
      }),
      floorName: "two numbers are added to",
      floor: repeated(() => {
        nowUs += 100;
        block = (block + 16) & 0xffff;
        return block;
      }),
    },
    {
      name: "sender: silence, the window is named again",
      run: repeated(() => {
        silent.handleTimeout(silent.deadlineUs);
        return silent.pollTransmit(64, silent.deadlineUs);
      }),
      floorName: "a number is added to",
      floor: repeated(() => (nowUs += 100)),
    },
  ];
}

function timerPart(): Part {
  const timers = 4096;
  const wheel = new TimerWheel(timers, 0);
  const deadlines = new Float64Array(timers);
  let next = 0;
  return {
    name: "timer wheel: one of 4,096 timers is moved",
    run: repeated(() => {
      next = (next + 1) & (timers - 1);
      wheel.arm(next, 50_000 + next * 700);
      return next;
    }),
    floorName: "its deadline is written",
    floor: repeated(() => {
      next = (next + 1) & (timers - 1);
      deadlines[next] = 50_000 + next * 700;
      return next;
    }),
  };
}

function cachePart(): Part {
  const folder = mkdtempSync(`${tmpdir()}/snow-owl-micro-`);
  writeFileSync(`${folder}/file`, new Uint8Array(1_428_000));
  const folderFd = openRootFolder(folder);
  if (typeof folderFd !== "number") throw new Error(folderFd.fault);
  const root = new Root(folderFd);
  const advice = { isSequential: true, isWillneed: true, isDontneedAfter: false };
  const cache = new FileCache(8 * 1024 * 1024, 256 * 1024, advice);
  const file = cache.hold(root.open("file"), root.stat, Framing.packets(Infinity, 1428, 0));
  rmSync(folder, { recursive: true });
  let block = 0;
  const chunks = new Int32Array(64);
  return {
    name: "cache: a window that is there is found",
    run: repeated(() => {
      block = block >= 980 ? 1 : block + 16;
      return cache.locate(file, block);
    }),
    floorName: "a word is read",
    floor: repeated(() => {
      block = block >= 980 ? 1 : block + 16;
      return i32At(chunks, block >>> 5);
    }),
  };
}

function callParts(): readonly Part[] {
  const epoll = new Epoll();
  return [
    {
      name: "ffi: a look whether a socket is ready (epoll_wait)",
      run: repeated(() => epoll.wait(0)),
      floorName: "the cheapest system call (gettid)",
      floor: repeated(threadId),
    },
    {
      name: "ffi: the cheapest system call (gettid)",
      run: repeated(threadId),
      floorName: "a call into libc that makes none (getpagesize)",
      floor: repeated(pageBytes),
    },
  ];
}

function repeated(work: () => unknown): (times: number) => void {
  return (times) => {
    for (let index = 0; index < times; index += 1) kept.value = work();
  };
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 1) sum += byteAt(bytes, index);
  return sum;
}

function characterSum(words: string): number {
  let sum = 0;
  for (let index = 0; index < words.length; index += 1) sum += words.charCodeAt(index);
  return sum;
}
