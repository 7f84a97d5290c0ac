// A process that gives something up and then tries what it may no longer do, for the tests of what cannot be undone:
// confined-child.ts SCENARIO [FOLDER]. Prints what it saw as JSON. Its second thread was there before.

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { isX64 } from "#ffi/abi.ts";
import { execute, keepOnExecute } from "#ffi/execute.ts";
import { confineToPaths } from "#ffi/landlock.ts";
import { checked, libc } from "#ffi/libc.ts";
import {
  allowOpenFiles,
  becomeUser,
  boundCapabilities,
  Capability,
  forbidNewPrivileges,
  hasCapability,
  keepCapabilities,
} from "#ffi/privileges.ts";
import { sealProcess } from "#ffi/seccomp.ts";
import { openSocket } from "#ffi/socket.ts";

const [scenario = "", folder = ""] = process.argv.slice(2);
const { CAP_CHOWN, CAP_FOWNER } = Capability;

const scenarios: Readonly<Record<string, () => unknown>> = {
  become: () => [becomeUser({ uid: 65_534, gid: 65_533, supplementaryGids: [100, 7] }), threads()],
  bound: () => [
    boundCapabilities([CAP_CHOWN, CAP_FOWNER]),
    keepCapabilities([CAP_FOWNER]),
    [hasCapability(CAP_CHOWN), hasCapability(CAP_FOWNER)],
    statusOf("/proc/thread-self"),
  ],
  privileges: () => [forbidNewPrivileges(), statusOf("/proc/thread-self").get("NoNewPrivs")],
  files: () => [allowOpenFiles(64), limits(), allowOpenFiles(5000), limits()],
  landlock: () => [
    forbidNewPrivileges(),
    confineToPaths([
      { path: join(folder, "served"), reach: "read" },
      { path: join(folder, "uploads"), reach: "write" },
      { path: join(folder, "missing"), reach: "write" },
      { path: join(folder, "file"), reach: "read" },
    ]),
    attemptFiles(),
  ],
  "landlock-without": () => confineToPaths([]),
  sealed: () => [forbidNewPrivileges(), sealProcess(false), attemptCalls(), threads()],
  "sealed-but-programs": () => [forbidNewPrivileges(), sealProcess(true), attemptCalls()],
  execute: () => {
    const fds = [openSocket(4), openSocket(4)] as const;
    keepOnExecute(fds[0]);
    const script = `echo "$0 $1 $X $(ls /proc/self/fd | grep -c '^${fds[0]}$') $(ls /proc/self/fd | grep -c '^${fds[1]}$')"`;
    return execute(
      "/bin/sh",
      ["sh", "-c", script, "zero", "one äö"],
      ["X=1 2", "PATH=/usr/bin:/bin"],
    );
  },
  "execute-nothing": () => [
    execute(join(folder, "missing"), ["x"], []),
    execute("/bin/sh", ["a\0b"], []),
  ],
};

// A thread that is just starting others may be refused them while the process becomes another one (EAGAIN, clone(2)).
if (scenario.startsWith("execute")) {
  print(scenarios[scenario]?.());
} else {
  const standby = new Worker("setInterval(() => {}, 1000)", { eval: true });
  standby.on("online", () => {
    print(scenarios[scenario]?.());
    process.exit(0);
  });
}

function print(seen: unknown): void {
  process.stdout.write(`${JSON.stringify(seen, flattened)}\n`);
}

/** What came of each attempt: an errno by name, or what was read. */
function attemptFiles(): Readonly<Record<string, string>> {
  return {
    readServed: outcome(() => readFileSync(at("served/below/name"), "utf8")),
    listServed: outcome(() => readdirSync(at("served")).join()),
    writeServed: outcome(() => writeFileSync(at("served/new"), "")),
    readFile: outcome(() => readFileSync(at("file"), "utf8")),
    readSecret: outcome(() => readFileSync(at("secret"), "utf8")),
    listFolder: outcome(() => readdirSync(folder).join()),
    readUpload: outcome(() => readFileSync(at("uploads/old"), "utf8")),
    writeUpload: outcome(() => writeFileSync(at("uploads/new"), "")),
    truncateUpload: outcome(() => writeFileSync(at("uploads/old"), "")),
    folderInUploads: outcome(() => mkdirSync(at("uploads/folder"))),
    moveInUploads: outcome(() => renameSync(at("uploads/new"), at("uploads/folder/new"))),
    moveOut: outcome(() => renameSync(at("uploads/old"), at("old"))),
  };
}

function at(path: string): string {
  return join(folder, path);
}

function attemptCalls(): Readonly<Record<string, unknown>> {
  return {
    file: outcome(() => readFileSync("/dev/null", "utf8")),
    program: outcome(() => String(Bun.spawnSync(["/bin/true"]).exitCode)),
    // AF_PACKET, SOCK_RAW; then AF_INET, SOCK_DGRAM.
    packetSocket: checked(libc.socket(17, 3, 0)),
    socket: Math.min(0, checked(libc.socket(2, 2, 0))),
    unshare: call(isX64 ? 272 : 97),
    clone3: call(435),
    unknown: call(100_000),
    // TIOCSTI on standard input, which is no terminal here.
    typing: checked(libc.ioctl(0, 0x5412, 0)),
  };
}

function call(number: number): number {
  return checked(libc.syscall(number, 0, 0, 0, 0, 0, 0));
}

function outcome(attempt: () => string | void): string {
  try {
    return attempt() ?? "";
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code ?? String(cause);
  }
}

/** What the kernel says of every thread: user, groups, capabilities, privileges, filter. */
function threads(): readonly ReadonlyMap<string, string>[] {
  return readdirSync("/proc/self/task").map((thread) => statusOf(`/proc/self/task/${thread}`));
}

function statusOf(path: string): ReadonlyMap<string, string> {
  const lines = readFileSync(`${path}/status`, "utf8").split("\n");
  const fields = lines.map((line) =>
    line.split(":").map((part) => part.trim().replaceAll("\t", " ")),
  );
  const wanted = /^(?:Uid|Gid|Groups|Cap(?:Eff|Prm|Inh|Bnd|Amb)|NoNewPrivs|Seccomp)$/;
  return new Map(
    fields.flatMap(([name = "", value = ""]) =>
      wanted.test(name) ? [[name, value] as const] : [],
    ),
  );
}

function limits(): string {
  const text = readFileSync("/proc/self/limits", "utf8");
  return /^Max open files\s+(?<soft>\S+)/m.exec(text)?.groups?.["soft"] ?? "";
}

function flattened(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
