// Tests of the kernel probe: every record is complete, nothing is left open, and a refusal is told with its remedy.

import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";

import { type Capability, probeKernel } from "#ffi/probe.ts";

import { openDescriptors } from "./rig.ts";

describe("probe", () => {
  test("tries each feature once and tells all of it", () => {
    const capabilities = probeKernel();
    const names = capabilities.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const feature of ["recvmmsg", "UDP_SEGMENT", "openat2", "IP_PKTINFO", "io_uring"]) {
      expect(names).toContain(feature);
    }
    for (const { isGranted, because, remedy, usedFor } of capabilities) {
      expect(because).not.toBe("");
      expect(usedFor).not.toBe("");
      expect(remedy === "").toBe(isGranted);
    }
  });

  test("leaves nothing open", () => {
    // Ten times, so that a leak outnumbers whatever the runtime itself closes meanwhile.
    const kinds = ["socket:", "anon_inode:", process.execPath];
    const before = kinds.map(openDescriptors);
    for (let round = 0; round < 10; round++) probeKernel();
    for (const [index, kind] of kinds.entries()) {
      expect(openDescriptors(kind) - (before[index] ?? 0)).toBeLessThan(5);
    }
  });
});

/** What `test/unit/ffi/degraded.ts` prints when the kernel answers `faults` (strace's --inject expressions). */
function degraded(faults: readonly string[]): Degraded | undefined {
  const injections = faults.flatMap((fault) => ["-e", `inject=${fault}`]);
  const script = fileURLToPath(new URL("./degraded.ts", import.meta.url));
  const strace = Bun.which("strace");
  if (strace === null) return undefined;
  const command = [strace, "-f", "-qq", "-o", "/dev/null", ...injections, process.execPath, script];
  const { stdout, exitCode } = Bun.spawnSync(command);
  return exitCode === 0 ? (JSON.parse(stdout.toString()) as Degraded) : undefined;
}

interface Degraded {
  readonly capabilities: readonly Capability[];
  /** What openBeneath, statFd and preadNowait returned, twice each. */
  readonly opened: readonly (readonly number[])[];
  /** Whether waits of 300 and 1,700 µs were as long as that. */
  readonly waits: readonly boolean[];
}

describe("a kernel that refuses", () => {
  const canInject = degraded([]) !== undefined;
  if (!canInject) {
    process.stdout.write(
      "not tested here: no strace, or no permission to trace; kernels that refuse\n",
    );
  }

  test.skipIf(!canInject)("is told from one that grants", () => {
    expect(degraded([])?.capabilities.find(({ name }) => name === "openat2")?.isGranted).toBe(true);
  });

  test.skipIf(!canInject).each(["ENOSYS", "EPERM"])(
    "with %s still serves files, by the older calls",
    (errno) => {
      const result = degraded([
        `openat2:error=${errno}`,
        `preadv2:error=${errno}`,
        `sendmmsg:error=${errno}`,
        `io_uring_setup:error=${errno}`,
        `epoll_pwait2:error=${errno}`,
      ]);
      expect(result?.waits).toEqual([true, true]);
      // A file opens and is described; its symlink is refused by the walk (ELOOP); reading without waiting is not supported.
      expect(result?.opened).toEqual([
        [0, 0, -40, -95],
        [0, 0, -40, -95],
      ]);
      const expected = ["sendmmsg", "UDP_SEGMENT", "openat2", "preadv2 RWF_NOWAIT", "io_uring"];
      // What this machine refuses anyway, a privileged port for instance, is refused here too.
      const anyway = degraded([])?.capabilities.filter(({ isGranted }) => !isGranted) ?? [];
      const isNew = ({ name }: Capability): boolean => anyway.every((other) => other.name !== name);
      const all = result?.capabilities.filter(({ isGranted }) => !isGranted) ?? [];
      const refused = all.filter(isNew);
      expect(refused.map(({ name }) => name)).toEqual(
        expected.filter((name) => anyway.every((other) => other.name !== name)),
      );
      for (const { name, because, remedy } of refused) {
        expect(because).toEndWith(name.startsWith("preadv2") ? ": EOPNOTSUPP" : `: ${errno}`);
        expect(remedy).not.toBe("");
      }
    },
  );
});
