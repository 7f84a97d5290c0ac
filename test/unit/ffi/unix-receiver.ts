// The other end of a Unix datagram socket, for tests: what a journal or a service manager is.
// Nothing waits; what has come is asked for.

import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SockaddrUn } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import { closeFd } from "#ffi/file.ts";
import { checked, libc } from "#ffi/libc.ts";

/** Longer than what one such datagram can be by default (net.core.wmem_default). */
const DATAGRAM_BYTES = 1 << 18;

export interface Receiver extends Disposable {
  readonly fd: number;
  /** Takes what has come, each datagram as text. */
  waiting(): readonly string[];
}

/** Listens at `path`, which must not exist. */
export function receiveDatagrams(path: string): Receiver {
  const memory = new Arena(DATAGRAM_BYTES);
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  memory.u16[0] = AF_UNIX;
  memory.u8.set(new TextEncoder().encode(path), SockaddrUn.path);
  const bound = checked(libc.bind(fd, memory.address, SockaddrUn.path + path.length + 1));
  if (bound < 0) throw new Error(`bind: ${bound}`);
  return {
    fd,
    waiting: () => {
      const texts: string[] = [];
      for (;;) {
        const length = checked(libc.read(fd, memory.address, DATAGRAM_BYTES));
        if (length < 0) return texts;
        texts.push(new TextDecoder().decode(memory.u8.slice(0, length)));
      }
    },
    [Symbol.dispose]: () => {
      closeFd(fd);
      memory.unmap();
    },
  };
}
