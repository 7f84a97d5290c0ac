// The servers side by side (bench): how each is started for a folder, and what it can do. All serve 127.0.0.1 from core 0, log as little as they can
// be told to, and are otherwise as they come, but for limits that would refuse some of the clients.

import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

import { cpuSeconds, statusBytes } from "../measure.ts";
import { type FloorVariant, startFloor, untilBound } from "../server-run.ts";
import { Group } from "./group.ts";
import { findProgram, ourProgram, type Program } from "./programs.ts";

/** One that can be started. */
export interface Contender {
  readonly name: string;
  readonly path: string;
  /** Whether it grants windowsize (RFC 7440). Of one that does not, clients ask for none. */
  readonly hasWindows: boolean;
  readonly takesUploads: boolean;
  /** `extra` is what a row wants of ours beyond the defaults, as TOML. */
  readonly start: (folder: string, extra: string) => Promise<Served>;
}

/** One that runs. */
export interface Served {
  readonly port: number;
  cpuSeconds(): number;
  /** Memory of all its processes now: resident, pages that they share counted once. */
  rssBytes(): number;
  /** The most that its first process has had. */
  rssBytesPeak(): number;
  /** Whether it has ended, which none of them is asked to. */
  hasEnded(): boolean;
  stop(): Promise<void>;
}

/** Ours: the name in every table, and what everything is compared with. */
export const OURS = "snow-owl-tftp";

/** More than any row has clients at a time. dnsmasq's own limit is 50 transfers, atftpd's 100. */
const CLIENTS_MAX = 4500;
/** dnsmasq knows no other port; the comparison has a network namespace of its own, in which every port is free. */
const PORT = 69;

interface Peer extends Program {
  readonly hasWindows: boolean;
  readonly takesUploads: boolean;
  readonly arguments: string;
}

const peers: readonly Peer[] = [
  {
    name: "in.tftpd",
    variable: "IN_TFTPD",
    debianPackage: "tftpd-hpa",
    hasWindows: false,
    takesUploads: true,
    arguments: `--foreground --listen --create --permissive --user root --address 127.0.0.1:${PORT} --secure FOLDER`,
  },
  {
    name: "atftpd",
    variable: "ATFTPD",
    debianPackage: "atftpd",
    hasWindows: true,
    takesUploads: true,
    arguments: `--daemon --no-fork --user root --group root --maxthread ${CLIENTS_MAX} --bind-address 127.0.0.1 --port ${PORT} FOLDER`,
  },
  {
    name: "dnsmasq",
    variable: "DNSMASQ",
    debianPackage: "dnsmasq-base",
    hasWindows: false,
    takesUploads: false,
    arguments:
      "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file= --bind-interfaces --listen-address=127.0.0.1 " +
      `--quiet-tftp --tftp-max=${CLIENTS_MAX} --enable-tftp --tftp-root=FOLDER`,
  },
];

/** Ours first, then the others. */
export async function findContenders(): Promise<readonly Contender[]> {
  const path = await ourProgram();
  const contenders: Contender[] = [
    {
      name: OURS,
      path,
      hasWindows: true,
      takesUploads: true,
      start: async (folder, extra) => {
        const config = `${folder}.toml`;
        await Bun.write(config, configText(folder, PORT, extra));
        return await start(OURS, folder, [path, "--config", config]);
      },
    },
  ];
  for (const peer of peers) contenders.push(contenderOf(peer, await findProgram(peer)));
  return contenders;
}

function contenderOf({ name, hasWindows, takesUploads, ...peer }: Peer, path: string): Contender {
  const words = (folder: string): string[] => peer.arguments.replace("FOLDER", folder).split(" ");
  return {
    name,
    path,
    hasWindows,
    takesUploads,
    start: async (folder) => await start(name, folder, [path, ...words(folder)]),
  };
}

/** The defaults, with one worker. */
export function configText(folder: string, port: number, extra: string): string {
  return `root_dir = "${folder}"
bind_addr = "127.0.0.1:${port}"
[logging]
level = "error"
[transfer]
max_transfers = ${CLIENTS_MAX}
[performance.platform.worker_pool]
worker_count = 1
[write_config]
enabled = true
allow_overwrite = true
allowed_patterns = ["in/*"]
${extra}
`;
}

async function start(name: string, folder: string, command: readonly string[]): Promise<Served> {
  const group = new Group(`${basename(dirname(folder))}-${name}`);
  const child = Bun.spawn(group.entering(["taskset", "-c", "0", ...command]), {
    stdout: "ignore",
    stderr: "ignore",
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = async (): Promise<void> => {
    await group.end();
    await child.exited;
  };
  try {
    await untilBound(PORT, () => !hasEnded());
  } catch {
    await stop();
    throw new Error(`${name} did not start: ${command.join(" ")}`);
  }
  return {
    port: PORT,
    cpuSeconds: () => group.cpuSeconds(),
    rssBytes: () => residentBytes(group),
    rssBytesPeak: () => (hasEnded() ? 0 : statusBytes(child.pid, "VmHWM")),
    hasEnded,
    stop,
  };
}

/** Of one process what /proc/PID/status says; of several, their proportional shares, of which the sum counts every page once. */
function residentBytes(group: Group): number {
  const processes = group.processes();
  const [only] = processes;
  if (only !== undefined && processes.length === 1) return statusBytes(only, "VmRSS");
  return processes.reduce((sum, pid) => sum + shareBytes(pid), 0);
}

function shareBytes(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

/** The default of batch_timeout_us, and up to how many clients ours spins for. */
const SPIN_US = 200;
const SPUN_CLIENTS_MAX = 8;

/** How long the floor looks before it sleeps: as long as ours does with so many clients. */
export function floorSpinUs(clients: number): number {
  return clients <= SPUN_CLIENTS_MAX ? SPIN_US : 0;
}

/** The floor of bench/floor.ts, as if it were a server. */
export async function startFloorServer(variant: FloorVariant): Promise<Served> {
  const floor = await startFloor(variant);
  return {
    port: floor.port,
    cpuSeconds: () => cpuSeconds(floor.pid),
    rssBytes: () => statusBytes(floor.pid, "VmRSS"),
    rssBytesPeak: () => statusBytes(floor.pid, "VmHWM"),
    hasEnded: () => false,
    stop: async () => await floor.stop(),
  };
}
