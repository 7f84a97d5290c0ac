// What the server runs with (config layer): the flat values that a configuration resolves to on one
// machine. Plain data, so that it crosses between threads; every choice is explained in explain.ts.

import type { Config } from "./config.ts";
import { type LogLevel, parseLevel } from "./level.ts";
import { type HookSettings, resolveHooks } from "./settings-hooks.ts";
import { type LimitSettings, resolveLimits } from "./settings-limits.ts";
import { type ListenerSettings, resolveListeners, workersByPorts } from "./settings-listeners.ts";
import { type PolicySettings, resolvePolicy } from "./settings-policy.ts";
import { type ProcessSettings, resolveProcess } from "./settings-process.ts";
import { resolveStatus, type StatusSettings } from "./settings-status.ts";
import { resolveUploads, type UploadSettings } from "./settings-uploads.ts";

/** The machine, as far as defaults depend on it. */
export interface Machine {
  /** Cores that this process may use; at least 1. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Service sockets that were handed over, so that there can be no more workers; undefined: they are opened here. */
  readonly socketsGiven?: number | undefined;
}

export interface Settings {
  /** Absolute path of the served folder. */
  readonly rootDir: string;
  /** Where requests come in; at least one. */
  readonly listeners: readonly ListenerSettings[];
  readonly lookup: LookupSettings;
  /** The largest file that is served; 0 is unlimited. */
  readonly fileBytesMax: number;
  readonly workers: number;
  /** Whether each worker is pinned to a core. */
  readonly workerAffinity: boolean;
  /** How long one turn of a shard may last; 0: for ever. */
  readonly stuckMs: number;
  /** Whether addresses to listen on may be ones that come later. */
  readonly isFreebind: boolean;
  /** How long the start waits for one that is not there. */
  readonly addressWaitMs: number;
  /** The most that is granted to a client that asks (RFC 2348); never more than it asked for. */
  readonly blockBytesMax: number;
  /** Whether a block must also fit in one packet of the interface that the request came in by. */
  readonly clampsToMtu: boolean;
  /** The most that is granted to a client that asks (RFC 7440); never more than it asked for. */
  readonly windowBlocksMax: number;
  readonly windowBytesMax: number;
  /** Names of options that are ignored, in lower case. */
  readonly refusedOptions: readonly string[];
  /** The first retransmission timeout of a client that negotiated none. */
  readonly timeoutMs: number;
  /** The silence after which a transfer is given up. */
  readonly patienceMs: number;
  /** Whether windows that lose blocks are let go more slowly. */
  readonly isPaced: boolean;
  readonly drainMs: number;
  /** Transfers per worker. */
  readonly transfersMax: number;
  /** 0 keeps the kernel's default. */
  readonly receiveBufferBytes: number;
  /** 0 keeps the kernel's default. */
  readonly sendBufferBytes: number;
  readonly reusePort: boolean;
  readonly adviseSequential: boolean;
  readonly adviseWillneed: boolean;
  readonly adviseDontneedAfter: boolean;
  readonly useRecvmmsg: boolean;
  readonly useSendmmsg: boolean;
  readonly useGso: boolean;
  /** Messages per batched call, 1–1,024. */
  readonly batchDatagrams: number;
  /** How long to look for datagrams before sleeping; 0 sleeps at once. */
  readonly spinUs: number;
  /** File cache of the whole process. */
  readonly cacheBytesMax: number;
  readonly cacheChunkBytes: number;
  /** From here on the cache of a worker uses memory of idle files again before it takes more. */
  readonly cacheSparingFromBytes: number;
  /** Buffers of uploads of the whole process. */
  readonly uploadBytesMax: number;
  readonly uploads: UploadSettings;
  readonly hooks: readonly HookSettings[];
  readonly policy: PolicySettings;
  readonly limits: LimitSettings;
  readonly process: ProcessSettings;
  readonly log: LogSettings;
  readonly status: StatusSettings;
}

/** How names are found below the root. */
interface LookupSettings {
  readonly symlinks: "none" | "inside" | "listed";
  /** Absolute paths of folders that links may lead into; empty unless links are `listed`. */
  readonly symlinkTargets: readonly string[];
  readonly isCaseInsensitive: boolean;
}

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly target: LogTarget;
  readonly auditEnabled: boolean;
  /** Where audit events go besides; undefined writes none. */
  readonly auditTarget: LogTarget | undefined;
  readonly rotation: RotationSettings;
  /** The share of boots whose events are written, 0 to 1. */
  readonly samplingRate: number;
  /** The silence after which a client's next request is another boot. */
  readonly bootWindowMs: number;
  /** Whether the SHA-256 of each file that was sent is computed. */
  readonly isHashing: boolean;
}

