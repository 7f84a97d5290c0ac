// A service of this machine that takes datagrams by a Unix socket, as the journal and the service manager do (test support).
// Nothing waits: what has not come yet is undefined.

import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SockaddrUn } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { checked, libc } from "#ffi/libc.ts";

/** Longer than what one such datagram can be by default (net.core.wmem_default). */
const BYTES = 1 << 18;

export class DatagramService implements Disposable {
  readonly #fd: number;
  readonly #arena: Arena = new Arena(BYTES);

  /** Listens at `path`, which must not exist; with `@` before it, at an abstract name. */
  constructor(path: string) {
    this.#fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const { u8, u16, address } = this.#arena;
    u16[SockaddrUn.family] = AF_UNIX;
    const { written } = new TextEncoder().encodeInto(path, u8.subarray(SockaddrUn.path));
    if (path.startsWith("@")) u8[SockaddrUn.path] = 0;
    const length = SockaddrUn.path + written + (path.startsWith("@") ? 0 : 1);
    const bound = checked(libc.bind(this.#fd, address, length));
    if (bound < 0) throw new Error(`bind to ${path}: ${errnoName(bound)}`);
  }

  /** The next datagram as text; undefined: none has come. */
  receive(): string | undefined {
    const length = checked(libc.read(this.#fd, this.#arena.address, BYTES));
    if (length === -Errno.EAGAIN) return undefined;
    if (length < 0) throw new Error(`read: ${errnoName(length)}`);
    return new TextDecoder().decode(this.#arena.u8.slice(0, length));
  }

  /** Takes everything that has come, each datagram as text. */
  waiting(): readonly string[] {
    const texts: string[] = [];
    for (let text = this.receive(); text !== undefined; text = this.receive()) texts.push(text);
    return texts;
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
    this.#arena.unmap();
  }
}
