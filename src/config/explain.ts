// The settings in words (config layer): what a configuration resolves to on this machine, and why. Printed by
// `check`; each line is a name, a value and, where there was a choice, the reason.

import type { ListenAddress } from "./address.ts";
import type { Config } from "./config.ts";
import { explainPolicy } from "./explain-policy.ts";
import { explainHooks, explainUploads } from "./explain-uploads.ts";
import { formatBytes } from "./format.ts";
import {
  blockBytesMax,
  cacheBytesMax,
  type Machine,
  resolveSettings,
  type Settings,
  spinUs,
  transferSockets,
  windowBlocksMax,
  workerCount,
} from "./settings.ts";

/** Lines such as `workers       2 (all cores)`, names padded to one width. */
export function explainSettings(config: Config, machine: Machine): readonly string[] {
  const rows = explanations(config, machine);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** `[::]:69`, or with a scope `[fe80::1%eth0]:69`. */
function formatListen({ address, port, scope }: ListenAddress): string {
  if (!address.includes(":")) return `${address}:${port}`;
  return `[${address}${scope === undefined ? "" : `%${scope}`}]:${port}`;
}

function explanations(config: Config, machine: Machine): readonly (readonly [string, string])[] {
  const settings = resolveSettings(config, machine);
  const workers = workerCount(config, machine);
  const block = blockBytesMax(config);
  const window = windowBlocksMax(config);
  const spin = spinUs(config);
  const cache = cacheBytesMax(config, machine);
  return [
    ["listen", `${formatListen(settings.listen)}${dualStack(settings.listen)}`],
    ["root", settings.rootDir],
    ["names", describeLookup(settings)],
    ...explainPolicy(settings.policy),
    [
      "file size",
      settings.fileBytesMax === 0 ? "unlimited" : upTo(formatBytes(settings.fileBytesMax)),
    ],
    ["workers", `${workers.value} (${workers.reason})${settings.workerAffinity ? ", pinned" : ""}`],
    ["ports", describePorts(config, machine, settings)],
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
    ...explainHooks(settings.hooks),
    ["log", describeLog(settings)],
  ];
}

function upTo(value: string): string {
  return `up to ${value}`;
}

function dualStack({ address }: ListenAddress): string {
  return address === "::" ? " (IPv6 and IPv4)" : "";
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

function describePorts(config: Config, machine: Machine, settings: Settings): string {
  if (settings.singlePort) return "the service port alone (single_port)";
  const sockets = transferSockets(config, machine);
  const range = settings.portRange;
  const from = range === undefined ? "chosen by the kernel" : `from ${range.first}-${range.last}`;
  return `${sockets.value} per worker (${sockets.reason}), ${from}`;
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

function describeLog({ log }: Settings): string {
  const besides = log.auditFile === undefined ? "on" : `also to ${log.auditFile}`;
  const audit = `audit events ${log.auditEnabled ? besides : "off"}`;
  return `${log.level}, ${log.format}, to ${log.file ?? "standard output"}, ${audit}`;
}
