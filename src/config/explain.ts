// The settings in words (config layer): what a configuration resolves to on this machine, and why. Printed by
// `check`; each line is a name, a value and, where there was a choice, the reason.

import { unreachable } from "#base/assert.ts";

import { formatListen } from "./address.ts";
import type { Config } from "./config.ts";
import { explainHooks } from "./explain-hooks.ts";
import { explainLimits } from "./explain-limits.ts";
import { explainListeners, explainPorts } from "./explain-listeners.ts";
import { explainPolicy } from "./explain-policy.ts";
import { explainProcess } from "./explain-process.ts";
import { explainUploads } from "./explain-uploads.ts";
import { formatBytes, formatSpan } from "./format.ts";
import {
  blockBytesMax,
  cacheBytesMax,
  type LogTarget,
  type Machine,
  resolveSettings,
  type Settings,
  spinUs,
  uploadBytesMax,
  windowBlocksMax,
  workerCount,
} from "./settings.ts";

/** Lines such as `workers       2 (all cores)`, names padded to one width. */
export function explainSettings(config: Config, machine: Machine): readonly string[] {
  const rows = explainedRows(config, machine);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Names and values. A name that belongs to the one above is indented. */
export function explainedRows(
  config: Config,
  machine: Machine,
): readonly (readonly [string, string])[] {
  const settings = resolveSettings(config, machine);
  const workers = workerCount(config, machine);
  const block = blockBytesMax(config);
  const window = windowBlocksMax(config);
  const spin = spinUs(config);
  const cache = cacheBytesMax(config, machine);
  return [
    ...explainListeners(settings.listeners),
    ["root", settings.rootDir],
    ["names", describeLookup(settings)],
    ...explainPolicy(settings.policy),
    [
      "file size",
      settings.fileBytesMax === 0 ? "unlimited" : upTo(formatBytes(settings.fileBytesMax)),
    ],
    ["workers", `${workers.value} (${workers.reason})${settings.workerAffinity ? ", pinned" : ""}`],
    ...explainPorts(settings.listeners, config),
    [
      "block size",
      `${upTo(`${block.value} bytes`)} (${block.reason}), ${settings.clampsToMtu ? "and what the interface's MTU holds (mtu_clamp), " : ""}512 unless asked`,
    ],
    [
      "window",
      `${upTo(`${window.value} blocks`)} (${window.reason}) and ${formatBytes(settings.windowBytesMax)}, 1 unless asked${settings.isPaced ? "" : "; never paced"}`,
    ],
    ["options", describeRefused(settings)],
    ["transfers", `${upTo(String(settings.transfersMax))} per worker`],
    ...explainLimits(settings.limits),
    ["timeouts", describeTimeouts(settings)],
    ["buffers", describeBuffers(settings)],
    ["batches", describeBatches(settings)],
    [
      "spin",
      spin.value === 0 ? `off (${spin.reason})` : `${upTo(`${spin.value} µs`)} before a sleep`,
    ],
    ["file hints", describeHints(settings)],
    ["cache", `${formatBytes(cache.value)} (${cache.reason})`],
    ...explainUploads(settings.uploads),
    ...explainUploadMemory(config, machine),
    ...explainHooks(settings.hooks),
    ...explainProcess(settings.process),
    ["log", describeLog(settings)],
    ["status", describeStatus(settings)],
  ];
}

function upTo(value: string): string {
  return `up to ${value}`;
}

function describeLookup({ lookup }: Settings): string {
  const targets = ["the root", ...lookup.symlinkTargets].join(", ");
  const links = {
    none: "no symlinks",
    inside: "symlinks inside the root",
    listed: `symlinks into ${targets}`,
  }[lookup.symlinks];
  return `${lookup.isCaseInsensitive ? "in any case" : "exact"}, ${links}`;
}

function describeRefused({ refusedOptions }: Settings): string {
  return refusedOptions.length === 0 ? "all" : `all but ${refusedOptions.join(", ")}`;
}

function describeTimeouts({ timeoutMs, patienceMs, drainMs }: Settings): string {
  return `resend after ${timeoutMs} ms, give up after ${patienceMs / 1000} s, drain for ${drainMs / 1000} s`;
}

function describeBuffers({ receiveBufferBytes, sendBufferBytes }: Settings): string {
  return `receive ${bufferSize(receiveBufferBytes)}, send ${bufferSize(sendBufferBytes)}`;
}

function bufferSize(bytes: number): string {
  return bytes === 0 ? "the kernel's default" : formatBytes(bytes);
}

function describeBatches(settings: Settings): string {
  const ways = [
    settings.useRecvmmsg ? "recvmmsg" : "recvmsg",
    settings.useSendmmsg ? "sendmmsg" : "sendmsg",
  ];
  if (settings.useGso) ways.push("UDP segmentation");
  return `${ways.join(", ")}; ${upTo(`${settings.batchDatagrams} messages`)} per call`;
}

function describeHints(settings: Settings): string {
  const hints = [];
  if (settings.adviseSequential) hints.push("sequential");
  if (settings.adviseWillneed) hints.push("willneed");
  if (settings.adviseDontneedAfter) hints.push("dontneed afterwards");
  return hints.length === 0 ? "none" : hints.join(", ");
}

function explainUploadMemory(
  config: Config,
  machine: Machine,
): readonly (readonly [string, string])[] {
  const { value, reason } = uploadBytesMax(config, machine);
  return value === 0 ? [] : [["  memory", `${formatBytes(value)} (${reason})`]];
}

function describeLog({ log }: Settings): string {
  const { auditTarget, rotation, samplingRate } = log;
  const besides = auditTarget === undefined ? "on" : `also to ${describeTarget(auditTarget)}`;
  const share = samplingRate === 1 ? "" : `, of ${samplingRate * 100} % of boots`;
  const audit = log.auditEnabled ? `${besides}${share}` : "off";
  const { bytesMax, ageMaxMs } = rotation;
  const limits = [];
  if (bytesMax > 0) limits.push(formatBytes(bytesMax));
  if (ageMaxMs > 0) limits.push(formatSpan(ageMaxMs));
  const rotated = limits.length === 0 ? "" : `, a new file after ${limits.join(" or ")}`;
  return `${log.level}, ${log.format}, to ${describeTarget(log.target)}, audit events ${audit}${rotated}`;
}

function describeTarget(target: LogTarget): string {
  switch (target.kind) {
    case "output":
      return "standard output";
    case "journal":
      return "the journal";
    case "file":
      return target.path;
    default:
      return unreachable(target);
  }
}

function describeStatus({ status }: Settings): string {
  const { listen, tokenFile, tls, mayChange, socket } = status;
  const admin = socket === undefined ? "" : `; ${socket}`;
  if (listen === undefined) return `no web server (status.bind_addr)${admin}`;
  const shown = [
    ...(tokenFile === undefined ? [] : ["a token"]),
    ...(tls?.clientCaFile === undefined ? [] : ["a client's certificate"]),
  ];
  const who = shown.length === 0 ? "for this machine" : `with ${shown.join(" and ")}`;
  const changes = mayChange ? ", may change things" : "";
  return `${tls === undefined ? "http" : "https"}://${formatListen(listen)}/, ${who}${changes}${admin}`;
}
