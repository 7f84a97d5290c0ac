// Tests of kernel structures and constants against the C headers of this machine, and of error numbers by name.

import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import * as abi from "#ffi/abi.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import { Advice } from "#ffi/file.ts";
import { checked, errno, libc, symbolNames } from "#ffi/libc.ts";
import { socketOptions } from "#ffi/socket.ts";

import { cleanUp, temporaryFolder } from "./rig.ts";

afterEach(cleanUp);

/** Each of our structures by its C name, and the C name of each of its fields. */
const structures: Readonly<Record<string, readonly [object, Readonly<Record<string, string>>]>> = {
  "struct iovec": [abi.Iovec, { base: "iov_base", length: "iov_len" }],
  "struct msghdr": [
    abi.Msghdr,
    {
      name: "msg_name",
      nameLength: "msg_namelen",
      iov: "msg_iov",
      iovLength: "msg_iovlen",
      control: "msg_control",
      controlLength: "msg_controllen",
      flags: "msg_flags",
    },
  ],
  "struct mmsghdr": [abi.Mmsghdr, { header: "msg_hdr", length: "msg_len" }],
  "struct cmsghdr": [abi.Cmsghdr, { length: "cmsg_len", level: "cmsg_level", type: "cmsg_type" }],
  "struct sockaddr_in": [
    abi.SockaddrIn,
    { family: "sin_family", port: "sin_port", address: "sin_addr" },
  ],
  "struct sockaddr_in6": [
    abi.SockaddrIn6,
    {
      family: "sin6_family",
      port: "sin6_port",
      flowInfo: "sin6_flowinfo",
      address: "sin6_addr",
      scopeId: "sin6_scope_id",
    },
  ],
  "struct ucred": [abi.Ucred, { pid: "pid", uid: "uid", gid: "gid" }],
  "struct sockaddr_un": [abi.SockaddrUn, { family: "sun_family", path: "sun_path" }],
  "struct in_pktinfo": [
    abi.InPktinfo,
    { ifindex: "ipi_ifindex", specDst: "ipi_spec_dst", destination: "ipi_addr" },
  ],
  "struct in6_pktinfo": [abi.In6Pktinfo, { address: "ipi6_addr", ifindex: "ipi6_ifindex" }],
  "struct group_req": [abi.GroupReq, { ifindex: "gr_interface", group: "gr_group" }],
  "struct sock_extended_err": [abi.SockExtendedErr, { errno: "ee_errno" }],
  "struct epoll_event": [abi.EpollEvent, { events: "events", token: "data" }],
  "struct timespec": [abi.Timespec, { seconds: "tv_sec", nanoseconds: "tv_nsec" }],
  "struct open_how": [abi.OpenHow, { flags: "flags", mode: "mode", resolve: "resolve" }],
  "struct statx": [
    abi.Statx,
    {
      linkCount: "stx_nlink",
      mode: "stx_mode",
      inode: "stx_ino",
      byteLength: "stx_size",
      changeTime: "stx_ctime",
      modifyTime: "stx_mtime",
      deviceMajor: "stx_dev_major",
      deviceMinor: "stx_dev_minor",
    },
  ],
  "struct stat": [
    abi.Stat,
    {
      device: "st_dev",
      inode: "st_ino",
      linkCount: "st_nlink",
      mode: "st_mode",
      byteLength: "st_size",
      modifyTime: "st_mtim",
      changeTime: "st_ctim",
    },
  ],
  "struct statfs": [abi.Statfs, { type: "f_type" }],
  "struct statvfs": [abi.Statvfs, { fragmentBytes: "f_frsize", freeFragments: "f_bavail" }],
  "struct io_uring_params": [abi.IoUringParams, {}],
  "struct nlmsghdr": [
    abi.Nlmsghdr,
    {
      length: "nlmsg_len",
      type: "nlmsg_type",
      flags: "nlmsg_flags",
      sequence: "nlmsg_seq",
      port: "nlmsg_pid",
    },
  ],
  "struct nlmsgerr": [abi.Nlmsgerr, { error: "error", request: "msg" }],
  "struct ndmsg": [
    abi.Ndmsg,
    {
      family: "ndm_family",
      ifindex: "ndm_ifindex",
      state: "ndm_state",
      flags: "ndm_flags",
      type: "ndm_type",
    },
  ],
  "struct rtattr": [abi.Rtattr, { length: "rta_len", type: "rta_type" }],
  "struct dirent64": [abi.Dirent64, { recordLength: "d_reclen", name: "d_name" }],
  "struct ifreq": [abi.Ifreq, { name: "ifr_name", mtu: "ifr_mtu" }],
};

const HEADERS = [
  "dirent.h",
  "errno.h",
  "fcntl.h",
  "netinet/in.h",
  "netinet/udp.h",
  "sys/epoll.h",
  "sys/socket.h",
  "sys/file.h",
  "sys/stat.h",
  "sys/statvfs.h",
  "sys/vfs.h",
  "sys/syscall.h",
  "sys/uio.h",
  "sys/un.h",
  "time.h",
  "linux/errqueue.h",
  "linux/io_uring.h",
  "linux/magic.h",
  "linux/openat2.h",
  "linux/rtnetlink.h",
  "net/if.h",
  "sys/ioctl.h",
];

