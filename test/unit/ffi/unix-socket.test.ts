// Tests of Unix datagram sockets that only send: to a path, to an abstract name, to nobody, and to somebody who does not read.

import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { connectDatagrams, peerCredentials, sendText } from "#ffi/unix-socket.ts";

import { DatagramService } from "../../datagram-service.ts";
import { cleanUp, opened, temporaryFolder } from "./rig.ts";

afterEach(cleanUp);

describe.each(["path", "abstract name"])("a service with a %s", (kind) => {
  test("a datagram arrives whole at the path that was named, and after others", () => {
    const folder = temporaryFolder();
    const path = kind === "path" ? join(folder, "socket") : `@${folder}/socket`;
    using service = new DatagramService(path);
    const fd = opened(connectDatagrams(path));
    expect(sendText(fd, "READY=1\nSTATUS=größer")).toBe(23);
    expect(sendText(fd, "WATCHDOG=1")).toBe(10);
    expect(service.waiting()).toEqual(["READY=1\nSTATUS=größer", "WATCHDOG=1"]);
    expect(service.receive()).toBeUndefined();
  });
});

test("nobody there, and a name that is too long, are told apart", () => {
  const folder = temporaryFolder();
  expect(connectDatagrams(join(folder, "nobody"))).toBe(-Errno.ENOENT);
  expect(connectDatagrams(`@${process.pid}-nobody`)).toBe(-Errno.ECONNREFUSED);
  expect(connectDatagrams(`/${"x".repeat(108)}`)).toBe(-Errno.ENAMETOOLONG);
});

test("a reader that is behind is told at once", () => {
  const path = join(temporaryFolder(), "socket");
  using service = new DatagramService(path);
  const fd = opened(connectDatagrams(path));
  let sent = 0;
  let result = 0;
  while (result >= 0 && sent < 100_000) {
    result = sendText(fd, "x");
    if (result >= 0) sent += 1;
  }
  expect(result).toBe(-Errno.EAGAIN);
  expect(service.waiting()).toHaveLength(sent);
});

test("who has connected is known by process and user", async () => {
  const path = join(temporaryFolder(), "socket");
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const listener = Bun.listen({
    unix: path,
    socket: {
      open: (socket) => resolve(peerCredentials((socket as unknown as { fd: number }).fd)),
      data() {},
    },
  });
  const client = await Bun.connect({ unix: path, socket: { data() {} } });
  const { pid, getuid, getgid } = process;
  expect(await promise).toEqual({ pid, uid: getuid?.(), gid: getgid?.() });
  client.end();
  listener.stop(true);
  expect(peerCredentials(-1)).toBe(-Errno.EBADF);
});
