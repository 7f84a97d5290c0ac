// What a server says when it begins to read requests (supervisor layer): the banner for whoever has started it, and events for whoever
// reads the log.

import type { Settings } from "#config/settings.ts";
import type { SocketSet } from "#io/sockets.ts";

import { type BannerFacts, bannerText, exampleFileOf } from "./banner.ts";
import type { Log } from "./log.ts";

/** What is known of the process. */
interface Announcer {
  readonly version: string;
  readonly configFile: string;
  readonly isMulticastAsked: boolean;
  /** Shows a text to whoever started the server. */
  readonly show: (text: string) => void;
}

/** Says where it serves, how fast, and what it has given up. */
export function announce(
  settings: Settings,
  host: Announcer,
  sockets: SocketSet,
  { fastPaths, measures }: Pick<BannerFacts, "fastPaths" | "measures">,
  log: Log,
): void {
  for (const { address, isAwaited } of sockets.listeners) {
    if (isAwaited) log.event("address_awaited", "warn", { bind_addr: address });
  }
  if (settings.log.format === "text") {
    host.show(
      bannerText({
        version: host.version,
        rootDir: settings.rootDir,
        listeners: sockets.listeners,
        workers: settings.workers,
        fastPaths,
        measures,
        uploads: settings.uploads.isEnabled ? settings.uploads : undefined,
        exampleFile: exampleFileOf(settings.rootDir),
      }),
    );
    // On a terminal the banner is the start's line; a file needs one of its own.
    if (settings.log.target.kind === "output" && settings.log.auditTarget === undefined) return;
  }
  log.event("configuration_loaded", "info", { config_file: host.configFile, generation: 0 });
  log.event("server_started", "info", {
    bind_addr: sockets.listeners.map(({ address }) => address).join(", "),
    root_dir: settings.rootDir,
    multicast_enabled: host.isMulticastAsked,
    version: host.version,
    workers: settings.workers,
    uploads: settings.uploads.isEnabled ? settings.uploads.rootDir : "off",
    ...(settings.log.format === "json" ? { fast_paths: fastPaths, confinement: measures } : {}),
  });
}
