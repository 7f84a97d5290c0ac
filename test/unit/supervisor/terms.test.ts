// What belongs to settings is opened all or nothing, and real shards go over to it while they serve.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defaults } from "#config/config.ts";
import { resolveSettings, type Settings } from "#config/settings.ts";
import { closeShardSockets, openShardSockets } from "#io/sockets.ts";
import { createDoorbell } from "#io/start.ts";
import { createHoldings } from "#io/thread.ts";
import { createAnswers } from "#server/answers.ts";
import { CONTROL_BYTES, type ShardInit, type ShardTerms } from "#server/contract.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { COUNTERS } from "#server/measures.ts";
import { createUploadLedger, UploadLedger } from "#storage/upload-ledger.ts";
import { diskInits, DiskThreads } from "#supervisor/disk-threads.ts";
import { Shards } from "#supervisor/shards.ts";
import { closeTerms, openTerms } from "#supervisor/terms.ts";

import { listenerAt } from "../../listener.ts";

const port = 17_320;
const workerUrl = new URL("../../../src/server/worker.ts", import.meta.url);
const diskWorkerUrl = new URL("../../../src/storage/disk-worker.ts", import.meta.url);
const noQuotas = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 0 };

test("all folders are opened, or none", () => {
  using folder = temporaryFolder();
  const ledger = createUploadLedger(16);
  const missing = openTerms(settingsFor(folder.path, "not-there"), { ledger, previous: undefined });
  expect(missing).toMatchObject({ fault: expect.stringContaining("not-there") });
  expect(fdsInto(folder.path)).toBe(0);
  const rootless = openTerms(settingsFor(folder.path, "up", ["elsewhere", "not-there"]), {
    ledger,
    previous: undefined,
  });
  expect(rootless).toMatchObject({ fault: expect.stringContaining("a folder of the roots") });
  expect(fdsInto(folder.path)).toBe(0);
  const terms = opened(settingsFor(folder.path, "up", ["elsewhere"]), ledger);
  expect(terms.generation).toBe(0);
  expect(terms.folderFds).toHaveLength(2);
  expect(fdsInto(folder.path)).toBe(3);
  closeTerms(terms);
  expect(fdsInto(folder.path)).toBe(0);
});

test("a folder for uploads is counted when it comes into use, and not again", () => {
  using folder = temporaryFolder();
  const ledger = createUploadLedger(16);
  const inUse = (): number => new UploadLedger(ledger, 9, noQuotas).rootBytes;
  writeFileSync(join(folder.path, "up", "a"), "12345");
  const first = opened(settingsFor(folder.path, "up"), ledger);
  expect(inUse()).toBe(5);
  writeFileSync(join(folder.path, "up", "b"), "123");
  const second = opened(settingsFor(folder.path, "up"), ledger, first);
  expect([second.generation, inUse()]).toEqual([1, 5]);
  const third = opened(settingsFor(folder.path, "elsewhere"), ledger, second);
  expect([third.generation, inUse()]).toEqual([2, 0]);
  const off = opened(settingsFor(folder.path, undefined), ledger, third);
  const again = opened(settingsFor(folder.path, "up"), ledger, off);
  expect(inUse()).toBe(8);
  for (const terms of [first, second, third, off, again]) closeTerms(terms);
});

test("real shards serve from one root, then from the other, 500 times", async () => {
  using folder = temporaryFolder();
  const settings = ["one", "two"].map((name) => {
    mkdirSync(join(folder.path, name));
    writeFileSync(join(folder.path, name, "file"), name);
    return settingsFor(join(folder.path, name), undefined);
  });
  const [one] = settings;
  if (one === undefined) throw new Error("there are two");
  const ledger = createUploadLedger(16);
  const sockets = openShardSockets(one, 2);
  if ("fault" in sockets) throw new Error(sockets.fault);
  let terms = opened(one, ledger);
  const died: string[] = [];
  const ended = Promise.withResolvers<void>();
  const inits = initsOf(sockets, terms);
  const disks = new DiskThreads(
    inits.flatMap((init) => init.disks),
    diskWorkerUrl,
    { died: (error) => died.push(error), hopeless() {} },
  );
  disks.start();
  const shards = new Shards(inits, workerUrl, {
    ready() {},
    record() {},
    progress() {},
    stuck() {},
    died: (_shard, { error }) => died.push(error),
    lost() {},
    hopeless() {},
    unending() {},
    ended: () => ended.resolve(),
  });
  shards.start();
  const generations = 500;
  for (let generation = 1; generation <= generations; generation += 1) {
    const next = opened(settings[generation % 2] ?? one, ledger, terms);
    await shards.switchTo(next);
    closeTerms(terms);
    terms = next;
    if (generation % 50 < 2) expect(await fetched()).toBe(generation % 2 === 0 ? "one" : "two");
  }
  expect(terms.generation).toBe(generations);
  shards.stop();
  await ended.promise;
  disks.end();
  expect(fdsInto(folder.path)).toBe(1);
  expect(died).toEqual([]);
  closeTerms(terms);
  closeShardSockets(sockets);
}, 60_000);

/** Serves `folder`, and those of `roots` below it; uploads go to the folder `uploads` below it, if there is one. */
function settingsFor(
  folder: string,
  uploads: string | undefined,
  roots: readonly string[] = [],
): Settings {
  const settings = resolveSettings(defaults, { cores: 2, memoryBytes: 1e9 });
  return {
    ...settings,
    rootDir: folder,
    policy: { ...settings.policy, folders: [folder, ...roots.map((root) => join(folder, root))] },
    listeners: [listenerAt({ address: "127.0.0.1", port })],
    uploads: {
      ...settings.uploads,
      isEnabled: uploads !== undefined,
      rootDir: join(folder, uploads ?? ""),
    },
  };
}

function opened(settings: Settings, ledger: SharedArrayBuffer, previous?: ShardTerms): ShardTerms {
  const terms = openTerms(settings, { ledger, previous });
  if ("fault" in terms) throw new Error(terms.fault);
  return terms;
}

function initsOf(
  sockets: Exclude<ReturnType<typeof openShardSockets>, { readonly fault: string }>,
  terms: ShardTerms,
): readonly ShardInit[] {
  const holdings = createHoldings();
  const limits = createLimitMemory(
    { shards: 2, transfersPerShard: terms.settings.transfersMax },
    1,
  );
  return sockets.shards.map((listeners, shardIndex) => {
    const doorbellFd = createDoorbell();
    if (typeof doorbellFd !== "number") throw new Error(doorbellFd.fault);
    return {
      shardIndex,
      terms,
      listeners,
      doorbellFd,
      disks: diskInits(doorbellFd, 1, holdings),
      limits,
      answers: createAnswers(terms.settings.transfersMax),
      control: new SharedArrayBuffer(CONTROL_BYTES),
      holdings,
      counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
    };
  });
}

/** The text of `file`, which fits in one block; asked by a new port, so of either shard. */
async function fetched(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.udpSocket({
    socket: {
      data(_socket, bytes, from) {
        socket.send(Uint8Array.of(0, 4, 0, 1), from, "127.0.0.1");
        resolve(new TextDecoder().decode(bytes.subarray(4)));
      },
    },
  });
  socket.send("\0\u0001file\0octet\0", port, "127.0.0.1");
  const text = await promise;
  socket.close();
  return text;
}

function fdsInto(folder: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      // The descriptor that the list itself was read by.
      return false;
    }
  }).length;
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "terms-"));
  for (const name of ["up", "elsewhere"]) mkdirSync(join(path, name));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
