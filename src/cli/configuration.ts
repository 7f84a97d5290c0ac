// From flags to a configuration that can run (cli layer): reads the file, lays flags over it, validates, and collects every
// problem on the way so that one run shows them all.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { isAbsolute, resolve } from "node:path";

import { type Config, defaults } from "#config/config.ts";
import { hostFiles } from "#config/files.ts";
import { loadConfig, type Loaded } from "#config/load.ts";
import { applyOverrides } from "#config/overrides.ts";
import { type Problem, renderProblem } from "#config/problem.ts";
import { reconcile } from "#config/reconcile.ts";
import { uploadRoot } from "#config/settings-uploads.ts";
import { type Machine, resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";
import type { Reread } from "#supervisor/reload.ts";

import { errorCode, ExitCode, failureText } from "./exit.ts";

/** Where Snow-Owl looks when no file is named. That file need not exist. */
export const CONFIG_FILE_DEFAULT = "/etc/snow-owl/tftp.toml";

/** The flags that matter to the configuration, as typed. */
export interface ConfigFlags {
  readonly config: string | undefined;
  readonly "root-dir": string | undefined;
  readonly bind: string | undefined;
  readonly "create-root-dir": boolean;
  readonly multicast: string | undefined;
  readonly "multicast-addr": string | undefined;
  readonly "multicast-ip-version": string | undefined;
  readonly "multicast-port": string | undefined;
  readonly "max-clients": string | undefined;
  readonly "master-timeout-secs": string | undefined;
  readonly "retransmit-timeout-secs": string | undefined;
}

/** A configuration that can run, or texts that say why there is none. */
export type Configured =
  | {
      readonly config: Config;
      /** The file that was read; undefined if there was none. */
      readonly file: string | undefined;
      readonly source: string;
      readonly findings: readonly Problem[];
    }
  | { readonly exitCode: number; readonly texts: readonly string[] };

/**
 * Reads, overrides and validates. Creates the root folder where that was asked for. A file that is named, or of which `wasThere`
 * says that it was there before, must exist.
 */
export function configure(flags: ConfigFlags, wasThere = false): Configured {
  const file = flags.config ?? CONFIG_FILE_DEFAULT;
  const loaded = loadFile(file, flags.config !== undefined || wasThere);
  if ("exitCode" in loaded) return loaded;
  if (loaded.config === undefined) return problemsOf(loaded.problems, loaded.warnings);
  const overridden = applyOverrides(loaded.config, {
    root_dir: flags["root-dir"] === undefined ? undefined : resolve(flags["root-dir"]),
    bind_addr: flags.bind,
    multicast: flags.multicast,
    multicast_addr: flags["multicast-addr"],
    multicast_ip_version: flags["multicast-ip-version"],
    multicast_port: flags["multicast-port"],
    max_clients: flags["max-clients"],
    master_timeout_secs: flags["master-timeout-secs"],
    retransmit_timeout_secs: flags["retransmit-timeout-secs"],
  });
  const remarks = [...loaded.warnings, ...overridden.warnings];
  const { config } = overridden;
  if (config === undefined) return problemsOf(overridden.problems, remarks);
  if (flags["create-root-dir"]) {
    const failure = createRoots(config);
    if (failure !== undefined) return { exitCode: ExitCode.system, texts: [failure] };
  }
  const isThere = existsSync(file);
  const place = isThere ? file : "no configuration file";
  const findings = [...remarks, ...validateConfig(config, hostFiles, place)];
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return problemsOf(errors, remarks);
  return {
    config,
    file: isThere ? file : undefined,
    source: isThere ? file : `none (${file} does not exist): defaults`,
    findings,
  };
}

/**
 * The way to read everything again for a reload. `file` is what the start has read. The machine is taken as it was then, or
 * what was built for it would not fit.
 */
export function rereader(
  flags: ConfigFlags,
  { file }: { readonly file: string | undefined },
  machine: Machine,
): (inForce: Config) => Reread {
  return (inForce) => {
    const configured = configure(flags, file !== undefined);
    if ("exitCode" in configured) return { problem: configured.texts.join("\n") };
    const { config, changed, kept } = reconcile(inForce, configured.config);
    const warnings = configured.findings.filter(({ severity }) => severity === "warning");
    const settings = resolveSettings(config, machine);
    return { config, settings, changed, kept, warnings: warnings.map(renderProblem) };
  };
}

/** This machine, as far as defaults depend on it. */
export function thisMachine(): Machine {
  // A container's limit, where there is one; 0 or the whole memory where there is none.
  const limitBytes = process.constrainedMemory();
  const memoryBytes = limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem();
  return { cores: availableParallelism(), memoryBytes };
}

function loadFile(
  file: string,
  isNamed: boolean,
): Loaded | { readonly exitCode: number; readonly texts: readonly string[] } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const code = errorCode(cause);
    if (code === "ENOENT" && !isNamed) return { config: defaults, problems: [], warnings: [] };
    const fault = `cannot read the configuration file ${file}: ${code}`;
    const remedy =
      code === "ENOENT"
        ? `check the path, or write a first one: snow-owl-tftp --init-config --config ${file}`
        : `make it a file that this user may read: ls -l ${file}`;
    return { exitCode: ExitCode.configuration, texts: [failureText(fault, remedy)] };
  }
  return loadConfig(text, file);
}

/** Creates the served folder, and where there are uploads, theirs. What is wrong with a path itself is validation's to say. */
function createRoots(config: Config): string | undefined {
  const paths = new Set([config.root_dir]);
  if (config.write_config.enabled) paths.add(uploadRoot(config));
  for (const path of paths) {
    if (!isAbsolute(path)) continue;
    try {
      mkdirSync(path, { recursive: true });
    } catch (cause) {
      return failureText(
        `cannot create the root folder ${path}: ${errorCode(cause)}`,
        "create it as a user who may, or name another in the configuration or with --root-dir",
      );
    }
  }
  return undefined;
}

/** Errors last: what stopped the start stands next to the prompt. */
function problemsOf(errors: readonly Problem[], remarks: readonly Problem[]): Configured {
  const warnings = remarks.filter(({ severity }) => severity === "warning");
  const texts = [...warnings, ...errors].map(renderProblem);
  return { exitCode: ExitCode.configuration, texts };
}
