// The life of the process (supervisor layer): open everything, start the shards, log, reload on SIGHUP, and end on a signal.
// Whatever the log's reader or a shard does, a signal ends the process within the drain time and a second.

import { randomInt } from "node:crypto";
import { hostname } from "node:os";

import type { Config } from "#config/config.ts";
import type { Settings } from "#config/settings.ts";
import { seal } from "#io/confinement.ts";
import { ServiceManager } from "#io/service-manager.ts";
import { closeShardSockets, openShardSockets, type SocketSet } from "#io/sockets.ts";
import { createDoorbell, type StartFault } from "#io/start.ts";
import { createHoldings, descriptorsMax } from "#io/thread.ts";
import { createAnswers } from "#server/answers.ts";
import { CONTROL_BYTES, ControlWord, type ShardInit, type ShardTerms } from "#server/contract.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { Counter, COUNTERS } from "#server/measures.ts";
import { createUploadLedger } from "#storage/upload-ledger.ts";

import { announce } from "./announcement.ts";
import { type Predecessor, relayOf } from "./bequest.ts";
import { kernelLookup } from "./client-lookup.ts";
import { diskInits, DiskThreads } from "./disk-threads.ts";
import {
  type Ending,
  givenUpEnding,
  GOOD_ENDING,
  hopelessEnding,
  unendingEnding,
} from "./endings.ts";
import { Handover } from "./handover.ts";
import type { Heritage } from "./heritage.ts";
import { type HookSecrets, readHookSecrets } from "./hook-secrets.ts";
import { Hooks } from "./hooks.ts";
import { Log } from "./log.ts";
import { Logs, openLogFds } from "./logs.ts";
import { Monitor } from "./monitor.ts";
import { Notices } from "./notices.ts";
import { PidFile } from "./pid-file.ts";
import { type Configuration, Reload, type Reread } from "./reload.ts";
import { Shards } from "./shards.ts";
import { shallTake, tellTaken } from "./takeover.ts";
import { closeTerms, openTerms } from "./terms.ts";
import { totals } from "./totals.ts";

/** What the process around the server provides. */
export interface Host {
  readonly version: string;
  /** The module that a shard's thread runs. */
  readonly workerUrl: URL;
  /** The module that a disk thread runs. */
  readonly diskWorkerUrl: URL;
  /** What was opened and given up on the way here; undefined: nothing. */
  readonly heritage?: Heritage | undefined;
  /** Whether multicast was asked for; it only shows in `server_started`. */
  readonly isMulticastAsked: boolean;
  /** The configuration file, for events; empty if there is none. */
  readonly configFile: string;
  /** What a configuration comes to on this machine, name and value. */
  readonly explain: (config: Config) => readonly (readonly [string, string])[];
  /** Reads the configuration again, to follow the one that is in force. */
  readonly reread: (inForce: Config) => Reread;
  /** Shows a text to whoever started the server, in the text format only. */
  readonly show: (text: string) => void;
}

/** Serves until a signal, or until it cannot. Returns a fault when it could not even start. */
export async function serve(
  { config, settings }: Configuration,
  host: Host,
): Promise<Ending | StartFault> {
  const opened = openEverything(settings, host.heritage);
  if ("fault" in opened) return opened;
  const fds = openLogFds(settings.log);
  if ("fault" in fds) {
    closeShardSockets(opened.sockets);
    return fds;
  }
  const logs = new Logs(settings.log, fds);
  const monitor = await Monitor.start(settings, host.version, isAfterAnother(host));
  if ("fault" in monitor) {
    closeShardSockets(opened.sockets);
    logs.close();
    return monitor;
  }
  const pidFile = new PidFile(host.heritage?.pidFile, !isAfterAnother(host));
  const ending = await run(config, host, opened, { logs, monitor, pidFile });
  await monitor.left();
  monitor.stop();
  pidFile.remove();
  await logs.flush(FLUSH_MS);
  logs.close();
  return ending;
}

/** How long the last lines may take. A reader that has stopped must not keep the process. */
const FLUSH_MS = 500;
/** How long a shard may take to notice that it shall stop: a turn is bounded to well under this. */
const STOP_GRACE_MS = 500;

interface Opened {
  readonly secrets: HookSecrets;
  readonly ledger: SharedArrayBuffer;
  readonly terms: ShardTerms;
  readonly sockets: SocketSet;
  readonly inits: readonly ShardInit[];
}

/** What outlives the shards. */
interface Surroundings {
  readonly logs: Logs;
  readonly monitor: Monitor;
  readonly pidFile: PidFile;
}

/** Uploads that may be under way at a time in all shards together: far more than their buffers allow. */
const CLAIMS_MAX = 16_384;

