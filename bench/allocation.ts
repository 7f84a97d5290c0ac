// Allocation per packet, bounded by heap statistics (bench): a real shard serves a load of more than a million DATA packets in
// this thread. A loop that makes one object per packet stands beside it, so that a blind measure would show. `bun bench/allocation.ts [--json] [--write]`

import { heapStats } from "bun:jsc";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

import { f64At } from "#base/bytes.ts";
import { loadConfig } from "#config/load.ts";
import { resolveSettings } from "#config/settings.ts";
import { openShardSockets } from "#io/sockets.ts";
import { createDoorbell, openRootFolder } from "#io/start.ts";
import { createHoldings } from "#io/thread.ts";
import { createAnswers } from "#server/answers.ts";
import { CONTROL_BYTES, ControlWord, ShardCommand, type ShardInit } from "#server/contract.ts";
import { fastPaths } from "#server/fast-paths.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { Counter, COUNTERS } from "#server/measures.ts";
import { Shard } from "#server/shard.ts";
import { diskInits } from "#supervisor/disk-threads.ts";

import type { WatchInit } from "./allocation-watch.ts";
import { machineLine, markdownTable, writeBetween } from "./page.ts";

/** 64 clients × 26 MiB ÷ 1,428 bytes: 1.2 million DATA packets, and a sixteenth as many ACKs. */
const CLIENTS = 64;
const FILE_BYTES = 26 * 1024 * 1024;
const WINDOW_BLOCKS = 16;
const PORT = 26_899;

/** What `work` allocated. `isCollected`: the collector ran meanwhile, so the bound does not hold. */
interface Bound {
  readonly packets: number;
  readonly bytesPerPacketMax: number;
  readonly capacityGrowthBytes: number;
  readonly isCollected: boolean;
}

const folder: string = await mkdtemp(`${tmpdir()}/snow-owl-allocation-`);
try {
  await Bun.write(`${folder}/file.bin`, new Uint8Array(FILE_BYTES).fill(0x5a));
  const init = initOf(folder);
  const counters = new Float64Array(init.counters);
  const shard = new Shard(init, fastPaths(init.terms.settings), {
    deliver() {},
    newestTerms: () => undefined,
    newOrders: () => [],
    progressed() {},
    switched() {},
    settled() {},
    drained() {},
    closed() {},
  });
  const watch: WatchInit = {
    control: init.control,
    doorbellFd: init.doorbellFd,
    load: {
      port: PORT,
      clients: CLIENTS,
      file: "file.bin",
      fileBytes: FILE_BYTES,
      blockBytes: 1428,
      windowBlocks: WINDOW_BLOCKS,
      sha256: "",
      endless: false,
    },
  };
  // Warm first, twice: what the compiler keeps is not the packets'.
  serve(shard, watch);
  serve(shard, watch);
  const shards = boundOf(() => {
    const before = f64At(counters, Counter.datagramsSent);
    serve(shard, watch);
    return f64At(counters, Counter.datagramsSent) - before;
  });
  if (f64At(counters, Counter.readEnds) < 3 * CLIENTS) throw new Error("a transfer failed");
  const kept: { last: unknown } = { last: undefined };
  const control = boundOf(() => {
    for (let index = 0; index < shards.packets; index += 1) kept.last = { index };
    return shards.packets;
  });
  await publish(shards, control);
} finally {
  await rm(folder, { recursive: true });
}
process.exit(0);

async function publish(shards: Bound, control: Bound): Promise<void> {
  const options = { json: { type: "boolean" }, write: { type: "boolean" } } as const;
  const { values } = parseArgs({ options });
  const head = ["loop", "packets", "bytes of heap per packet, at most", "the collector ran"];
  const lines = [["a shard", shards] as const, ["one object per packet", control] as const].map(
    ([name, { packets, bytesPerPacketMax, isCollected }]) => [
      name,
      String(packets),
      bytesPerPacketMax.toFixed(2),
      isCollected ? "yes" : "no",
    ],
  );
  const command = ["bun bench/allocation.ts", ...process.argv.slice(2)].join(" ");
  const text = `${machineLine(command, "one run")}\n\n${markdownTable(head, lines, 1)}`;
  const json = JSON.stringify({ shard: shards, oneObjectPerPacket: control }, undefined, 2);
  console.log(values.json === true ? json : text);
  if (values.write === true) await writeBetween("docs/performance.md", "bench-allocation", text);
}

/** Runs the shard until the load has ended. */
function serve(shard: Shard, watch: WatchInit): void {
  const control = new Int32Array(watch.control);
  control[ControlWord.command] = ShardCommand.run;
  const worker = new Worker(new URL("./allocation-watch.ts", import.meta.url), {
    workerData: watch,
  });
  // Not to its end: it is to serve again.
  while (Atomics.load(control, ControlWord.command) === ShardCommand.run) shard.turn();
  void worker.terminate();
}

/**
 * The object count of `heapStats` is that of the last collection: it stays the same however much is allocated after it. The
 * capacity does grow, so capacity less the size before is the most that can have been used. The shard's bound holds what
 * 64 transfers and their records took.
 */
function boundOf(work: () => number): Bound {
  Bun.gc(true);
  const before = heapStats();
  const packets = work();
  const after = heapStats();
  return {
    packets,
    bytesPerPacketMax: (after.heapCapacity - before.heapSize) / packets,
    capacityGrowthBytes: after.heapCapacity - before.heapCapacity,
    isCollected: after.objectCount !== before.objectCount,
  };
}

function initOf(root: string): ShardInit {
  const { config } = loadConfig(
    `root_dir = "${root}"\nbind_addr = "127.0.0.1:${PORT}"\n[performance.platform.worker_pool]\nworker_count = 1\n`,
    "allocation.toml",
  );
  if (config === undefined) throw new Error("the configuration is wrong");
  const settings = resolveSettings(config, { cores: 1, memoryBytes: 4 * 1024 ** 3 });
  const sockets = openShardSockets(settings, 1);
  const rootFd = openRootFolder(root);
  const doorbellFd = createDoorbell();
  if ("fault" in sockets || typeof rootFd !== "number" || typeof doorbellFd !== "number") {
    throw new Error("the shard has no sockets");
  }
  const [listeners] = sockets.shards;
  if (listeners === undefined) throw new Error("one shard has sockets");
  const holdings = createHoldings();
  return {
    shardIndex: 0,
    terms: { generation: 0, settings, folderFds: [rootFd], linkTargetFds: [], writes: undefined },
    listeners,
    doorbellFd,
    // Nobody serves these: the file is in memory, and nothing is read from a disk.
    disks: diskInits(doorbellFd, 2, holdings),
    limits: createLimitMemory({ shards: 1, transfersPerShard: settings.transfersMax }, 1),
    answers: createAnswers(settings.transfersMax),
    control: new SharedArrayBuffer(CONTROL_BYTES),
    holdings,
    counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
  };
}
