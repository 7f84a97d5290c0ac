// Sockets that the service manager has opened (io layer), by the protocol of sd_listen_fds(3): so the server needs no privilege
// for its port, and requests wait in the socket while it restarts.

import { SOCK_DGRAM } from "#ffi/abi.ts";
import { formatPeer } from "#ffi/address.ts";
import { readOption, socketName } from "#ffi/socket.ts";

import type { GivenSockets } from "./sockets.ts";
import type { StartFault } from "./start.ts";

/** The name of the sockets that are ours where the manager gives names to several (FileDescriptorName=). */
const NAME = "tftp";
/** SD_LISTEN_FDS_START, sd-daemon.h: the standard streams stand before. */
const FIRST_FD = 3;

/**
 * The service sockets that were handed to the process `pid`: those called `tftp`, or all where none is called so. Empty if there
 * are none. The variables are removed, for they concern nobody else.
 */
export function takeSockets(
  environment: NodeJS.ProcessEnv,
  pid: number,
): readonly GivenSockets[] | StartFault {
  const { LISTEN_PID: heir, LISTEN_FDS: count, LISTEN_FDNAMES: names = "" } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  if (Number(heir) !== pid || !(Number(count) > 0)) return [];
  const all = Array.from({ length: Number(count) || 0 }, (_, index) => FIRST_FD + index);
  const named = all.filter((_, index) => names.split(":")[index] === NAME);
  const ours = named.length > 0 ? named : all;
  const addresses = new Set<string>();
  for (const fd of ours) {
    const name = socketName(fd);
    if (typeof name === "number" || readOption(fd, "SO_TYPE") !== SOCK_DGRAM) {
      return {
        fault: `descriptor ${fd}, which the service manager handed over, is no UDP socket`,
        remedy: `write ListenDatagram= in the socket unit, or FileDescriptorName=${NAME} in the one that is for TFTP`,
      };
    }
    addresses.add(formatPeer(name));
  }
  if (addresses.size <= 1) return [{ place: undefined, fds: ours }];
  return {
    fault: `the service manager handed over sockets of several addresses: ${[...addresses].join(", ")}`,
    remedy: "write one address in ListenDatagram=; [::]:69 takes IPv6 and IPv4",
  };
}
