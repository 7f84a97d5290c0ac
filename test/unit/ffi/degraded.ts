// Run by probe.test.ts under a kernel that refuses some calls: prints what the wrappers make of it, as JSON.

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { openBeneath, openRoot, preadNowait } from "#ffi/file.ts";
import { probeKernel } from "#ffi/probe.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

const folder = mkdtempSync(join(tmpdir(), "snow-owl-degraded-"));
writeFileSync(join(folder, "file"), "text");
symlinkSync("file", join(folder, "link"));
const rootFd = openRoot(folder);
const arena = new Arena(4);

const epoll = new Epoll();

/** Whether a wait for nothing was as long as it was to be. */
function isLongEnough(us: number): boolean {
  const startNs = Bun.nanoseconds();
  return epoll.wait(us) === 0 && Bun.nanoseconds() - startNs >= us * 1000;
}

function attempt(): number[] {
  const fd = openBeneath(rootFd, "file");
  return [
    Math.min(fd, 0),
    statFd(fd, new FileStat()),
    Math.min(openBeneath(rootFd, "link"), 0),
    preadNowait(fd, arena.address, 4, 0),
  ];
}

// Twice: the first answer is found by trying, the second from memory.
const opened = [attempt(), attempt()];
const waits = [isLongEnough(300), isLongEnough(1700)];
process.stdout.write(JSON.stringify({ capabilities: probeKernel(), opened, waits }));
epoll.close();
rmSync(folder, { recursive: true });
