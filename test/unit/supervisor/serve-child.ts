// Runs the supervisor with stand-ins for shards, as a process that a test can signal: serve-child.ts ROOT PORT DRAIN_MS FORMAT
// [SCRIPT]. A script is what a hook runs after each upload.

import { defaults } from "#config/config.ts";
import { resolveSettings, type Settings } from "#config/settings.ts";
import { serve } from "#supervisor/supervisor.ts";

import { listenerAt } from "../../listener.ts";

const [rootDir = "", port = "0", drainMs = "0", format = "text", script] = process.argv.slice(2);
const settings = resolveSettings(defaults, { cores: 2, memoryBytes: 1e9 });
const adjusted: Settings = {
  ...settings,
  rootDir,
  drainMs: Number(drainMs),
  hooks:
    script === undefined
      ? []
      : [
          {
            events: ["upload"],
            pattern: "*",
            action: { kind: "command", argv: ["/bin/sh", "-c", script] },
            timeoutMs: 60_000,
            retries: 0,
          },
        ],
  listeners: [listenerAt({ address: "127.0.0.1", port: Number(port) })],
  log: { ...settings.log, format: format === "json" ? "json" : "text" },
};
const ending = await serve(
  { config: defaults, settings: adjusted },
  {
    version: "0.0.0",
    workerUrl: new URL("fake-worker.ts", import.meta.url),
    diskWorkerUrl: new URL("../../../src/storage/disk-worker.ts", import.meta.url),
    isMulticastAsked: false,
    configFile: "tftp.toml",
    explain: () => [],
    reread: (config) => ({ config, settings: adjusted, changed: [], kept: [], warnings: [] }),
    show: (text) => process.stdout.write(`${text}\n`),
  },
);
if (ending.fault !== "") process.stderr.write(`${ending.fault}\n${ending.remedy}\n`);
process.exit(ending.fault === "" ? 0 : 70);