/** Constants of ours that have another name in C. */
const constants: Readonly<Record<string, number>> = {
  SYS_fstat: abi.Syscall.fstat,
  SYS_getdents64: abi.Syscall.getdents64,
  SYS_renameat2: abi.Syscall.renameat2,
  SYS_preadv2: abi.Syscall.preadv2,
  SYS_statx: abi.Syscall.statx,
  SYS_io_uring_setup: abi.Syscall.ioUringSetup,
  SYS_openat2: abi.Syscall.openat2,
  SYS_capget: abi.Syscall.capget,
  SYS_capset: abi.Syscall.capset,
  SYS_seccomp: abi.Syscall.seccomp,
  SYS_landlock_create_ruleset: abi.Syscall.landlockCreateRuleset,
  SYS_landlock_add_rule: abi.Syscall.landlockAddRule,
  SYS_landlock_restrict_self: abi.Syscall.landlockRestrictSelf,
  UIO_MAXIOV: abi.IOVECS_MAX,
  POSIX_FADV_NORMAL: Advice.normal,
  POSIX_FADV_RANDOM: Advice.random,
  POSIX_FADV_SEQUENTIAL: Advice.sequential,
  POSIX_FADV_WILLNEED: Advice.willneed,
  POSIX_FADV_DONTNEED: Advice.dontneed,
  "CMSG_SPACE(2)": abi.controlSpace(2),
  "CMSG_SPACE(sizeof(struct in_pktinfo))": abi.controlSpace(abi.InPktinfo.size),
  "CMSG_SPACE(sizeof(struct in6_pktinfo))": abi.controlSpace(abi.In6Pktinfo.size),
  "(long)CMSG_DATA((struct cmsghdr *)0)": abi.Cmsghdr.data,
};

/** Limits that are ours, and are called as we like. */
const OURS: ReadonlySet<string> = new Set([
  "GSO_SEGMENTS_MAX",
  "UDP_PAYLOAD_BYTES_MAX",
  "IOVECS_MAX",
]);

/** Every claim about C that the abi files make: an expression, and the value that we believe it has. */
function claims(): Map<string, number> {
  const expected = new Map<string, number>(Object.entries(constants));
  for (const [type, [layout, fields]] of Object.entries(structures)) {
    for (const [field, offset] of Object.entries(layout) as [string, number][]) {
      const cField = fields[field];
      if (field === "size") expected.set(`sizeof(${type})`, offset);
      else if (cField !== undefined) expected.set(`offsetof(${type}, ${cField})`, offset);
      else expect(`${type} ${field}`).toBe("struct cmsghdr data");
    }
  }
  for (const [name, value] of Object.entries(abi)) {
    if (typeof value === "number" && !OURS.has(name)) expected.set(name, value);
  }
  for (const [name, value] of Object.entries(Errno)) expected.set(name, value);
  for (const [name, { number }] of Object.entries(socketOptions)) expected.set(name, number);
  return expected;
}

test("structures, constants and error numbers are those of the C headers", () => {
  const gcc = Bun.which("gcc");
  if (gcc === null) {
    process.stdout.write("not tested here: there is no gcc to compare structure layouts with\n");
    return;
  }
  const expected = claims();
  const folder = temporaryFolder();
  const includes = HEADERS.map((header) => `#include <${header}>`).join("\n");
  const prints = [...expected.keys()].map((claim) => `printf("%ld\\n", (long)(${claim}));`);
  const source = `#define _GNU_SOURCE\n#include <stddef.h>\n#include <stdio.h>\n${includes}\n
    int main(void) { ${prints.join("\n")} return 0; }`;
  writeFileSync(join(folder, "claims.c"), source);
  const build = Bun.spawnSync([gcc, "-o", join(folder, "claims"), join(folder, "claims.c")]);
  expect(build.stderr.toString()).toBe("");
  const printed = Bun.spawnSync([join(folder, "claims")])
    .stdout.toString()
    .trim()
    .split("\n");
  const actual = Object.fromEntries(
    [...expected.keys()].map((claim, i) => [claim, Number(printed[i])]),
  );
  expect(actual).toEqual(Object.fromEntries(expected));
});

describe("sizes", () => {
  test.each([
    [0, 8, 0],
    [1, 8, 8],
    [8, 8, 8],
    [4097, 4096, 8192],
  ])("%i aligned to %i is %i", (value, alignment, result) => {
    expect(abi.aligned(value, alignment)).toBe(result);
  });
});

describe("errno", () => {
  test("has a name in either sign, and a number where it has none", () => {
    expect(errnoName(Errno.ENOENT)).toBe("ENOENT");
    expect(errnoName(-Errno.ENOENT)).toBe("ENOENT");
    expect(errnoName(-4000)).toBe("errno 4000");
  });

  test("is that of the call that just failed", () => {
    expect(checked(libc.close(-1))).toBe(-Errno.EBADF);
    expect(errno()).toBe(Errno.EBADF);
    expect(checked(libc.epoll_create1(-1))).toBe(-Errno.EINVAL);
    expect(checked(0)).toBe(0);
  });

  test("every symbol is bound once, to a function", () => {
    expect(new Set(symbolNames).size).toBe(symbolNames.length);
    for (const name of symbolNames) expect(libc[name as keyof typeof libc]).toBeFunction();
  });
});
