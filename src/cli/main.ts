// The command line's commands (cli layer): argv in, exit code out.
// Every failure ends with a remedy on standard error.

import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { type CommandDef, defineCommand, type ParsedArgs, runCommand } from "citty";

import type { Config } from "#config/config.ts";
import { explainedRows, explainSettings } from "#config/explain.ts";
import { initialConfig } from "#config/initial.ts";
import { renderProblem } from "#config/problem.ts";
import { resolveListeners } from "#config/settings-listeners.ts";
import { resolveSettings } from "#config/settings.ts";
import { takeSockets } from "#io/activation.ts";
import { kernelReport } from "#io/kernel-report.ts";
import type { StartFault } from "#io/start.ts";
import { takePredecessor } from "#supervisor/bequest.ts";
import { enter } from "#supervisor/entry.ts";
import { takeHeritage } from "#supervisor/heritage.ts";
import type { Program } from "#supervisor/reach.ts";
import { type Host, serve } from "#supervisor/supervisor.ts";
import { tellRefusal } from "#supervisor/takeover.ts";

import { adminCommandOf } from "./admin-flags.ts";
import { adminMain } from "./admin.ts";
import { benchMain } from "./bench.ts";
import { clientCommandOf } from "./client-flags.ts";
import { clientMain } from "./client.ts";
import { CONFIG_FILE_DEFAULT, configure, rereader, thisMachine } from "./configuration.ts";
import { complain, errorCode, ExitCode, failureText, show } from "./exit.ts";
import { explainRequest } from "./explain-request.ts";
import { type CommandName, commands, flags, readCommandLine } from "./flags.ts";
import { helpText } from "./help.ts";
import { importCommand, type ImportFlags } from "./import.ts";
import { commit, version } from "./version.ts";

type Flags = ParsedArgs<typeof flags>;

/** The modules that threads run. */
type WorkerUrls = Pick<Host, "workerUrl" | "diskWorkerUrl">;

/** Runs the command that `argv` asks for. Resolves to the exit code. */
export async function main(argv: readonly string[], workerUrls: WorkerUrls): Promise<number> {
  if (argv[0] === "bench") return benchMain(argv.slice(1));
  const clientCommand = clientCommandOf(argv);
  if (clientCommand !== undefined) return clientMain(clientCommand, argv);
  const adminCommand = adminCommandOf(argv);
  if (adminCommand !== undefined) return adminMain(adminCommand, argv.slice(1));
  const invocation = readCommandLine(argv);
  if ("fault" in invocation) {
    complain(failureText(invocation.fault, invocation.remedy));
    return ExitCode.usage;
  }
  const bodies: Readonly<Record<CommandName, (given: Flags) => number | Promise<number>>> = {
    serve: (given) => serveCommand(given, workerUrls),
    check: (given) => checkCommand(given, invocation.operands),
    probe: probeCommand,
    import: (given) => importCommand(invocation.operands, importFlags(given)),
    help: helpCommand,
  };
  const command = commandOf(invocation.command, bodies[invocation.command]);
  const { result } = await runCommand(command, { rawArgs: invocation.rawArgs });
  return result as number;
}

/** A citty command whose result is its exit code; the flags that replace any command are answered first. */
function commandOf(
  name: CommandName,
  body: (given: Flags) => number | Promise<number>,
): CommandDef<typeof flags> {
  return defineCommand({
    meta: { name, description: commands[name] },
    args: flags,
    run({ args }) {
      if (args.help) return helpCommand();
      if (args.version) return versionCommand();
      if (args["init-config"]) return initCommand(args.config ?? CONFIG_FILE_DEFAULT);
      return body(args);
    },
  });
}

async function serveCommand(given: Flags, workerUrls: WorkerUrls): Promise<number> {
  if (given["check-config"]) return checkCommand(given, []);
  const flagsGiven = configFlags(given);
  const inherited = takeHeritage(process.env, process.pid);
  const predecessor = inherited?.predecessor ?? takePredecessor(process.env);
  const failed = ({ fault, remedy }: StartFault): number => {
    if (predecessor !== undefined) tellRefusal(predecessor, fault);
    complain(failureText(fault, remedy));
    return ExitCode.system;
  };
  const configured = configure(flagsGiven);
  if ("exitCode" in configured) {
    if (predecessor !== undefined) tellRefusal(predecessor, configured.texts.join("\n"));
    for (const text of configured.texts) complain(text);
    return configured.exitCode;
  }
  const { config, findings } = configured;
  const handed =
    predecessor === undefined
      ? takeSockets(process.env, process.pid, resolveListeners(config, 1))
      : { sockets: predecessor.sockets, unused: [] };
  if ("fault" in handed) return failed(handed);
  for (const socket of handed.unused) complain(unusedText(socket));
  const socketsGiven = inherited?.sockets.shards.length ?? handed.sockets[0]?.fds.length;
  const machine = { ...thisMachine(), socketsGiven };
  const settings = resolveSettings(config, machine);
  const heritage =
    inherited ??
    enter(settings, programOf(given, workerUrls), handed.sockets, predecessor, complain);
  if ("fault" in heritage) return failed(heritage);
  // Whoever went before in this process kept quiet about these.
  for (const finding of findings) {
    if (finding.severity === "warning") complain(renderProblem(finding));
  }
  const ending = await serve(
    { config, settings },
    {
      version,
      ...workerUrls,
      heritage,
      isMulticastAsked: config.multicast.enabled,
      configFile: configured.file ?? "",
      explain: (inForce) => explainedRows(inForce, machine),
      reread: rereader(flagsGiven, configured, machine),
      show,
    },
  );
  if (ending.fault === "") return ExitCode.ok;
  if (predecessor !== undefined) tellRefusal(predecessor, ending.fault);
  complain(failureText(ending.fault, ending.remedy));
  return "isFailure" in ending ? ExitCode.internal : ExitCode.system;
}

