// How many system calls another process makes (cli layer), counted by perf: perf-stat(1). It needs the right to trace that process,
// and costs it a little, so it is only done when asked for.

/** Counts until it is told to stop. */
export interface SyscallCount {
  /** Resolves to the number; undefined where perf may not count. */
  stop(): Promise<number | undefined>;
}

/** Begins to count the system calls of process `pid`, its threads and what it starts; undefined where there is no perf. */
export async function countSyscalls(pid: number): Promise<SyscallCount | undefined> {
  if (Bun.which("perf") === null) return undefined;
  const words = ["perf", "stat", "-e", "raw_syscalls:sys_enter", "-x", ",", "-p", String(pid)];
  const perf = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  // perf says nothing when it has attached; this is several times what it takes.
  await Bun.sleep(ATTACH_MS);
  return {
    async stop() {
      perf.kill("SIGINT");
      const text = await new Response(perf.stderr).text();
      const count = /^(\d+),/m.exec(text)?.[1];
      return count === undefined ? undefined : Number(count);
    },
  };
}

const ATTACH_MS = 500;