/** Where lines go. */
export type LogTarget =
  | { readonly kind: "output" }
  | { readonly kind: "file"; readonly path: string }
  /** The journal of systemd, by its own protocol. */
  | { readonly kind: "journal" };

/** Where the journal listens (systemd's "Native Journal Protocol"). */
export const JOURNAL_SOCKET = "/run/systemd/journal/socket";

/** When a log's file makes room for a new one; 0 is never. */
export interface RotationSettings {
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  /** How many old files stay. */
  readonly kept: number;
}

/** A value with the reason for it, in a few words for `check`. */
export interface Reasoned<T> {
  readonly value: T;
  readonly reason: string;
}

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/** The file cache without `cache.size_mb`: a guess that holds a few boot images. */
const CACHE_BYTES_DEFAULT_MAX = 1024 * MIB;

/** Buffers of one worker for uploads without `uploads.memory_mb`: a guess, 384 uploads at a time and some more. */
const UPLOAD_BYTES_DEFAULT = 64 * MIB;

/** What a worker's cache takes without thinking: a guess, a boot image or some hundred small files at a time. */
const CACHE_SPARING_FROM_BYTES = 64 * MIB;

/** The unit of the file cache: whole pages, in which a file of 64 KiB fits with the headers of its blocks, and a block of any size. */
const CACHE_CHUNK_BYTES = 77_824;

/** Resolves a configuration without problems; one with problems may throw. */
export function resolveSettings(config: Config, machine: Machine): Settings {
  const { transfer, performance, logging } = config;
  const { socket, file_io: fileIo, batch, worker_pool: workerPool } = performance.platform;
  const workers = workerCount(config, machine).value;
  return {
    rootDir: config.root_dir,
    listeners: resolveListeners(config, workers),
    lookup: resolveLookup(config),
    fileBytesMax: config.max_file_size_bytes,
    workers,
    workerAffinity: workerPool.enable_cpu_affinity,
    stuckMs: workerPool.stuck_secs * 1000,
    isFreebind: transfer.freebind,
    addressWaitMs: transfer.address_wait_secs * 1000,
    blockBytesMax: blockBytesMax(config).value,
    clampsToMtu: transfer.mtu_clamp === "interface",
    windowBlocksMax: windowBlocksMax(config).value,
    windowBytesMax: transfer.max_window_bytes,
    refusedOptions: transfer.refuse_options,
    timeoutMs: transfer.retransmit_timeout_ms,
    patienceMs: transfer.patience_secs * 1000,
    isPaced: transfer.pacing,
    drainMs: transfer.drain_secs * 1000,
    transfersMax: transfer.max_transfers,
    receiveBufferBytes: socket.recv_buffer_kb * 1024,
    sendBufferBytes: socket.send_buffer_kb * 1024,
    reusePort: socket.reuse_port,
    adviseSequential: fileIo.use_sequential_hint,
    adviseWillneed: fileIo.use_willneed_hint,
    adviseDontneedAfter: fileIo.fadvise_dontneed_after,
    useRecvmmsg: batch.enable_recvmmsg,
    useSendmmsg: batch.enable_sendmmsg,
    useGso: batch.enable_gso,
    batchDatagrams: batch.max_batch_size,
    spinUs: spinUs(config).value,
    cacheBytesMax: cacheBytesMax(config, machine).value,
    cacheChunkBytes: CACHE_CHUNK_BYTES,
    cacheSparingFromBytes: CACHE_SPARING_FROM_BYTES,
    uploadBytesMax: uploadBytesMax(config, machine).value,
    uploads: resolveUploads(config),
    hooks: resolveHooks(config),
    policy: resolvePolicy(config),
    status: resolveStatus(config),
    limits: resolveLimits(config),
    process: resolveProcess(config),
    log: {
      level: parseLevel(logging.level) ?? "info",
      format: logging.format,
      target: logTarget(logging.file),
      auditEnabled: logging.audit_enabled,
      auditTarget:
        logging.audit_enabled && logging.audit_file !== ""
          ? logTarget(logging.audit_file)
          : undefined,
      rotation: {
        bytesMax: logging.rotate_mb * MIB,
        ageMaxMs: logging.rotate_hours * HOUR_MS,
        kept: logging.rotate_keep,
      },
      samplingRate: performance.audit_sampling_rate,
      bootWindowMs: logging.boot_window_secs * 1000,
      isHashing: logging.audit_sha256,
    },
  };
}

