// What the kernel answers instead of sending, and the fate of each answer: the transfer goes on, or is given up in its time, and the
// log is told. The real shard on a simulated kernel, in virtual time.

import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Errno, errnoName } from "#ffi/errno.ts";
import { closeFd, openRoot } from "#ffi/file.ts";

import { afterwards, cleanUp, temporaryFolder } from "../unit/storage/rig.ts";
import { ackPacket } from "./packets.ts";
import { ShardRig } from "./shard-rig.ts";

afterEach(cleanUp);

/** Lost on the way out: the transfer's timer repeats the message. */
const lost = [
  Errno.EPERM,
  Errno.EACCES,
  Errno.EINVAL,
  Errno.EMSGSIZE,
  Errno.ENOMEM,
  Errno.EADDRNOTAVAIL,
  Errno.ENETDOWN,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EIO,
];

test.each(lost.map((errno) => [errnoName(errno), errno] as const))(
  "%s twice costs two time-outs, and is told",
  (name, errno) => {
    const rig = rigOf();
    let left = 2;
    rig.kernel.refusal = () => ((left -= 1) >= 0 ? -errno : 0);
    rig.request("f");
    const startUs = rig.kernel.clockUs;
    const sentUs = untilSent(rig);
    expect(sentUs - startUs).toBeGreaterThan(1_000_000);
    rig.arrive(ackPacket(1));
    rig.turn();
    rig.turn();
    expect(rig.outcomes).toEqual(["complete"]);
    expect(rig.faults[0]).toBe(`${name} 1`);
  },
);

test.each(lost.map((errno) => [errnoName(errno), errno] as const))(
  "%s for ever ends the transfer as a client that is silent does",
  (_, errno) => {
    const rig = rigOf();
    rig.kernel.refusal = () => -errno;
    rig.request("f");
    rig.turn();
    expect(rig.untilIdle()).toEqual([]);
    expect(rig.outcomes).toEqual(["never-answered"]);
  },
);

test("EAGAIN waits for room, and no time-out is counted", () => {
  const rig = rigOf();
  let left = 5;
  rig.kernel.refusal = () => ((left -= 1) >= 0 ? -Errno.EAGAIN : 0);
  rig.request("f");
  const startUs = rig.kernel.clockUs;
  expect(untilSent(rig)).toBe(startUs);
  expect(rig.faults).toEqual([]);
});

test("ENOBUFS waits for room once; a datagram that does not fit even then is lost", () => {
  const once = rigOf();
  let left = 1;
  once.kernel.refusal = () => ((left -= 1) >= 0 ? -Errno.ENOBUFS : 0);
  once.request("f");
  const startUs = once.kernel.clockUs;
  expect(untilSent(once)).toBe(startUs);

  const always = rigOf();
  always.kernel.refusal = () => -Errno.ENOBUFS;
  always.request("f");
  for (let turn = 0; turn < 5; turn += 1) always.turn();
  expect(always.untilIdle()).toEqual([]);
  expect(always.outcomes).toEqual(["never-answered"]);
  expect(always.faults[0]).toBe("ENOBUFS 1");
});

test.each([Errno.EBADF, Errno.EFAULT, Errno.ENOTSOCK])(
  "errno %d says that we have asked nonsense: the worker dies of it",
  (errno) => {
    const rig = rigOf();
    rig.kernel.refusal = () => -errno;
    rig.request("f");
    expect(() => rig.turn()).toThrow(errnoName(errno));
  },
);

function rigOf(): ShardRig {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "f"), "content");
  const rootFd = openRoot(folder);
  afterwards(() => closeFd(rootFd));
  return new ShardRig(rootFd, { isBatching: true, isSegmenting: false });
}

/** Turns, and moves the time on to each of the shard's timers, until something is sent. When that was. */
function untilSent(rig: ShardRig): number {
  for (let turn = 0; turn < 100; turn += 1) {
    rig.turn();
    if (rig.taken().length > 0) return rig.kernel.clockUs;
    rig.kernel.clockUs = Math.max(rig.kernel.clockUs, rig.kernel.wakeUs);
  }
  throw new Error("nothing was sent");
}
