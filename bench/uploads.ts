// `bun run bench --uploads` (bench): what an upload costs, beside in.tftpd and atftpd where they are in PATH. The server on core 0, the
// load on core 1, files in memory, so that no disk's patience is measured; how often the disk would be waited for is counted.

import { mkdir, rm } from "node:fs/promises";

import type { LoadPlan, LoadResult } from "./load.ts";
import { countEvents, runLoad, type Subject } from "./measure.ts";
import { markdownTable } from "./page.ts";
import { Files, startPeer, startUploadServer } from "./server-run.ts";

/** A server that is compared. */
interface Contender {
  readonly name: string;
  readonly start: (folder: string) => Promise<Subject>;
  /** Neither of the peers knows windows. */
  readonly hasWindows: boolean;
}

/** A row of the table: CPU time is the least of the repeats, speed the most, as in the table of downloads. */
export interface UploadRow {
  readonly load: string;
  readonly server: string;
  readonly cpuSecondsPerGb: number;
  readonly megabytesPerSecond: number;
  readonly syncs: number | undefined;
  readonly failed: number;
  readonly repeated: number;
}

export interface UploadBenchOptions {
  readonly binary: string;
  readonly isQuick: boolean;
  readonly repeats: number;
}

const MIB = 1024 * 1024;
const CLIENTS = 64;
const BLOCK_BYTES = 1428;
const SYNC_CALLS = ["syscalls:sys_enter_fsync", "syscalls:sys_enter_fdatasync"];

/** Measures all loads with all servers, in turn so that a slow minute of the machine hits all of them. */
export async function benchUploads(options: UploadBenchOptions): Promise<readonly UploadRow[]> {
  const files = await Files.create();
  const rows: UploadRow[] = [];
  try {
    for (const windowBlocks of [1, 16]) {
      rows.push(...(await benchWindow(files, windowBlocks, options)));
    }
  } finally {
    await files.remove();
  }
  return rows;
}

function contenders({ binary }: UploadBenchOptions): readonly Contender[] {
  const ours: Contender = {
    name: "snow-owl-tftp",
    start: (folder) => startUploadServer(binary, folder),
    hasWindows: true,
  };
  const inTftpd = peer(
    "in.tftpd --foreground --listen --create --permissive --user root --address 127.0.0.1:PORT --secure FOLDER",
  );
  const atftpd = peer(
    "atftpd --daemon --no-fork --user root --group root --maxthread 1000 --bind-address 127.0.0.1 --port PORT FOLDER",
  );
  return [ours, inTftpd, atftpd].filter(
    ({ name }) => name === ours.name || Bun.which(name) !== null,
  );
}

/** Another server by its command line. */
function peer(command: string): Contender {
  const [name = ""] = command.split(" ");
  const start = (folder: string): Promise<Subject> =>
    startPeer((port) => command.replace("PORT", String(port)).replace("FOLDER", folder).split(" "));
  return { name, start, hasWindows: false };
}

async function benchWindow(
  files: Files,
  windowBlocks: number,
  options: UploadBenchOptions,
): Promise<readonly UploadRow[]> {
  const fileMib = options.isQuick ? 1 : 8;
  const fileBytes = fileMib * MIB;
  const runs = new Map<string, Measured[]>();
  for (let repeat = 0; repeat < options.repeats; repeat += 1) {
    for (const contender of contenders(options)) {
      if (windowBlocks > 1 && !contender.hasWindows) continue;
      const plan = {
        clients: CLIENTS,
        file: "in/",
        fileBytes,
        blockBytes: BLOCK_BYTES,
        windowBlocks,
        sha256: "",
        endless: false,
        puts: true,
      };
      const measured = await runContender(contender, `${files.folder}/uploads`, plan);
      runs.set(contender.name, [...(runs.get(contender.name) ?? []), measured]);
    }
  }
  return [...runs].map(([server, measured]) => ({
    load: `${CLIENTS} × ${fileMib} MiB, blksize ${BLOCK_BYTES}, windowsize ${windowBlocks}`,
    server,
    cpuSecondsPerGb: Math.min(...measured.map((run) => (run.cpuSeconds / run.bytes) * 1e9)),
    megabytesPerSecond: Math.max(...measured.map((run) => run.bytes / run.seconds / 1e6)),
    syncs: measured[0]?.syncs,
    failed: measured.reduce((sum, run) => sum + run.failed, 0),
    repeated: measured.reduce((sum, run) => sum + run.retransmits, 0),
  }));
}

interface Measured extends LoadResult {
  readonly cpuSeconds: number;
  readonly syncs: number | undefined;
}

/** Once to warm up, once measured, and once more with the kernel counting, each into an empty folder. */
async function runContender(
  { start }: Contender,
  folder: string,
  plan: Omit<LoadPlan, "port">,
): Promise<Measured> {
  await mkdir(folder);
  const server = await start(folder);
  const run = async (): Promise<LoadResult> => {
    await rm(`${folder}/in`, { recursive: true, force: true });
    await mkdir(`${folder}/in`);
    return await runLoad({ ...plan, port: server.port });
  };
  try {
    await run();
    let result: LoadResult | undefined;
    // Not from /proc: a server that takes a process for each client may not account for those that have ended.
    const cpuMs = await countEvents(server, ["task-clock"], async () => (result = await run()));
    if (cpuMs === undefined || result === undefined) throw new Error("perf may not count here");
    const syncs = await countEvents(server, SYNC_CALLS, run);
    return { ...result, cpuSeconds: cpuMs / 1000, syncs };
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The rows in Markdown. */
export function uploadTableOf(rows: readonly UploadRow[]): string {
  const head = ["load", "server", "CPU s/GB", "MB/s", "fsyncs", "failed", "client timeouts"];
  const lines = rows.map((row) => [
    row.load,
    row.server,
    row.cpuSecondsPerGb.toFixed(2),
    row.megabytesPerSecond.toFixed(0),
    row.syncs === undefined ? "–" : String(row.syncs),
    String(row.failed),
    String(row.repeated),
  ]);
  return markdownTable(head, lines, 2);
}
