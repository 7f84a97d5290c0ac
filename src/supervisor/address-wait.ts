// Waiting for addresses (supervisor layer): at boot the server may be there before its network is. A start that fails for an address
// or an interface that is not there is tried again for a while, and says so; whoever waits for the server is told, too.

import type { Settings } from "#config/settings.ts";
import { ServiceManager } from "#io/service-manager.ts";
import { type GivenSockets, openShardSockets, type SocketSet } from "#io/sockets.ts";
import type { StartFault } from "#io/start.ts";

/** How often it is looked for: a guess, soon enough for whoever waits, and no work to speak of. */
const INTERVAL_MS = 250;

/** Opens the sockets when their addresses are there; or the fault when the time is over. `tell` shows a text to whoever starts it. */
export function openWhenThere(
  settings: Settings,
  given: readonly GivenSockets[],
  tell: (text: string) => void,
): SocketSet | StartFault {
  const untilMs = performance.now() + settings.addressWaitMs;
  let manager: ServiceManager | undefined;
  for (;;) {
    const sockets = openShardSockets(settings, settings.workers, given);
    if (!("fault" in sockets) || sockets.mayPass !== true) return sockets;
    if (performance.now() >= untilMs) return sockets;
    if (manager === undefined) {
      const seconds = settings.addressWaitMs / 1000;
      tell(
        `${sockets.fault}; waiting for it, ${seconds} s at the most (transfer.address_wait_secs)`,
      );
    }
    // What it reads it takes away, and the server itself needs it later.
    manager ??= new ServiceManager({ ...process.env }, process.pid);
    // As long as it is waited for, nobody shall think that the start hangs.
    manager.tell({ STATUS: sockets.fault, EXTEND_TIMEOUT_USEC: EXTENSION_US });
    // There is nothing else to do yet, and a signal ends the process by itself.
    Bun.sleepSync(INTERVAL_MS);
  }
}

/** The service manager's patience, anew with every look. */
const EXTENSION_US = 10_000_000;
