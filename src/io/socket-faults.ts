// Why a UDP socket cannot be what it shall be (io layer): the kernel's answers, each with a cause and a remedy in words.
// Pure.

import { formatIp, formatPeer, type SocketAddress } from "#ffi/address.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import type { OptionName } from "#ffi/socket.ts";

import type { StartFault } from "./start.ts";

export interface BindFault extends StartFault {
  /** Whether somebody else has the port. */
  readonly isBusy: boolean;
}

/** `socket` has said `result`, −errno. */
export function openFault(result: number, local: SocketAddress): BindFault {
  if (result === -Errno.EAFNOSUPPORT) {
    return {
      fault: `this kernel has no IPv${local.family}, which ${formatPeer(local)} needs`,
      remedy:
        local.family === 6
          ? 'listen on IPv4: bind_addr = "0.0.0.0:69", or --bind 0.0.0.0:69'
          : 'listen on IPv6: bind_addr = "[::]:69", or --bind [::]:69',
      isBusy: false,
    };
  }
  return {
    fault: `a UDP socket could not be opened: ${errnoName(result)}`,
    remedy: "raise the limit on open files (ulimit -n, or LimitNOFILE= in the unit)",
    isBusy: false,
  };
}

/** `setsockopt` has said `result`, −errno. */
export function optionFault(name: OptionName, result: number): BindFault {
  return {
    fault: `the kernel refuses the socket option ${name}: ${errnoName(result)}`,
    remedy: "run `snow-owl-tftp probe` to see what this kernel grants and why",
    isBusy: false,
  };
}

/** `bind` to `local` has said `result`, −errno. */
export function bindFault(result: number, local: SocketAddress): BindFault {
  const where = formatPeer(local);
  const isBusy = result === -Errno.EADDRINUSE;
  return {
    fault: `cannot listen on ${where}: ${bindCause(result)}`,
    remedy: bindRemedy(result, local),
    isBusy,
    mayPass: result === -Errno.EADDRNOTAVAIL,
  };
}

function bindCause(result: number): string {
  switch (result) {
    case -Errno.EACCES:
      return "ports below 1024 need a privilege that this process does not have (EACCES)";
    case -Errno.EADDRINUSE:
      return "another program has that port (EADDRINUSE)";
    case -Errno.EADDRNOTAVAIL:
      return "this machine does not have that address (EADDRNOTAVAIL)";
    case -Errno.EINVAL:
      return "a link-local address needs its interface (EINVAL)";
    default:
      return errnoName(result);
  }
}

function bindRemedy(result: number, local: SocketAddress): string {
  switch (result) {
    case -Errno.EACCES:
      return (
        "run as root, or `setcap cap_net_bind_service=+ep` on the executable, or " +
        "`sysctl net.ipv4.ip_unprivileged_port_start=69`, or choose a higher port with --bind [::]:6969"
      );
    case -Errno.EADDRINUSE:
      return (
        `\`ss -ulpn sport = :${local.port}\` names the program; stop it, ` +
        "or choose another address or port with --bind"
      );
    case -Errno.EADDRNOTAVAIL:
      return (
        "`ip address` lists the addresses of this machine; [::] listens on all of them; " +
        "`freebind = true` in [transfer] does not wait for one that comes later"
      );
    case -Errno.EINVAL:
      return `write the interface behind the address, like [${formatIp(local)}%eth0]:${local.port}`;
    default:
      return "check bind_addr, or give another address with --bind";
  }
}

/** Tying a socket to the interface `name` came to `result`, −errno. */
export function tieFault(result: number, name: string): BindFault {
  return {
    fault: `cannot listen on the interface ${name}: ${tieCause(result)}`,
    remedy: tieRemedy(result),
    isBusy: false,
    mayPass: result === -Errno.ENODEV,
  };
}

function tieCause(result: number): string {
  switch (result) {
    case -Errno.ENODEV:
      return "there is none of that name (ENODEV)";
    case -Errno.EPERM:
      return "this kernel wants a privilege for it (EPERM)";
    default:
      return errnoName(result);
  }
}

function tieRemedy(result: number): string {
  return result === -Errno.EPERM
    ? "run as root, or `setcap cap_net_raw=+ep` on the executable; from Linux 5.7 on it needs none"
    : "`ip link` lists the interfaces; start after it is there, or leave `interface` out";
}
