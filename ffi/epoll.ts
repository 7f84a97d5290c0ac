// epoll (ffi layer): which sockets are ready. One instance per shard, level-triggered.
// Tokens are small integers of the caller.

import { assert } from "#base/assert.ts";
import { u32At } from "#base/bytes.ts";

import { EpollEvent } from "./abi.ts";
import { Arena } from "./arena.ts";
import { Errno, errnoName } from "./errno.ts";
import { checked, libc } from "./libc.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
// More than the sockets of a shard: one service socket, its transfer sockets, one doorbell.
const EVENTS_MAX = 64;

/** What waits for descriptors: {@link Epoll}, or what stands in for it. */
export type Poll = Pick<Epoll, "add" | "modify" | "wait" | "token" | "events" | "close">;

/** An epoll instance. Source: epoll(7). */
export class Epoll {
  readonly #fd: number;
  readonly #arena: Arena = new Arena(EVENTS_MAX * EpollEvent.size + EpollEvent.size);

  constructor() {
    this.#fd = checked(libc.epoll_create1(EPOLL_CLOEXEC));
    if (this.#fd < 0) throw new Error(`epoll_create1: ${errnoName(this.#fd)}`);
  }

  /** Watches `fd` for `events` (EPOLLIN, EPOLLOUT); `token` comes back from {@link token}. */
  add(fd: number, events: number, token: number): void {
    this.#control(EPOLL_CTL_ADD, fd, events, token);
  }

  /** Changes what `fd` is watched for. */
  modify(fd: number, events: number, token: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events, token);
  }

  /** Waits up to `timeoutMs` (0: only looks; −1: for ever). Returns the number of ready fds; an interrupted wait is 0. */
  wait(timeoutMs: number): number {
    const ready = checked(libc.epoll_wait(this.#fd, this.#arena.address, EVENTS_MAX, timeoutMs));
    if (ready === -Errno.EINTR) return 0;
    assert(ready >= 0, "epoll_wait fails only by interruption");
    return ready;
  }

  /** The token of the ready fd at `index`, 0 ≤ index < what `wait` returned. */
  token(index: number): number {
    return u32At(this.#arena.u32, (index * EpollEvent.size + EpollEvent.token) >>> 2);
  }

  /** The events of the ready fd at `index`. */
  events(index: number): number {
    return u32At(this.#arena.u32, (index * EpollEvent.size + EpollEvent.events) >>> 2);
  }

  close(): void {
    libc.close(this.#fd);
    this.#arena.unmap();
  }

  #control(operation: number, fd: number, events: number, token: number): void {
    const scratch = EVENTS_MAX * EpollEvent.size;
    this.#arena.u32[(scratch + EpollEvent.events) >>> 2] = events;
    this.#arena.setU64(scratch + EpollEvent.token, token);
    const event = this.#arena.address + scratch;
    const result = checked(libc.epoll_ctl(this.#fd, operation, fd, event));
    if (result < 0) throw new Error(`epoll_ctl on fd ${fd}: ${errnoName(result)}`);
  }
}
