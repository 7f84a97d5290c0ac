// The command bench (cli layer): looks hosts up, runs a load in slices, shows how it goes, listens to signals, and ends with a
// report and an exit code.

import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

import { dialectAsks, optionsOf } from "#client/dialects.ts";
import type { LoadFile, LoadPlan } from "#client/load-contract.ts";
import { Load } from "#client/load.ts";
import { monotonicUs } from "#io/clock.ts";
import { processUsage } from "#io/process-usage.ts";
import { descriptorsMax } from "#io/thread.ts";
import type { Option } from "#protocol/packet.ts";

import { type BenchFile, benchFiles } from "./bench-files.ts";
import { type BenchInvocation, readBenchLine } from "./bench-flags.ts";
import { benchHelpText } from "./bench-help.ts";
import { benchPage } from "./bench-page.ts";
import { type BenchReport, reportOf } from "./bench-report.ts";
import { countSyscalls } from "./bench-syscalls.ts";
import { benchText, liveLine } from "./bench-text.ts";
import { exitCodeOf } from "./client-report.ts";
import { complain, errorCode, ExitCode, failureText, show } from "./exit.ts";
import { Hosts } from "./hosts.ts";
import type { UsageFault } from "./words.ts";

const STDERR = 2;
/** How long the load runs before signals are heard. */
const SLICE_US = 50_000;
/** How often the moving line is drawn: soon enough to be alive, and slow enough to be read. */
const LIVE_US = 250_000;
/** What most Ethernets carry in one packet: 1,500 bytes without the headers of IPv4, UDP and TFTP. */
const BLOCK_BYTES_DEFAULT = 1468;
/** As get asks. */
const WINDOW_BLOCKS_DEFAULT = 16;
/** What get waits for at the most; see Terms. */
const TIMEOUT_US_MAX = 5_000_000;
/** Descriptors that are not sockets of clients. */
const DESCRIPTORS_SPARE = 50;
const signalCodes: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** Runs `bench` with the words behind it. Resolves to the exit code. */
export async function benchMain(argv: readonly string[]): Promise<number> {
  const invocation = readBenchLine(argv);
  if ("fault" in invocation) return refused(invocation, ExitCode.usage);
  if (invocation.given.help) {
    show(benchHelpText());
    return ExitCode.ok;
  }
  const files = benchFiles(invocation);
  if ("fault" in files) return refused(files, ExitCode.usage);
  const { serverPid } = invocation;
  if (serverPid !== undefined && processUsage(serverPid) === undefined) {
    const fault = `there is no process ${serverPid} here`;
    return refused(
      { fault, remedy: "--server-pid is for a server of this machine" },
      ExitCode.usage,
    );
  }
  const path = invocation.given.report;
  // Asked before the load, whose result would be lost.
  const unwritable =
    path === undefined ? undefined : reportFault(path, () => closeSync(openSync(path, "a")));
  if (unwritable !== undefined) return refused(unwritable, ExitCode.cannotCreate);
  const few = tooFewDescriptors(invocation);
  if (few !== undefined) return refused(few, ExitCode.system);
  const found = await loadFiles(invocation, files);
  if ("fault" in found) return refused(found, ExitCode.noHost);
  return run(invocation, files, planOf(invocation, found));
}

function refused({ fault, remedy }: UsageFault, code: number): number {
  complain(failureText(fault, remedy));
  return code;
}

/** Two for each client: the one that transfers, and one that has just ended. */
function tooFewDescriptors({ clients }: BenchInvocation): UsageFault | undefined {
  const needed = 2 * clients + DESCRIPTORS_SPARE;
  const most = descriptorsMax();
  if (most >= needed) return undefined;
  return {
    fault: `${clients} clients may need ${needed} descriptors, and this process may have ${most}`,
    remedy: `ulimit -n ${needed}`,
  };
}

/** The files with the addresses of their servers: of several addresses the first. */
async function loadFiles(
  { given }: BenchInvocation,
  files: readonly BenchFile[],
): Promise<readonly LoadFile[] | UsageFault> {
  const hosts = new Hosts(given.ipv4 ? 4 : given.ipv6 ? 6 : 0);
  const found: LoadFile[] = [];
  for (const { target, numberAt, weight, sha256 } of files) {
    const addresses = await hosts.addressesOf(target.host);
    const address = typeof addresses === "string" ? undefined : addresses[0];
    if (address === undefined) {
      const cause = typeof addresses === "string" ? addresses : "no address of that family";
      return { fault: `${target.host} is not known: ${cause}`, remedy: "write its address" };
    }
    const server = { address, port: target.port ?? 0 };
    found.push({ server, name: target.name, numberAt, weight, sha256, bytes: undefined });
  }
  return found;
}

