// Tests of datagrams to a service of this machine, whose end is bound here by the same C library.

import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { connectDatagrams, sendText } from "#ffi/unix-socket.ts";

import { DatagramService } from "../../datagram-service.ts";
import { afterwards, cleanUp, opened, temporaryFolder } from "./rig.ts";

afterEach(cleanUp);

function serviceAt(path: string): DatagramService {
  const service = new DatagramService(path);
  afterwards(() => service.close());
  return service;
}

describe.each(["by path", "by abstract name"])("a service %s", (kind) => {
  test("a datagram arrives whole, and after others", () => {
    const folder = temporaryFolder();
    const path = kind === "by path" ? join(folder, "socket") : `@${folder}/socket`;
    const service = serviceAt(path);
    const fd = opened(connectDatagrams(path));
    expect(sendText(fd, "READY=1\nSTATUS=größer")).toBe(23);
    expect(sendText(fd, "WATCHDOG=1")).toBe(10);
    expect(service.receive()).toBe("READY=1\nSTATUS=größer");
    expect(service.receive()).toBe("WATCHDOG=1");
    expect(service.receive()).toBeUndefined();
  });
});

test("a service that is not there, or has too long a name, is −errno; nothing stays open", () => {
  const folder = temporaryFolder();
  expect(connectDatagrams(join(folder, "nobody"))).toBe(-Errno.ENOENT);
  expect(connectDatagrams(`/${"x".repeat(108)}`)).toBe(-Errno.ENAMETOOLONG);
});

test("a reader that does not read is not waited for", () => {
  const path = join(temporaryFolder(), "socket");
  serviceAt(path);
  const fd = opened(connectDatagrams(path));
  let result = 0;
  for (let sent = 0; sent < 100_000 && result >= 0; sent += 1) result = sendText(fd, "more");
  expect(result).toBe(-Errno.EAGAIN);
});
