// The life of the process (supervisor layer): open everything, start the shards, log, and end on a signal. Whatever the
// log's reader or a shard does, a signal ends the process within the drain time and a second.

import { hostname } from "node:os";

import type { LogSettings, Settings } from "#config/settings.ts";
import { closeShardSockets, openShardSockets, type SocketSet } from "#io/sockets.ts";
import {
  createDoorbell,
  openLinkTargets,
  openRootFolder,
  openServedFolder,
  type StartFault,
} from "#io/start.ts";
import { isTrivialPolicy } from "#policy/policy.ts";
import {
  Counter,
  COUNTERS,
  type FastPaths,
  type ShardInit,
  type WritesInit,
} from "#server/contract.ts";
import { createUploadLedger, UploadLedger } from "#storage/upload-ledger.ts";
import { sweepUploads } from "#storage/upload-sweep.ts";

import { bannerText, exampleFileOf } from "./banner.ts";
import { diskInits, DiskThreads } from "./disk-threads.ts";
import { Hooks } from "./hooks.ts";
import { formatEvent, Log } from "./log.ts";
import { closeLog, LogSink, openLog } from "./logsink.ts";
import { Shards } from "./shards.ts";

/** What the process around the server provides. */
export interface Host {
  readonly version: string;
  /** The module that a shard's thread runs. */
  readonly workerUrl: URL;
  /** The module that a disk thread runs. */
  readonly diskWorkerUrl: URL;
  /** Whether multicast was asked for; it only shows in `server_started`. */
  readonly isMulticastAsked: boolean;
  /** Shows a text to whoever started the server, in the text format only. */
  readonly show: (text: string) => void;
}

/** How the server ended: a fault to show, if any. */
export interface Ending {
  readonly isFailure: boolean;
  readonly fault: string;
  readonly remedy: string;
}

/** Serves until a signal, or until it cannot. Returns a fault when it could not even start. */
export async function serve(settings: Settings, host: Host): Promise<Ending | StartFault> {
  const opened = openEverything(settings);
  if ("fault" in opened) return opened;
  const logs = openLogs(settings.log);
  if ("fault" in logs) {
    closeShardSockets(opened.sockets);
    return logs;
  }
  const [log, audit] = logs;
  const ending = await run(
    settings,
    host,
    opened,
    new Log(settings.log, hostname(), log.sink, audit?.sink),
  );
  await Promise.all(logs.map(({ sink }) => sink.flush(FLUSH_MS)));
  for (const { fd } of logs) closeLog(fd);
  return ending;
}

/** How long the last lines may take. A reader that has stopped must not keep the process. */
const FLUSH_MS = 500;
/** How long a shard may take to notice that it shall stop: a turn is bounded to well under this. */
const STOP_GRACE_MS = 500;

interface Opened {
  readonly sockets: SocketSet;
  readonly inits: readonly ShardInit[];
}

interface OpenedLog {
  readonly fd: number;
  readonly sink: LogSink;
}

/** The log, and the audit file where there is one. */
function openLogs(settings: LogSettings): [OpenedLog, ...OpenedLog[]] | StartFault {
  const log = openSink(settings.file, "log", settings);
  if ("fault" in log) return log;
  if (settings.auditFile === undefined) return [log];
  const audit = openSink(settings.auditFile, "audit", { ...settings, format: "json" });
  if ("fault" in audit) {
    closeLog(log.fd);
    return audit;
  }
  return [log, audit];
}

function openSink(
  file: string | undefined,
  what: "log" | "audit",
  settings: LogSettings,
): OpenedLog | StartFault {
  try {
    const fd = openLog(file);
    return { fd, sink: new LogSink(fd, (lines, because) => lossLine(settings, lines, because)) };
  } catch (cause) {
    return logFault(file, what, cause);
  }
}

function lossLine(settings: LogSettings, lines: number, because: string): string {
  return formatEvent(settings, hostname(), {
    eventType: "log_lines_lost",
    severity: "warn",
    timeMs: Date.now(),
    fields: { lines, because },
  });
}

/** Uploads that may be under way at a time in all shards together: far more than their buffers allow. */
const CLAIMS_MAX = 16_384;
const NO_QUOTAS = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 0 } as const;

/** Opens the upload root, removes what a crash has left in it, and counts what it holds; undefined where nothing may be written. */
function openWrites(settings: Settings): WritesInit | StartFault | undefined {
  const { uploads } = settings;
  if (!uploads.isEnabled) return undefined;
  const rootFd = openRootFolder(uploads.rootDir);
  if (typeof rootFd !== "number") return rootFd;
  const ledger = createUploadLedger(CLAIMS_MAX);
  const { bytes } = sweepUploads(rootFd);
  new UploadLedger(ledger, 0, NO_QUOTAS).setRootBytes(bytes);
  return { rootFd, ledger };
}

/** Opens every folder that a root counts from. They stay open for the life of the process. */
function openFolders(settings: Settings): ShardInit["folderFds"] | StartFault {
  const rootFd = openRootFolder(settings.rootDir);
  if (typeof rootFd !== "number") return rootFd;
  const others: number[] = [];
  for (const folder of settings.policy.folders.slice(1)) {
    const fd = openServedFolder(folder);
    if (typeof fd !== "number") return fd;
    others.push(fd);
  }
  return [rootFd, ...others];
}