/** What `logging.file` names: empty or `-` is standard output, `journal` systemd's journal, anything else a file. */
export function logTarget(file: string): LogTarget {
  if (file === "" || file === "-") return { kind: "output" };
  return file === "journal" ? { kind: "journal" } : { kind: "file", path: file };
}

function resolveLookup({ files }: Config): LookupSettings {
  return {
    symlinks: files.symlinks,
    symlinkTargets: files.symlinks === "listed" ? files.symlink_targets : [],
    isCaseInsensitive: files.case_insensitive,
  };
}

/** One worker per core unless a count, a single socket or too few ports say otherwise. */
export function workerCount(config: Config, machine: Machine): Reasoned<number> {
  const { worker_pool: workerPool, socket } = config.performance.platform;
  const asked = workerPool.worker_count;
  const wanted: Reasoned<number> =
    asked > 0
      ? { value: asked, reason: "worker_count" }
      : { value: machine.cores, reason: machine.cores === 1 ? "the only core" : "all cores" };
  if (!socket.reuse_port && wanted.value > 1) {
    return { value: 1, reason: "reuse_port = false leaves one socket on the service port" };
  }
  const given = machine.socketsGiven;
  // A socket that nobody reads would swallow the requests of its clients.
  if (given !== undefined && (given < wanted.value || (asked === 0 && given > wanted.value))) {
    return { value: given, reason: `${given} sockets were handed over` };
  }
  const ports = workersByPorts(config);
  if (ports < wanted.value) return { value: ports, reason: `port_range has ${ports} ports` };
  return wanted;
}

/** The smaller of the two caps that a file may set. */
export function blockBytesMax(config: Config): Reasoned<number> {
  const ours = config.transfer.max_block_size;
  const theirs = config.performance.default_block_size;
  return theirs < ours
    ? { value: theirs, reason: "default_block_size" }
    : { value: ours, reason: "max_block_size" };
}

/** The smaller of the two caps that a file may set; `default_windowsize = 1` is no cap. */
export function windowBlocksMax(config: Config): Reasoned<number> {
  const ours = config.transfer.max_windowsize;
  const theirs = config.performance.default_windowsize;
  return theirs > 1 && theirs < ours
    ? { value: theirs, reason: "default_windowsize" }
    : { value: ours, reason: "max_windowsize" };
}

/** How long a worker looks for datagrams before it sleeps. */
export function spinUs(config: Config): Reasoned<number> {
  const { batch } = config.performance.platform;
  return batch.enable_adaptive_batching
    ? { value: batch.batch_timeout_us, reason: "batch_timeout_us" }
    : { value: 0, reason: "enable_adaptive_batching = false" };
}

/** The file cache's budget for the whole process. */
export function cacheBytesMax(config: Config, machine: Machine): Reasoned<number> {
  const asked = config.cache.size_mb;
  if (asked > 0) return { value: asked * MIB, reason: "size_mb" };
  const eighth = Math.floor(machine.memoryBytes / 8);
  const limit = config.limits.memory_mb;
  const left = limit * MIB - uploadBytesMax(config, machine).value;
  if (limit > 0 && left < Math.min(eighth, CACHE_BYTES_DEFAULT_MAX)) {
    return { value: left, reason: "what memory_mb leaves" };
  }
  return eighth < CACHE_BYTES_DEFAULT_MAX
    ? { value: eighth, reason: "an eighth of the memory" }
    : { value: CACHE_BYTES_DEFAULT_MAX, reason: "the most without size_mb" };
}

/** What the buffers of uploads may take in all workers together. */
export function uploadBytesMax(config: Config, machine: Machine): Reasoned<number> {
  const { limits, uploads, cache, write_config: write } = config;
  if (!write.enabled) return { value: 0, reason: "uploads are off" };
  if (uploads.memory_mb > 0) return { value: uploads.memory_mb * MIB, reason: "memory_mb" };
  const own = UPLOAD_BYTES_DEFAULT * workerCount(config, machine).value;
  if (limits.memory_mb === 0) return { value: own, reason: "64 MiB for each worker" };
  const half = Math.floor(((limits.memory_mb - cache.size_mb) * MIB) / 2);
  return own <= half
    ? { value: own, reason: "64 MiB for each worker" }
    : { value: half, reason: "half of what memory_mb leaves" };
}