function openEverything(settings: Settings, heritage: Heritage | undefined): Opened | StartFault {
  const secrets = readHookSecrets(settings.hooks);
  if ("fault" in secrets) return secrets;
  const ledger = createUploadLedger(CLAIMS_MAX);
  const terms = openTerms(settings, { ledger, previous: undefined });
  if ("fault" in terms) return terms;
  const sockets = heritage?.sockets ?? openShardSockets(settings, settings.workers);
  if ("fault" in sockets) {
    closeTerms(terms);
    return sockets;
  }
  const holdings = createHoldings(descriptorsMax());
  const crowd = { shards: settings.workers, transfersPerShard: settings.transfersMax };
  const limits = createLimitMemory(crowd, randomInt(2 ** 32));
  const inits: ShardInit[] = [];
  for (const [shardIndex, listeners] of sockets.shards.entries()) {
    const doorbellFd = createDoorbell();
    if (typeof doorbellFd !== "number") {
      closeTerms(terms);
      closeShardSockets(sockets);
      return doorbellFd;
    }
    inits.push({
      shardIndex,
      terms,
      listeners,
      doorbellFd,
      relay: relayOf(heritage, shardIndex),
      disks: diskInits(doorbellFd, settings.uploads.diskThreads, holdings),
      limits,
      answers: createAnswers(settings.transfersMax),
      control: createControl(heritage?.predecessor !== undefined),
      holdings,
      counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
    });
  }
  return { secrets, ledger, terms, sockets, inits };
}

/** A shard that comes after another begins with closed doors. */
function createControl(isClosed: boolean): SharedArrayBuffer {
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  new Int32Array(control)[ControlWord.isClosed] = isClosed ? 1 : 0;
  return control;
}

function isAfterAnother({ heritage }: Host): boolean {
  return heritage?.predecessor !== undefined;
}

