// Which folders and files a confined server may open (supervisor layer): what the configuration names, and what the runtime and
// the system's libraries need. A reload cannot go beyond it, and is told so before anything is opened.

import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

import type { HookAction } from "#config/settings-hooks.ts";
import type { Settings } from "#config/settings.ts";
import type { TlsFiles } from "#config/tls.ts";
import type { PathRule } from "#io/confinement.ts";
import type { StartFault } from "#io/start.ts";

/** Where the program itself lies. */
export interface Program {
  /** The executable file. */
  readonly path: string;
  /** The folder of its sources, where it runs from these. */
  readonly sources: string | undefined;
  /** The configuration file, which need not exist. */
  readonly configuration: string;
}

/** What was granted at the start, for as long as the process lives. */
export interface Granted {
  /** Undefined: Landlock is off. */
  readonly paths: readonly GrantedPath[] | undefined;
  readonly mayStartPrograms: boolean;
}

/** A folder or file by its identity: the kernel goes by that, not by the name. */
interface GrantedPath {
  readonly identity: string;
  readonly reach: PathRule["reach"];
}

/** Everything that a server with these settings has to open. */
export function reachOf(settings: Settings, program: Program): readonly PathRule[] {
  const { path, sources, configuration } = program;
  return [
    ...configuredPaths(settings),
    // A configuration file is replaced by renaming, so that it is the folder that must be open.
    { path: dirname(configuration), reach: "read" },
    { path, reach: "run" },
    ...(sources === undefined ? [] : [{ path: sources, reach: "read" } as const]),
    ...runtimePaths,
  ];
}

/** What is granted by `rules`, to be compared with later settings. */
export function grant(rules: readonly PathRule[] | undefined, settings: Settings): Granted {
  const paths = rules?.flatMap(({ path, reach }) => {
    const identity = identityOf(path);
    return identity === undefined ? [] : [{ identity, reach }];
  });
  return { paths, mayStartPrograms: startsPrograms(settings) };
}

/** Why `settings` cannot come into force without a restart; undefined if they can. */
export function reachFault(granted: Granted, settings: Settings): StartFault | undefined {
  if (startsPrograms(settings) && !granted.mayStartPrograms) {
    return {
      fault:
        "this server gave up starting programs when it started, for there was no hook with a command",
      remedy: "restart it, so that it starts with this hook",
    };
  }
  const { paths } = granted;
  if (paths === undefined) return undefined;
  const beyond = configuredPaths(settings).find((rule) => !isWithin(rule, paths));
  if (beyond === undefined) return undefined;
  const verb = { read: "read", write: "written", run: "run from" }[beyond.reach];
  const key = beyond.reach === "write" ? "write_folders" : "read_folders";
  return {
    fault: `${beyond.path} cannot be ${verb}: it lies outside of what this server was confined to when it started (Landlock)`,
    remedy: `restart the server; name it, or a folder above it, in ${key} of [process] if later reloads shall reach it`,
  };
}

function startsPrograms({ hooks }: Settings): boolean {
  return hooks.some(({ action }) => action.kind === "command");
}

/** What the configuration names, as far as it has to be opened. */
function configuredPaths(settings: Settings): readonly PathRule[] {
  const { policy, lookup, uploads, log, status, process } = settings;
  const read = [settings.rootDir, ...policy.folders, ...lookup.symlinkTargets];
  const write = uploads.isEnabled ? [uploads.rootDir, ...lookup.symlinkTargets] : [];
  // Files that are replaced or renamed: it is their folders that must be open. Sockets need none, the journal's neither.
  for (const target of [log.target, log.auditTarget]) {
    if (target?.kind === "file") write.push(dirname(target.path));
  }
  if (status.tokenFile !== undefined) read.push(dirname(status.tokenFile));
  if (status.tls !== undefined) read.push(...tlsFolders(status.tls));
  if (process.pidFile !== undefined) write.push(dirname(process.pidFile));
  // A socket that a killed server has left there is removed.
  if (status.socket !== undefined) write.push(dirname(status.socket));
  return [
    ...read.concat(process.readFolders).map((path) => ({ path, reach: "read" }) as const),
    ...write.concat(process.writeFolders).map((path) => ({ path, reach: "write" }) as const),
    ...settings.hooks.flatMap(({ action }) => hookPaths(action)),
  ];
}

/** Libraries, and what the runtime looks at when it starts, starts threads or is asked for its memory. */
const runtimePaths: readonly PathRule[] = [
  ...["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"].map(runs),
  ...["/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld-musl-x86_64.path"].map(reads),
  ...["/proc", "/sys/fs/cgroup", "/sys/devices/system/cpu", "/sys/kernel/mm"].map(reads),
  ...["/etc/passwd", "/etc/group", "/etc/localtime", "/usr/share/zoneinfo"].map(reads),
  ...["/dev/random", "/dev/urandom"].map(reads),
  { path: "/dev/null", reach: "write" },
];

/** Renewed files take the place of others, and those may be links into a folder of another name. */
function tlsFolders({ certificateFile, keyFile, clientCaFile }: TlsFiles): readonly string[] {
  return [certificateFile, keyFile, clientCaFile].flatMap((path) =>
    path === undefined ? [] : [dirname(path), dirname(realPath(path) ?? path)],
  );
}

function hookPaths(action: HookAction): readonly PathRule[] {
  if (action.kind === "command") return programPaths(action.argv[0] ?? "/");
  const { secretFile } = action;
  return secretFile === undefined ? webPaths : [...webPaths, reads(dirname(secretFile))];
}

/** What finding and trusting a web service takes: resolvers and certificates, wherever a distribution keeps them. */
const webPaths: readonly PathRule[] = [
  "/etc",
  "/run/systemd/resolve",
  "/usr/share/ca-certificates",
  "/usr/local/share/ca-certificates",
].map(reads);

/** What a command that is a script of the usual kind takes. */
function programPaths(program: string): readonly PathRule[] {
  const folders = ["/usr", "/bin", "/sbin", "/opt", dirname(program)];
  return [...folders.map(runs), ...webPaths];
}

function reads(path: string): PathRule {
  return { path, reach: "read" };
}

function runs(path: string): PathRule {
  return { path, reach: "run" };
}

/** Whether the path, or a folder above it, was granted. What does not exist is somebody else's to complain about. */
function isWithin({ path, reach }: PathRule, granted: readonly GrantedPath[]): boolean {
  const enough: readonly string[] = reach === "read" ? ["read", "write", "run"] : [reach];
  for (let folder = realPath(path); folder !== undefined;) {
    const identity = identityOf(folder);
    if (granted.some((each) => each.identity === identity && enough.includes(each.reach))) {
      return true;
    }
    if (folder === "/") return false;
    folder = dirname(folder);
  }
  return true;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string | undefined {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
