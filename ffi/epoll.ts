// epoll (ffi layer): which sockets are ready. One instance per shard, level-triggered.
// Tokens are small integers of the caller.

import { assert } from "#base/assert.ts";
import { u32At } from "#base/bytes.ts";

import { aligned, EpollEvent, Syscall, Timespec } from "./abi.ts";
import { Arena } from "./arena.ts";
import { Errno, errnoName } from "./errno.ts";
import { closeHeld, held } from "./holdings.ts";
import { checked, libc } from "./libc.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
// More than the sockets of a shard that has one listener: a service socket, its transfer sockets, one doorbell. Where there are more
// ready at a time, the next wait begins with those that this one left out.
const EVENTS_MAX = 64;
/** Behind the events: the one that `epoll_ctl` reads, and the time to wait. */
const CONTROL = EVENTS_MAX * EpollEvent.size;
const TIMEOUT: number = aligned(CONTROL + EpollEvent.size, 8);
/** Bytes of the kernel's sigset_t, which epoll_pwait2 asks for even if there is none. */
const SIGSET_BYTES = 8;

/** What waits for descriptors: {@link Epoll}, or what stands in for it. */
export type Poll = Pick<Epoll, "add" | "modify" | "wait" | "token" | "events" | "close">;

/** An epoll instance. Source: epoll(7). */
export class Epoll {
  readonly #fd: number;
  readonly #arena: Arena = new Arena(TIMEOUT + Timespec.size);
  /** Whether the kernel waits for microseconds: epoll_pwait2, since Linux 5.11. Found by trying. */
  #isPrecise = true;

  constructor() {
    this.#fd = held(checked(libc.epoll_create1(EPOLL_CLOEXEC)));
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

  /**
   * Waits up to `timeoutUs` (0: only looks; Infinity: for ever). Returns the number of ready fds; an interrupted wait is 0. An
   * older kernel waits for whole milliseconds, and rather longer: a timer must not find itself early and turn its owner in circles.
   */
  wait(timeoutUs: number): number {
    if (timeoutUs === 0) return this.#waitMs(0);
    if (timeoutUs === Infinity) return this.#waitMs(-1);
    if (this.#isPrecise) {
      const ready = this.#waitUs(timeoutUs);
      // EPERM: a seccomp filter that does not know the call.
      this.#isPrecise = ready !== -Errno.ENOSYS && ready !== -Errno.EPERM;
      if (this.#isPrecise) return found(ready);
    }
    return this.#waitMs(Math.ceil(timeoutUs / 1000));
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
    closeHeld(this.#fd);
    this.#arena.unmap();
  }

  #waitMs(timeoutMs: number): number {
    const { address } = this.#arena;
    return found(checked(libc.epoll_wait(this.#fd, address, EVENTS_MAX, timeoutMs)));
  }

  /** The number of ready fds, or −errno. */
  #waitUs(timeoutUs: number): number {
    const { address } = this.#arena;
    const seconds = Math.floor(timeoutUs / 1e6);
    this.#arena.setU64(TIMEOUT + Timespec.seconds, seconds);
    const nanoseconds = Math.ceil((timeoutUs - seconds * 1e6) * 1000);
    this.#arena.setU64(TIMEOUT + Timespec.nanoseconds, Math.min(nanoseconds, 999_999_999));
    const timeout = address + TIMEOUT;
    return checked(
      libc.syscall(Syscall.epollPwait2, this.#fd, address, EVENTS_MAX, timeout, 0, SIGSET_BYTES),
    );
  }

  #control(operation: number, fd: number, events: number, token: number): void {
    this.#arena.u32[(CONTROL + EpollEvent.events) >>> 2] = events;
    this.#arena.setU64(CONTROL + EpollEvent.token, token);
    const event = this.#arena.address + CONTROL;
    const result = checked(libc.epoll_ctl(this.#fd, operation, fd, event));
    if (result < 0) throw new Error(`epoll_ctl on fd ${fd}: ${errnoName(result)}`);
  }
}

function found(ready: number): number {
  if (ready === -Errno.EINTR) return 0;
  assert(ready >= 0, "waiting fails only by interruption");
  return ready;
}
