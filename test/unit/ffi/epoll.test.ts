// Tests of waiting: which descriptors are ready, doorbells, and ringing them from another thread.

import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { EPOLLIN, EPOLLOUT } from "#ffi/abi.ts";
import { Epoll } from "#ffi/epoll.ts";
import { Errno } from "#ffi/errno.ts";
import { createEventfd, drainEventfd, signalEventfd } from "#ffi/eventfd.ts";

import { afterwards, cleanUp, opened, udp } from "./rig.ts";

afterEach(cleanUp);

function epollOf(): Epoll {
  const epoll = new Epoll();
  afterwards(() => epoll.close());
  return epoll;
}

describe("eventfd", () => {
  test("adds up what was not heard yet, and is silent afterwards", () => {
    const bell = opened(createEventfd());
    expect(drainEventfd(bell)).toBe(0);
    for (let ring = 0; ring < 3; ring++) expect(signalEventfd(bell)).toBeGreaterThanOrEqual(0);
    expect(drainEventfd(bell)).toBe(3);
    expect(drainEventfd(bell)).toBe(0);
  });

  test("of no descriptor is −EBADF", () => {
    expect(signalEventfd(-1)).toBe(-Errno.EBADF);
    expect(drainEventfd(-1)).toBe(-Errno.EBADF);
  });

  test("is heard from another thread, which shares the descriptor", async () => {
    const bell = opened(createEventfd());
    const epoll = epollOf();
    epoll.add(bell, EPOLLIN, 5);
    const ringer = new Worker(new URL("./ring.worker.ts", import.meta.url), {
      workerData: { bell, rings: 1000 },
    });
    const [exitCode] = (await once(ringer, "exit")) as [number];
    expect(exitCode).toBe(0);
    expect(epoll.wait(0)).toBe(1);
    expect(epoll.token(0)).toBe(5);
    expect(drainEventfd(bell)).toBe(1000);
    expect(epoll.wait(0)).toBe(0);
  });
});

describe("epoll", () => {
  test("reports each ready descriptor by its token, level-triggered", () => {
    const epoll = epollOf();
    const bells = [11, 22, 33].map((token) => {
      const fd = opened(createEventfd());
      epoll.add(fd, EPOLLIN, token);
      return { token, fd };
    });
    expect(epoll.wait(0)).toBe(0);
    for (const { token, fd } of bells) if (token !== 22) signalEventfd(fd);
    // Twice, because what was not drained is still ready.
    for (let look = 0; look < 2; look++) {
      const count = epoll.wait(0);
      const tokens = Array.from({ length: count }, (_, index) => epoll.token(index));
      expect(tokens.sort((a, b) => a - b)).toEqual([11, 33]);
      for (let index = 0; index < count; index++) expect(epoll.events(index)).toBe(EPOLLIN);
    }
    for (const { fd } of bells) drainEventfd(fd);
    expect(epoll.wait(0)).toBe(0);
  });

  test("watches a socket for room only while it is asked to", () => {
    const epoll = epollOf();
    const { fd } = udp("127.0.0.1:0");
    epoll.add(fd, EPOLLIN, 1);
    expect(epoll.wait(0)).toBe(0);
    epoll.modify(fd, EPOLLIN | EPOLLOUT, 1);
    expect(epoll.wait(0)).toBe(1);
    expect(epoll.events(0)).toBe(EPOLLOUT);
    epoll.modify(fd, EPOLLIN, 1);
    expect(epoll.wait(0)).toBe(0);
  });

  test("changing what is watched does not disturb what was just reported", () => {
    const epoll = epollOf();
    const bell = opened(createEventfd());
    epoll.add(bell, EPOLLIN, 7);
    signalEventfd(bell);
    expect(epoll.wait(0)).toBe(1);
    epoll.add(opened(createEventfd()), EPOLLIN | EPOLLOUT, 8);
    epoll.modify(bell, EPOLLOUT, 9);
    expect([epoll.token(0), epoll.events(0)]).toEqual([7, EPOLLIN]);
  });

  test("waits as long as it was told to, in microseconds, and for what comes meanwhile", () => {
    const epoll = epollOf();
    for (const us of [1, 250, 1500]) {
      const startNs = Bun.nanoseconds();
      expect(epoll.wait(us)).toBe(0);
      expect(Bun.nanoseconds() - startNs).toBeGreaterThanOrEqual(us * 1000);
    }
    const bell = opened(createEventfd());
    epoll.add(bell, EPOLLIN, 3);
    signalEventfd(bell);
    expect(epoll.wait(Infinity)).toBe(1);
    expect(epoll.wait(60_000_000)).toBe(1);
    expect([epoll.token(0), epoll.events(0)]).toEqual([3, EPOLLIN]);
  });

  test("a descriptor that cannot be watched is our own bug, named", () => {
    const epoll = epollOf();
    expect(() => epoll.add(-1, EPOLLIN, 0)).toThrow("epoll_ctl on fd -1: EBADF");
    const bell = opened(createEventfd());
    epoll.add(bell, EPOLLIN, 0);
    expect(() => epoll.add(bell, EPOLLIN, 0)).toThrow("EEXIST");
  });
});
