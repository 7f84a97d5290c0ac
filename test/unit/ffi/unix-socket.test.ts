// Tests of Unix datagram sockets that only send: to a path, to an abstract name, to nobody, and to somebody who does not read.

import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { connectDatagrams, peerCredentials, sendText } from "#ffi/unix-socket.ts";

import { cleanUp, temporaryFolder } from "./rig.ts";
import { receiveDatagrams } from "./unix-receiver.ts";

afterEach(cleanUp);

test("a datagram arrives whole at the path that was named", () => {
  const path = join(temporaryFolder(), "socket");
  using receiver = receiveDatagrams(path);
  const fd = connectDatagrams(path);
  expect(sendText(fd, "READY=1\nSTATUS=é")).toBeGreaterThan(0);
  expect(sendText(fd, "WATCHDOG=1")).toBe(10);
  expect(receiver.waiting()).toEqual(["READY=1\nSTATUS=é", "WATCHDOG=1"]);
  closeFd(fd);
});

test("nobody there, and a name that is too long, are told apart", () => {
  const folder = temporaryFolder();
  expect(connectDatagrams(join(folder, "nobody"))).toBe(-Errno.ENOENT);
  expect(connectDatagrams(`@${process.pid}-nobody`)).toBe(-Errno.ECONNREFUSED);
  expect(connectDatagrams(`/${"x".repeat(200)}`)).toBe(-Errno.ENAMETOOLONG);
});

test("a reader that is behind is told at once", () => {
  const path = join(temporaryFolder(), "socket");
  using receiver = receiveDatagrams(path);
  const fd = connectDatagrams(path);
  let sent = 0;
  let result = 0;
  while (result >= 0 && sent < 100_000) {
    result = sendText(fd, "x");
    if (result >= 0) sent += 1;
  }
  expect(result).toBe(-Errno.EAGAIN);
  expect(receiver.waiting()).toHaveLength(sent);
  closeFd(fd);
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