function openEverything(settings: Settings): Opened | StartFault {
  const folderFds = openFolders(settings);
  if ("fault" in folderFds) return folderFds;
  const linkTargetFds = openLinkTargets(settings.lookup.symlinkTargets);
  if ("fault" in linkTargetFds) return linkTargetFds;
  const writes = openWrites(settings);
  if (writes !== undefined && "fault" in writes) return writes;
  // Rules may ask where a request came in.
  const isLocalWanted = !isTrivialPolicy(settings.policy);
  const sockets = openShardSockets(settings, settings.workers, isLocalWanted);
  if ("fault" in sockets) return sockets;
  const inits: ShardInit[] = [];
  for (const [shardIndex, { serviceFd, transferFds }] of sockets.shards.entries()) {
    const doorbellFd = createDoorbell();
    if (typeof doorbellFd !== "number") {
      closeShardSockets(sockets);
      return doorbellFd;
    }
    inits.push({
      shardIndex,
      settings,
      serviceFd,
      transferFds,
      tellsLocal: sockets.tellsLocal,
      folderFds,
      linkTargetFds,
      doorbellFd,
      disks: diskInits(doorbellFd, settings.uploads.diskThreads),
      writes,
      control: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
    });
  }
  return { sockets, inits };
}

function run(settings: Settings, host: Host, opened: Opened, log: Log): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const hooks = new Hooks(settings.hooks, settings.uploads.rootDir, log);
  let reason = "";
  let hasEnded = false;
  const end = async (ending: Ending): Promise<void> => {
    // Shards go on reporting their ends while hooks end and the log is flushed; the first reason counts.
    if (hasEnded) return;
    hasEnded = true;
    for (const timer of timers) clearTimeout(timer);
    // Without a signal there is no deadline, and nobody to wait for.
    if (reason === "") hooks.endWithin(0);
    await hooks.idle();
    const fields = { reason: ending.isFailure ? ending.fault : reason, ...totals(shards) };
    log.event("server_shutdown", ending.isFailure ? "error" : "info", fields);
    resolve(ending);
  };
  const hopeless = (error: string): void => {
    shards.stop();
    void end(hopelessEnding(error));
  };
  const shards = new Shards(opened.inits, host.workerUrl, {
    ready: (fastPaths) => announce(settings, host, opened.sockets, fastPaths, log),
    record: (record) => {
      log.record(record);
      if (record.kind === "upload") hooks.record(record);
    },
    died: (shard, error, isReplaced) =>
      log.event(isReplaced ? "worker_replaced" : "worker_died", "error", { shard, error }),
    hopeless,
    ended: () => {
      disks.end();
      void end(GOOD_ENDING);
    },
  });
  const rings = opened.inits.flatMap((init) => init.disks);
  const disks = new DiskThreads(rings, host.diskWorkerUrl, {
    died: (error) => log.event("disk_thread_replaced", "error", { error }),
    hopeless,
  });
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
  function onSignal(signal: NodeJS.Signals): void {
    if (hasEnded) {
      hooks.endWithin(0);
      return;
    }
    if (reason !== "") {
      stop(`second signal (${signal}); ${shards.total(Counter.transfersActive)} transfers cut off`);
      return;
    }
    reason = signal;
    const transfers = shards.total(Counter.transfersActive);
    log.event("server_draining", "info", { signal, transfers, deadline_ms: settings.drainMs });
    shards.drain();
    hooks.endWithin(settings.drainMs);
    after(settings.drainMs, () =>
      stop(`${signal}; ${shards.total(Counter.transfersActive)} transfers cut off by the deadline`),
    );
  }
  for (const signal of SIGNALS) process.on(signal, onSignal);
  shards.start();
  disks.start();
  return promise;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

const GOOD_ENDING: Ending = { isFailure: false, fault: "", remedy: "" };

function announce(
  settings: Settings,
  host: Host,
  sockets: SocketSet,
  fastPaths: FastPaths,
  log: Log,
): void {
  if (settings.log.format === "text") {
    host.show(
      bannerText({
        version: host.version,
        rootDir: settings.rootDir,
        address: sockets.address,
        isWildcard: sockets.isWildcard,
        workers: settings.workers,
        fastPaths,
        uploads: settings.uploads.isEnabled ? settings.uploads : undefined,
        exampleFile: exampleFileOf(settings.rootDir),
      }),
    );
    // On a terminal the banner is the start's line; a file needs one of its own.
    if (settings.log.file === undefined && settings.log.auditFile === undefined) return;
  }
  log.event("server_started", "info", {
    bind_addr: sockets.address,
    root_dir: settings.rootDir,
    multicast_enabled: host.isMulticastAsked,
    version: host.version,
    workers: settings.workers,
    uploads: settings.uploads.isEnabled ? settings.uploads.rootDir : "off",
    ...(settings.log.format === "json" ? { fast_paths: fastPaths } : {}),
  });
}

function totals(shards: Shards): Readonly<Record<string, number>> {
  return {
    transfers_completed: shards.total(Counter.transfersCompleted),
    transfers_failed: shards.total(Counter.transfersFailed),
    uploads_completed: shards.total(Counter.uploadsCompleted),
    uploads_failed: shards.total(Counter.uploadsFailed),
    requests_refused: shards.total(Counter.requestsRefused),
    bytes_sent: shards.total(Counter.bytesSent),
    bytes_received: shards.total(Counter.bytesReceived),
  };
}

function hopelessEnding(error: string): Ending {
  return {
    isFailure: true,
    fault: `workers die again and again, the last of: ${error}`,
    remedy: "this is a bug in snow-owl-tftp; please report the line above with your configuration",
  };
}

function logFault(file: string | undefined, what: "log" | "audit", cause: unknown): StartFault {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const without =
    what === "log"
      ? 'log to standard output with [logging] file = ""'
      : 'write none with [logging] audit_file = ""';
  return {
    fault: `cannot open the ${what} file ${file}: ${code}`,
    remedy: `create its folder and make it writable, or ${without}`,
  };
}
