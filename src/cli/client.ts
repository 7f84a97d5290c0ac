// The commands get and put (cli layer): looks hosts up, runs the client's loop in slices, draws, listens to signals, and ends
// with a report of each file and an exit code.

import { realpathSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { isatty } from "node:tty";

import { Client } from "#client/client.ts";
import type { Ending, Job, Trace } from "#client/contract.ts";
import { monotonicUs } from "#io/clock.ts";

import { type ClientCommandName, type ClientInvocation, readClientLine } from "./client-flags.ts";
import { clientHelpText } from "./client-help.ts";
import { type Wanted, wantedFiles } from "./client-names.ts";
import {
  exitCodeOf,
  type FileReport,
  reportJson,
  reportLine,
  reportWithout,
  sha256Line,
} from "./client-report.ts";
import { complain, errorCode, ExitCode, failureText, show } from "./exit.ts";
import { Hosts } from "./hosts.ts";
import { ProgressView } from "./progress.ts";
import { ResumeList, sha256Of } from "./resume-list.ts";

const STDERR = 2;
/** How long the loop runs before signals are heard and bars are drawn. */
const SLICE_US = 50_000;
/** 128 and the signal's number, as shells say it. */
const signalCodes: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** Runs `get` or `put` with the words of `argv`. Resolves to the exit code. */
export async function clientMain(
  command: ClientCommandName,
  argv: readonly string[],
): Promise<number> {
  const invocation = readClientLine(command, argv);
  if ("fault" in invocation) return usageFault(invocation);
  if (invocation.given.help) {
    show(clientHelpText());
    return ExitCode.ok;
  }
  const wanted = wantedFiles(invocation);
  if ("fault" in wanted) return usageFault(wanted);
  const conflict = conflictOf(invocation, wanted);
  if (conflict !== undefined) return usageFault(conflict);
  const list = resumeListOf(invocation);
  if (typeof list === "string") {
    complain(list);
    return ExitCode.system;
  }
  return new Run(invocation, list).run(wanted);
}

function usageFault({
  fault,
  remedy,
}: {
  readonly fault: string;
  readonly remedy: string;
}): number {
  complain(failureText(fault, remedy));
  return ExitCode.usage;
}

/** Flags that each make sense, but not together. */
function conflictOf(
  { given, command }: ClientInvocation,
  wanted: readonly Wanted[],
): { readonly fault: string; readonly remedy: string } | undefined {
  const isOutput = wanted.some(
    ({ path, destination }) => destination !== undefined && path === "-",
  );
  const isTold = given.json || given.sha256;
  if (isOutput && isTold) {
    return {
      fault: "-o - and a report on standard output",
      remedy: "leave out --json and --sha256, or -o -",
    };
  }
  if (given["expect-sha256"] === undefined) return undefined;
  if (command === "get" && wanted.length === 1) return undefined;
  return { fault: "--expect-sha256 is for one file to get", remedy: "get the files one by one" };
}

function resumeListOf({ given }: ClientInvocation): ResumeList | string | undefined {
  const path = given["resume-list"];
  if (path === undefined) return undefined;
  try {
    return new ResumeList(path);
  } catch (cause) {
    return failureText(
      `cannot read ${path}: ${errorCode(cause)}`,
      "give another file with --resume-list",
    );
  }
}

/** One run of the command. */
class Run {
  readonly #invocation: ClientInvocation;
  readonly #list: ResumeList | undefined;
  readonly #view: ProgressView | undefined;
  readonly #startsMs: number[] = [];
  #exitCode: number = ExitCode.ok;
  #signal: string | undefined;

  constructor(invocation: ClientInvocation, list: ResumeList | undefined) {
    const { quiet, trace, json } = invocation.given;
    this.#invocation = invocation;
    this.#list = list;
    const isShown = !quiet && !trace && (!json || isatty(STDERR));
    if (isShown) this.#view = new ProgressView(writeError, columnsOf(), performance.now());
  }

  async run(wanted: readonly Wanted[]): Promise<number> {
    const missing = wanted.filter((each) => !this.#isComplete(each));
    const jobs: Job[] = [];
    const ofJob: Wanted[] = [];
    const hosts = new Hosts(this.#invocation.given.ipv4 ? 4 : this.#invocation.given.ipv6 ? 6 : 0);
    for (const each of missing) {
      const job = await this.#jobOf(each, hosts);
      if (job === undefined) continue;
      jobs.push(job);
      ofJob.push(each);
    }
    if (jobs.length > 0) await this.#transfer(jobs, ofJob);
    return this.#signal === undefined
      ? this.#exitCode
      : (signalCodes[this.#signal] ?? ExitCode.internal);
  }

  async #transfer(jobs: readonly Job[], wanted: readonly Wanted[]): Promise<void> {
    const { terms, parallel, given } = this.#invocation;
    const listener = {
      handleStart: (job: number) => void (this.#startsMs[job] = performance.now()),
      handleEnd: (job: number, ending: Ending) => this.#handleEnd(wanted[job], ending),
    };
    const client = new Client(jobs, terms, parallel, listener, given.trace ? tracer() : undefined);
    const cancel = (signal: string): void => {
      this.#signal ??= signal;
      client.cancel();
    };
    for (const signal of Object.keys(signalCodes)) process.on(signal, cancel);
    while (!client.run(monotonicUs() + SLICE_US)) {
      this.#draw(client, wanted);
      // Signals are heard between slices.
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    this.#view?.clear();
    for (const signal of Object.keys(signalCodes)) process.off(signal, cancel);
    client.close();
  }

  #isComplete(wanted: Wanted): boolean {
    if (this.#list?.isComplete(wanted.url, resolve(wanted.path)) !== true) return false;
    this.#report(reportWithout(wanted));
    return true;
  }

  /** The job that fetches or sends `wanted`; undefined where its host is not known, which is reported. */
  async #jobOf(wanted: Wanted, hosts: Hosts): Promise<Job | undefined> {
    const { host, port, name, mode } = wanted.target;
    const addresses = await hosts.addressesOf(host);
    if (typeof addresses === "string") {
      const text = `the host ${host} is not known (${addresses})`;
      this.#report(reportWithout(wanted, { cause: "unknown-host", text }));
      return undefined;
    }
    const { given } = this.#invocation;
    const servers = addresses.map((address) => ({ address, port: port ?? this.#invocation.port }));
    const shared = { servers, name, mode: mode ?? this.#invocation.mode };
    const { destination } = wanted;
    if (destination === undefined) return { ...shared, kind: "put", path: realPath(wanted.path) };
    const isHashed = given.sha256 || this.#list !== undefined;
    const sha256 = given["expect-sha256"]?.toLowerCase();
    return { ...shared, kind: "get", destination, isHashed, sha256 };
  }

  #handleEnd(wanted: Wanted | undefined, ending: Ending): void {
    if (wanted === undefined) return;
    const isHashWanted = this.#invocation.given.sha256 || this.#list !== undefined;
    // What came was hashed on its way; what went is still here.
    const isHashDue = isHashWanted && ending.failure === undefined && ending.sha256 === "";
    const sha256 = isHashDue ? sha256Of(wanted.path) : ending.sha256;
    this.#report({ ...ending, sha256, wanted, isSkipped: false });
  }

  #report(report: FileReport): void {
    const { given, command } = this.#invocation;
    const { failure } = report;
    this.#view?.clear();
    if (failure !== undefined) {
      if (this.#exitCode === ExitCode.ok) this.#exitCode = exitCodeOf(failure, command);
      complain(reportLine(report, false));
    } else if (!given.quiet && !given.json) {
      complain(reportLine(report, given.verbose ?? false));
    }
    if (given.json) show(reportJson(command, report));
    if (given.sha256 && !given.json && report.sha256 !== "") show(sha256Line(report));
    if (failure === undefined && !report.isSkipped) this.#note(report);
  }

  #note({ wanted, bytes, sha256 }: FileReport): void {
    try {
      this.#list?.add({ url: wanted.url, file: resolve(wanted.path), bytes, sha256 });
    } catch (cause) {
      complain(
        failureText(`cannot add to the list: ${errorCode(cause)}`, "it says less than is complete"),
      );
    }
  }

  #draw(client: Client, wanted: readonly Wanted[]): void {
    const moving = client.progress.map(({ job, progress }) => ({
      name: wanted[job]?.path ?? "",
      progress,
      startMs: this.#startsMs[job] ?? 0,
    }));
    this.#view?.draw(moving, performance.now());
  }
}

/** The file itself where `path` is a symlink; a path that is not there stays as it is, and is told when it is opened. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** The width of the terminal on standard error, asked anew each time; undefined where there is none. */
function columnsOf(): (() => number) | undefined {
  return isatty(STDERR) ? () => process.stderr.columns || 80 : undefined;
}

function writeError(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // Nobody can be told that nobody can be told.
  }
}

/** Prints packets as tcpdump does: the time of day, the time since the packet before, and the packet. */
function tracer(): Trace {
  let beforeUs = Math.floor(performance.now() * 1000);
  return (direction, peer, packet) => {
    const nowUs = Math.floor(performance.now() * 1000);
    const clockUs = Math.floor(performance.timeOrigin * 1000) + nowUs;
    const clock = new Date(clockUs / 1000).toTimeString().slice(0, 8);
    const fraction = String(clockUs % 1_000_000).padStart(6, "0");
    const sinceS = ((nowUs - beforeUs) / 1e6).toFixed(6);
    beforeUs = nowUs;
    complain(`${clock}.${fraction} +${sinceS} ${direction} ${peer} ${packet}`);
  };
}
