// A listener as settings have it, for tests that open sockets without a configuration file.

import type { ListenerSettings } from "#config/settings-listeners.ts";

/** The only one: without a name, on no interface, with four transfer sockets per worker, but for `changes`. */
export function listenerAt(
  listen: ListenerSettings["listen"],
  changes: Partial<ListenerSettings> = {},
): ListenerSettings {
  return {
    name: "",
    listen,
    interface: undefined,
    singlePort: false,
    portRange: undefined,
    transferSockets: 4,
    ...changes,
  };
}