function run(
  config: Config,
  host: Host,
  opened: Opened,
  { logs, monitor, pidFile }: Surroundings,
): Promise<Ending> {
  const { settings } = opened.terms;
  const log = new Log(settings.log, logs, {
    hostname: hostname(),
    lookup: kernelLookup(),
    listeners: settings.listeners.map(({ name }) => name),
    witness: monitor.witness,
  });
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const hooks = new Hooks(settings.hooks, opened.secrets, log);
  const { granted, measures } = sealed(settings, host.heritage);
  let reason = "";
  let hasBegun = false;
  let hasEnded = false;
  /** Whether it drains because of a hand-over, and no signal has come since. */
  let drainsUnasked = false;
  const end = async (ending: Ending): Promise<void> => {
    // Shards go on reporting their ends while hooks end and the log is flushed; the first reason counts.
    if (hasEnded) return;
    hasEnded = true;
    reload.end();
    handover.end();
    notices.end();
    for (const timer of timers) clearTimeout(timer);
    // Without a signal there is no deadline, and nobody to wait for.
    if (reason === "") hooks.endWithin(0);
    await hooks.idle();
    log.settle();
    const fields = {
      reason: ending.isFailure ? ending.fault : reason,
      ...totals((index) => shards.total(index)),
      workers_replaced: shards.replacements,
    };
    log.event("server_shutdown", ending.isFailure ? "error" : "info", fields);
    resolve(ending);
  };
  const fail = (ending: Ending): void => {
    void end(ending);
    shards.stop();
  };
  const takeOver = async (predecessor: Predecessor, begin: () => void): Promise<void> => {
    const isWanted = await shallTake(predecessor, { pid: process.pid, version: host.version });
    if (hasEnded || reason !== "") return;
    if (!isWanted) {
      fail(givenUpEnding);
      return;
    }
    shards.open();
    monitor.take();
    pidFile.claim(process.pid);
    tellTaken(predecessor);
    log.event("took_over", "info", { predecessor_pid: predecessor.pid });
    begin();
  };
  const hopeless = (error: string): void => fail(hopelessEnding(error));
  const shards = new Shards(opened.inits, host.workerUrl, {
    ready: (fastPaths) => {
      const begin = (): void => {
        hasBegun = true;
        monitor.noteReady(fastPaths);
        announce(settings, host, opened.sockets, { fastPaths, measures }, log);
        notices.ready();
      };
      const predecessor = host.heritage?.predecessor;
      if (predecessor === undefined) begin();
      else void takeOver(predecessor, begin);
    },
    record: (record) => {
      hooks.record(record, log.record(record));
    },
    progress: (shard, words) => monitor.noteProgress(shard, words),
    stuck: (shard, { lastedMs, doing }) =>
      log.event("worker_stuck", "error", { shard, lasted_ms: lastedMs, doing }),
    died: (shard, { error, stack, transfers }, delayMs) => {
      monitor.noteWorkerDeath(shard);
      const fields = { shard, error, stack, transfers };
      if (delayMs === undefined) log.event("worker_died", "error", fields);
      else log.event("worker_replaced", "error", { ...fields, delay_ms: delayMs });
    },
    lost: (records) => log.event("records_lost", "warn", { records, because: RECORDS_LOST }),
    hopeless,
    unending: (shard, turn) => fail(unendingEnding(shard, turn)),
    ended: () => {
      disks.end();
      void end(GOOD_ENDING);
    },
  });
  const rings = opened.inits.flatMap((init) => init.disks);
  const disks = new DiskThreads(rings, host.diskWorkerUrl, {
    died: (error, delayMs) => {
      monitor.noteDiskThreadDeath();
      log.event("disk_thread_replaced", "error", { error, delay_ms: delayMs });
    },
    hopeless,
  });
  const { ledger } = opened;
  const { configFile, reread } = host;
  const notices = new Notices(new ServiceManager(process.env, process.pid), shards);
  const parts = { configFile, reread, granted, notices, shards, hooks, logs, log, ledger, monitor };
  const reload = new Reload(config, opened.terms, parts);
  const after = (delayMs: number, action: () => void): void => {
    timers.add(setTimeout(action, delayMs));
  };
  const stop = (why: string): void => {
    reason = why;
    shards.stop();
    hooks.endWithin(0);
    after(STOP_GRACE_MS, () => void end(GOOD_ENDING));
  };
  // Stays installed to the end: a signal while the log is flushed must not turn a good ending into a bad one.
  function onSignal(signal: string): void {
    if (hasEnded) {
      hooks.endWithin(0);
      return;
    }
    if (drainsUnasked) {
      // A signal for the service reaches its old process as well; that one is draining already.
      drainsUnasked = false;
      return;
    }
    if (reason !== "") {
      stop(`second signal (${signal}); ${shards.total(Counter.transfersActive)} transfers cut off`);
      return;
    }
    reason = signal;
    handover.end();
    notices.stopping(reload.settings.drainMs + STOP_GRACE_MS + FLUSH_MS);
    drain({ signal });
  }
  function drain(because: Readonly<Record<string, string | number>>): void {
    const transfers = shards.total(Counter.transfersActive);
    const { drainMs } = reload.settings;
    reload.end();
    shards.drain();
    log.event("server_draining", "info", { ...because, transfers, deadline_ms: drainMs });
    hooks.endWithin(drainMs);
    const why = reason;
    after(drainMs, () =>
      stop(`${why}; ${shards.total(Counter.transfersActive)} transfers cut off by the deadline`),
    );
  }
  const handover = new Handover({
    succession: host.heritage?.succession,
    waitMs: settings.process.handoverMs,
    shards,
    notices,
    log,
    obstacle: () => {
      if (reason !== "" || hasEnded) return "the server is ending";
      return hasBegun ? undefined : "the server is starting";
    },
    handedOver: ({ pid, version }) => {
      monitor.handOver();
      pidFile.leave();
      // A signal may have come in between.
      if (reason !== "") return;
      reason = `handed over to pid ${pid} (${version})`;
      drainsUnasked = true;
      // The service manager hears the successor from now on.
      notices.end();
      drain({ successor_pid: pid, successor_version: version });
    },
  });
  process.on("SIGUSR2", () => handover.ask());
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const askReload = (): void => {
    if (reason === "" && !hasEnded) void reload.request();
    else log.event("reload_ignored", "warn", { because: "the server is ending" });
  };
  process.on("SIGHUP", askReload);
  monitor.watch({
    shards,
    hooks,
    logs,
    log,
    process: {
      version: host.version,
      configFile,
      address: opened.sockets.listeners.map(({ address }) => address).join(", "),
      measures,
      settings: () => reload.settings,
      explain: () => host.explain(reload.config),
      reload: askReload,
      // Asking twice is no reason to cut anybody off.
      drain: () => void (reason === "" && onSignal("drain")),
    },
  });
  shards.start();
  disks.start();
  return promise;
}

const RECORDS_LOST = "the main thread was behind";
/** The last right to go is that to make other system calls: to come here took some of them. */
function sealed(
  { process: { isCallConfined } }: Settings,
  heritage: Heritage | undefined,
): Pick<Heritage, "granted" | "measures"> {
  const granted = heritage?.granted;
  if (granted === undefined) return { granted, measures: [] };
  const seccomp = seal(isCallConfined, granted.mayStartPrograms);
  return { granted, measures: [...(heritage?.measures ?? []), seccomp] };
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