function planOf(invocation: BenchInvocation, files: readonly LoadFile[]): LoadPlan {
  const { given, clients, requests, durationUs, arrivals, ratePerS, timeoutS } = invocation;
  const { sources, churn, loss, delayUs, seed, putBytes, retries } = invocation;
  const firstTimeoutUs = timeoutS * 1_000_000;
  return {
    direction: given.put ? "put" : "get",
    files,
    asks: asksOf(invocation),
    putBytes: given.put ? putBytes : 0,
    clients,
    sources,
    transfersMax: requests,
    durationUs,
    arrivals,
    ratePerS,
    patience: {
      firstTimeoutUs,
      timeoutUsMax: Math.max(TIMEOUT_US_MAX, firstTimeoutUs),
      repetitionsMax: retries,
    },
    churn,
    churnAt: undefined,
    loss,
    delayUs,
    seed,
  };
}

/** What is asked for: as the dialects do, or as get does; a size that was given goes before theirs. */
function asksOf(invocation: BenchInvocation): readonly (readonly Option[])[] {
  const { dialects, blockBytes, windowBlocks } = invocation;
  const given = {
    ...(blockBytes === undefined ? {} : { blksize: String(blockBytes) }),
    ...(windowBlocks === undefined ? {} : { windowsize: String(windowBlocks) }),
  };
  if (dialects.length > 0) return dialects.map((name) => optionsOf(dialectAsks[name], given));
  const usual = {
    tsize: "0",
    blksize: String(BLOCK_BYTES_DEFAULT),
    windowsize: String(WINDOW_BLOCKS_DEFAULT),
  };
  return [optionsOf(usual, given)];
}

async function run(
  invocation: BenchInvocation,
  files: readonly BenchFile[],
  plan: LoadPlan,
): Promise<number> {
  const { given, serverPid } = invocation;
  const startedAt = new Date();
  const counting =
    serverPid !== undefined && given.syscalls ? await countSyscalls(serverPid) : undefined;
  const serverBefore = serverPid === undefined ? undefined : processUsage(serverPid);
  const clientBefore = processUsage(process.pid);
  const load = new Load(plan);
  const signal = await runToEnd(load, isatty(STDERR) && !given.quiet);
  const clientAfter = processUsage(process.pid);
  const serverAfter = serverPid === undefined ? undefined : processUsage(serverPid);
  const report = reportOf(invocation, files, {
    startedAt,
    figures: load.figures,
    asked: plan.asks.map((asked) => asked.map(({ name, value }) => `${name}=${value}`).join(" ")),
    clientBefore,
    clientAfter,
    serverBefore,
    serverAfter,
    serverSyscalls: await counting?.stop(),
    stopped: signal ?? load.fault,
  });
  load.close();
  show(given.json ? JSON.stringify(report) : benchText(report));
  const path = given.report;
  const unwritten =
    path === undefined
      ? undefined
      : reportFault(path, () => writeFileSync(path, benchPage(report)));
  if (unwritten !== undefined) return refused(unwritten, ExitCode.cannotCreate);
  if (signal !== undefined) return signalCodes[signal] ?? ExitCode.internal;
  return exitCode(load, report);
}

/** Returns the signal that ended it, if one did. */
async function runToEnd(load: Load, isShown: boolean): Promise<string | undefined> {
  let signal: string | undefined;
  const stop = (name: string): void => {
    signal ??= name;
    load.stop();
  };
  for (const name of Object.keys(signalCodes)) process.on(name, stop);
  const startUs = monotonicUs();
  let drawnUs = startUs;
  while (!load.run(monotonicUs() + SLICE_US)) {
    const nowUs = monotonicUs();
    if (isShown && nowUs - drawnUs >= LIVE_US) {
      drawnUs = nowUs;
      const line = liveLine(load.figures, load.active, nowUs - startUs);
      draw(load.isLingering ? "done; listens a moment whether a last ACK was lost" : line);
    }
    // Signals are heard between slices.
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  if (drawnUs > startUs) draw("");
  for (const name of Object.keys(signalCodes)) process.off(name, stop);
  return signal;
}

/** ECMA-48: to the first column, and what stands there goes. */
function draw(line: string): void {
  const columns = process.stderr.columns || 80;
  try {
    writeSync(STDERR, `\r\u001B[K${line.slice(0, columns - 1)}`);
  } catch {
    // Nobody can be told that nobody can be told.
  }
}

/** Does `write` with the report's file; says why it cannot be written. */
function reportFault(path: string, write: () => void): UsageFault | undefined {
  try {
    write();
    return undefined;
  } catch (cause) {
    const fault = `cannot write ${path}: ${errorCode(cause)}`;
    return { fault, remedy: "give another --report FILE.html" };
  }
}

function exitCode(load: Load, report: BenchReport): number {
  const [failure] = load.figures.failures;
  if (failure !== undefined) return exitCodeOf(failure, report.setting.direction);
  return report.stopped === "" ? ExitCode.ok : ExitCode.system;
}
