// Sockets that somebody else has opened, as a service manager does (end-to-end tests), and a way to start a server with them.

import { expect } from "bun:test";

import { parseSocketAddress } from "#ffi/address.ts";
import { bindSocket, openSocket, setOption, socketName } from "#ffi/socket.ts";

/** A socket on loopback that somebody else has bound, several of them on one port. */
export function boundSockets(count: number): {
  readonly fds: readonly number[];
  readonly port: number;
} {
  const fds: number[] = [];
  let port = 0;
  for (let index = 0; index < count; index += 1) {
    const fd = openSocket(4);
    setOption(fd, "SO_REUSEPORT", 1);
    const address = parseSocketAddress(`127.0.0.1:${port}`);
    if ("fault" in address) throw new Error(address.fault);
    expect(bindSocket(fd, address)).toBe(0);
    const name = socketName(fd);
    port = typeof name === "number" ? 0 : name.port;
    fds.push(fd);
  }
  return { fds, port };
}

/** The variable names the process itself, so that a shell has to write it. */
export const manager: readonly string[] = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"];