/** In the words of a warning of the configuration. */
function unusedText(socket: string): string {
  return `warning: the service manager handed over a socket that no listener reads: ${socket}\nhelp: write the name of a [[listener]] in FileDescriptorName=, or take the socket out of its unit`;
}

/** Where this program lies: in one file, or in its sources with the runtime elsewhere. */
function programOf(given: Flags, { workerUrl }: WorkerUrls): Program {
  const isOneFile = workerUrl.pathname.startsWith("/$bunfs/");
  return {
    path: process.execPath,
    sources: isOneFile ? undefined : fileURLToPath(new URL("../..", workerUrl)),
    configuration: resolve(given.config ?? CONFIG_FILE_DEFAULT),
  };
}

/** Prints what the configuration resolves to, with reasons, then what deserves attention. */
function checkCommand(given: Flags, operands: readonly string[]): number {
  const [name] = operands;
  if (name !== undefined && !(given.explain ?? false)) {
    complain(
      failureText(`unexpected argument ${name}`, "write --explain to ask what becomes of it"),
    );
    return ExitCode.usage;
  }
  const configured = configure(configFlags(given));
  if ("exitCode" in configured) {
    for (const text of configured.texts) complain(text);
    return configured.exitCode;
  }
  if (given.explain ?? false) return explainCommand(given, configured.config, name);
  show(`file        ${configured.source}`);
  for (const line of explainSettings(configured.config, thisMachine())) show(line);
  for (const finding of configured.findings) show(renderProblem(finding));
  const warnings = configured.findings.filter(({ severity }) => severity === "warning").length;
  show(
    warnings === 0
      ? "the configuration is good"
      : `the configuration serves; warnings: ${warnings}`,
  );
  return ExitCode.ok;
}

/** Prints what the rules make of one request. */
function explainCommand(given: Flags, config: Config, name: string | undefined): number {
  const settings = resolveSettings(config, thisMachine());
  const lines = explainRequest(settings, { ...given, name, isWrite: given.write ?? false });
  if ("fault" in lines) {
    complain(failureText(lines.fault, lines.remedy));
    return ExitCode.usage;
  }
  for (const line of lines) show(line);
  return ExitCode.ok;
}

function probeCommand(): number {
  for (const line of kernelReport()) show(line);
  return ExitCode.ok;
}

function helpCommand(): number {
  show(helpText(version));
  return ExitCode.ok;
}

function versionCommand(): number {
  show(
    `snow-owl-tftp ${version} (${commit}), bun ${Bun.version}, ${process.platform}-${process.arch}`,
  );
  return ExitCode.ok;
}

/** Writes the commented defaults to `file`. An existing file is an administrator's work and stays as it is. */
function initCommand(file: string): number {
  if (file === "-") {
    show(initialConfig().trimEnd());
    return ExitCode.ok;
  }
  if (existsSync(file)) {
    const remedy = "give another name with --config, or print the defaults with --config -";
    complain(failureText(`${file} exists and is not overwritten`, remedy));
    return ExitCode.configuration;
  }
  try {
    writeFileSync(file, initialConfig(), { flag: "wx" });
  } catch (cause) {
    const code = errorCode(cause);
    const first = code === "ENOENT" ? "create its folder" : "write it as a user who may";
    const remedy = `${first}, or give another name with --config FILE`;
    complain(failureText(`cannot write ${file}: ${code}`, remedy));
    return ExitCode.system;
  }
  show(`wrote ${file}; next: snow-owl-tftp check --config ${file}`);
  return ExitCode.ok;
}

function configFlags(given: Flags): Parameters<typeof configure>[0] {
  return { ...given, "create-root-dir": given["create-root-dir"] ?? false };
}

function importFlags(given: Flags): ImportFlags {
  return { "map-file": given["map-file"], pcre: given.pcre };
}
