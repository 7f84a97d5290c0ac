// What is compared (bench): the loads, what counts in each, and what ours must reach. The tables, charts and verdicts come from this list and
// from what was measured, and nowhere else.

/** What a row is about, and what its main figure is: the cost of 10⁹ bytes, or of one transfer; the speed; or the memory. */
export type Measure = "cost of bytes" | "cost of a transfer" | "speed" | "memory";

/** What is asked of ours: `factor` times better than the best of the peers (or the one that is named), or at most `factor` times what the floor has. */
export type Target =
  | {
      readonly against: "peers";
      readonly of: Aspect;
      readonly factor: number;
      readonly peer?: string;
    }
  | { readonly against: "floor"; readonly of: Aspect; readonly factor: number }
  | { readonly against: "all complete" }
  | { readonly against: "memory"; readonly bytesPerTransferMax: number };

/** What is compared: CPU time per byte or transfer, bytes per second, or the duration that one transfer in a hundred exceeds. */
export type Aspect = "cost" | "speed" | "p99";

/** One load. */
export interface Row {
  readonly kind: "get" | "miss" | "put";
  readonly measure: Measure;
  /** In all, and at a time. */
  readonly transfers: number;
  readonly concurrent: number;
  /** Whether each transfer has a file of its own. */
  readonly isManyFiles: boolean;
  readonly fileBytes: number;
  readonly blockBytes: number;
  /** What clients ask of servers that know windows. */
  readonly windowBlocks: number;
  readonly hasFloor: boolean;
  /** The share of packets, 0 to 1, that the clients drop on their way in and out. The floor has no timers, and would wait for theirs. */
  readonly loss?: number;
  readonly targets: readonly Target[];
  /** Files in memory cost no waiting, which is what an fsync is about. */
  readonly isOnDisk?: boolean;
  /** Beyond the defaults of ours, as TOML, with a word for it in the name. */
  readonly variant?: { readonly name: string; readonly toml: string };
}

const KIB = 1024;
const MIB = 1024 * KIB;

const withoutSync = { name: "ours without fsync", toml: "[uploads]\nfsync = false" } as const;
const complete: Target = { against: "all complete" };

/** In the order of the tables. */
export const rows: readonly Row[] = [
  many(64, 32 * MIB, 1428, 16, [better("cost", 10), near("cost", 1)]),
  many(64, 32 * MIB, 8192, 16, [better("cost", 4), near("cost", 1.1)]),
  many(64, 32 * MIB, 1428, 1, [better("cost", 1.5), near("cost", 1.1)]),
  one(256 * MIB, 1, [better("speed", 2), near("speed", 0.85)]),
  one(256 * MIB, 64, [better("speed", 8), near("speed", 1)]),
  many(1000, MIB, 1428, 8, [better("cost", 6), near("cost", 1.1), better("p99", 4), complete]),
  files(1, [better("cost", 1), near("cost", 1.1)]),
  files(16, [better("cost", 4)]),
  {
    ...many(10_000, 0, 1428, 1, [
      { against: "peers", of: "cost", factor: 1.5, peer: "dnsmasq" },
      near("cost", 1.1),
    ]),
    kind: "miss",
    measure: "cost of a transfer",
    concurrent: 200,
  },
  {
    ...many(4000, MIB, 1428, 8, [complete, { against: "memory", bytesPerTransferMax: 8 * KIB }]),
    measure: "memory",
    hasFloor: false,
  },
  many(64, 4 * MIB, 512, 1, []),
  { ...many(64, 256 * KIB, 1428, 8, [complete]), loss: 0.01, hasFloor: false },
  { ...uploads([better("cost", 2)]), variant: withoutSync },
  uploads([]),
  { ...uploads([]), isOnDisk: true, variant: withoutSync },
  { ...uploads([]), isOnDisk: true },
];

/** So many clients at once, all after one file. */
function many(
  transfers: number,
  fileBytes: number,
  blockBytes: number,
  windowBlocks: number,
  targets: readonly Target[],
): Row {
  return {
    kind: "get",
    measure: "cost of bytes",
    transfers,
    concurrent: transfers,
    isManyFiles: false,
    fileBytes,
    blockBytes,
    windowBlocks,
    hasFloor: true,
    targets,
  };
}

function one(fileBytes: number, windowBlocks: number, targets: readonly Target[]): Row {
  return { ...many(1, fileBytes, 1428, windowBlocks, targets), measure: "speed" };
}

/** Small files, each another one. */
function files(windowBlocks: number, targets: readonly Target[]): Row {
  return {
    ...many(5000, 64 * KIB, 1428, windowBlocks, targets),
    measure: "cost of a transfer",
    concurrent: 200,
    isManyFiles: true,
  };
}

function uploads(targets: readonly Target[]): Row {
  return { ...many(64, MIB, 1428, 8, targets), kind: "put", hasFloor: false };
}

function better(of: Aspect, factor: number): Target {
  return { against: "peers", of, factor };
}

function near(of: Aspect, factor: number): Target {
  return { against: "floor", of, factor };
}

/** Files of at least so many bytes are what takes minutes with the slower servers, and what shrinks. */
const SHRINKABLE_BYTES = 8 * MIB;

/** The same load with large files `factor` times as large, for all servers alike. */
export function shrunk(row: Row, factor: number): Row {
  if (row.fileBytes < SHRINKABLE_BYTES) return row;
  return { ...row, fileBytes: Math.max(MIB, Math.round((row.fileBytes * factor) / MIB) * MIB) };
}

/** The same load for a look whether everything works: a second or two for each server. */
export function quick(row: Row): Row {
  const transfers = Math.min(row.transfers, 32);
  return {
    ...row,
    transfers,
    concurrent: Math.min(row.concurrent, transfers),
    fileBytes: Math.min(row.fileBytes, 256 * KIB),
  };
}

/** `64 × 16 MiB, blksize 1428, windowsize 16`. */
export function rowName(row: Row): string {
  const { kind, transfers, concurrent, isManyFiles, blockBytes, windowBlocks, variant } = row;
  const atATime = concurrent < transfers ? `, ${concurrent} at a time` : "";
  const suffix =
    (row.isOnDisk === true ? ", onto a disk" : "") +
    (row.loss === undefined ? "" : `, ${row.loss * 100} % of packets lost`) +
    (variant === undefined ? "" : `, ${variant.name}`);
  if (kind === "miss") return `${transfers} requests for what is not there${atATime}${suffix}`;
  const load = `${transfers} ${isManyFiles ? "files of" : "×"} ${bytesText(row.fileBytes)}`;
  const packets = `blksize ${blockBytes}, ${windowBlocks === 1 ? "lockstep" : `windowsize ${windowBlocks}`}`;
  return `${kind === "put" ? "uploads, " : ""}${load}${atATime}, ${packets}${suffix}`;
}

/** `16 MiB`. */
function bytesText(bytes: number): string {
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
}
