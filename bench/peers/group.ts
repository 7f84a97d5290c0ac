// A control group for one server (bench), which tells what all of its processes and threads together cost, those that have ended included: in.tftpd
// takes a process for each transfer, atftpd a thread, and /proc forgets both. Needs root, and either version of control groups.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";

const VERSION_2 = "/sys/fs/cgroup";
const VERSION_1 = "/sys/fs/cgroup/cpuacct";
/** A killed process leaves its group when the kernel gets to it: two seconds is far more than that takes. */
const LEAVE_TRIES = 200;

/** Whether a group can be made here. */
export function hasGroups(): boolean {
  return process.getuid?.() === 0 && (isVersion2() || existsSync(`${VERSION_1}/cgroup.procs`));
}

/** One group. What is run behind {@link entering} belongs to it, and all that it starts. */
export class Group {
  readonly #folder: string;

  constructor(name: string) {
    this.#folder = `${groupsFolder()}/${name}`;
    mkdirSync(this.#folder);
  }

  /** `command`, so that it runs in the group from its first instruction on. */
  entering(command: readonly string[]): string[] {
    const enter = `echo $$ >${this.#folder}/cgroup.procs && exec "$@"`;
    return ["sh", "-c", enter, "sh", ...command];
  }

  /** CPU time so far, user and system. */
  cpuSeconds(): number {
    if (!isVersion2()) return Number(readFileSync(`${this.#folder}/cpuacct.usage`, "utf8")) / 1e9;
    const text = readFileSync(`${this.#folder}/cpu.stat`, "utf8");
    return Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e6;
  }

  processes(): readonly number[] {
    const text = readFileSync(`${this.#folder}/cgroup.procs`, "utf8");
    return text.split("\n").filter(Boolean).map(Number);
  }

  /** Kills whatever is in it, and removes it. */
  async end(): Promise<void> {
    for (let tries = 0; tries < LEAVE_TRIES; tries += 1) {
      const left = this.processes();
      if (left.length === 0) break;
      for (const pid of left) killProcess(pid);
      await Bun.sleep(10);
    }
    rmdirSync(this.#folder);
  }
}

/** Removes the groups whose names begin with `prefix`, left by a run that was broken off. What ran in them has been killed. */
export async function removeGroups(prefix: string): Promise<void> {
  for (let tries = 0; tries < LEAVE_TRIES; tries += 1) {
    const left = readdirSync(groupsFolder()).filter((name) => name.startsWith(prefix));
    if (left.length === 0) return;
    for (const name of left) removeGroup(`${groupsFolder()}/${name}`);
    await Bun.sleep(10);
  }
}

function removeGroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody is still on the way out.
  }
}

function groupsFolder(): string {
  return isVersion2() ? VERSION_2 : VERSION_1;
}

function isVersion2(): boolean {
  return existsSync(`${VERSION_2}/cgroup.controllers`);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}
