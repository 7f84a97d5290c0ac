// `check --explain` (cli layer): what the rules make of one request, told rule by rule, where the file is looked for, and what the
// client is told. The code that decides and that looks is the server's own, with the rights of whoever runs this.

import { join } from "node:path";

import { describeBandwidth } from "#config/explain-limits.ts";
import { formatBytes } from "#config/format.ts";
import type { Settings } from "#config/settings.ts";
import { mtuOfInterface } from "#io/links.ts";
import { openLinkTargets, openServedFolder } from "#io/start.ts";
import { formatAddress } from "#policy/address.ts";
import { pathText } from "#policy/names.ts";
import { compilePolicy, type Denial, type Permit, Policy } from "#policy/policy.ts";
import { UploadPolicy } from "#policy/upload.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import { describeGrant, negotiate } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";
import { Finder, UNREADABLE } from "#server/finder.ts";
import { limitsUnder, readLimits, writeLimits } from "#server/limits.ts";
import { blockBytesOver } from "#server/link-limit.ts";
import { refuseByPolicy, refuseOpen } from "#server/refused.ts";
import { OpenRefusal } from "#storage/root.ts";

import {
  type ReadRequest,
  readRequest,
  type RequestFault,
  type TypedRequest,
} from "./typed-request.ts";

type Row = readonly [name: string, value: string];

/** The lines of the explanation, names padded to one width. The settings come from a configuration that was validated. */
export function explainRequest(
  settings: Settings,
  typed: TypedRequest,
): readonly string[] | RequestFault {
  const read = readRequest(typed, settings.listeners);
  if ("fault" in read) return read;
  const { asking, request } = read;
  const policy = compilePolicy(settings.policy);
  if (!(policy instanceof Policy)) throw new TypeError("a validated policy compiles");
  const rows: Row[] = [["request", describeRequest(read)]];
  const decision = policy.decide(asking, {
    rule: (label, isMatch, text) => rows.push([label, `${isMatch ? "holds: " : "no: "}${text}`]),
    access: (folder, path, { verdict, folder: listed, reason }) => {
      const file = join(folder, pathText(path));
      rows.push(["access", `${accessWords[verdict]}: ${file}, for in ${listed} ${reason}`]);
    },
  });
  rows.push(["verdict", describeVerdict(decision, settings)]);
  // The server does not even ask its rules then.
  if (asking.isWrite && !settings.uploads.isEnabled) {
    rows.push(["uploads", "off in [write_config]"], errorRow(errorReplies.accessViolation));
  } else if (!decision.isAllowed) rows.push(errorRow(refuseByPolicy(request, decision).reply));
  else {
    const fate = asking.isWrite
      ? describeUpload(settings, decision)
      : describeFiles(settings, decision, request);
    rows.push(...fate.rows);
    if (fate.isServed) {
      rows.push(...describeOptions(settings, read, decision, fate.fileBytes));
      const rate = describeBandwidth(settings.limits, decision.ruling.rate);
      if (rate !== "") rows.push(["rate", rate]);
    }
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function describeRequest({ asking, request }: ReadRequest): string {
  const { client, mac, listener, local, mode } = asking;
  const parts = [`${request.kind} ${JSON.stringify(request.name)}`];
  if (mode !== "octet") parts.push(`in ${mode}`);
  parts.push(`from ${formatAddress(client)}`);
  if (mac !== undefined) parts.push(`(${mac})`);
  if (listener !== "") parts.push(`at ${listener}`);
  if (local !== undefined) parts.push(`to ${formatAddress(local)}`);
  if (asking.interface !== undefined) parts.push(`by ${asking.interface}`);
  return parts.join(" ");
}

/** What the lists of a folder come to, for people. `unlisted`: the rules and the default have their say. */
const accessWords = { allow: "admitted", deny: "passed over", unlisted: "no matter" } as const;

function describeVerdict(decision: Permit | Denial, { policy }: Settings): string {
  const { decidedBy, code, verdict } = decision.ruling;
  const by = decidedBy === "" ? "by default" : `by ${decidedBy}`;
  if (decision.isAllowed) {
    const isByLists = verdict === "undecided" && !policy.isAllowedByDefault;
    return isByLists ? "allowed by the lists of folders" : `allowed ${by}`;
  }
  if (decision.cause === "folder") return `denied by the lists of ${decision.folder}`;
  if (decision.cause === "denied") return `denied ${by}, with ERROR ${code}`;
  return `refused: ${refusals[decision.cause]}`;
}

const refusals = {
  traversal: "a segment of the name is `..`",
  hidden: "a segment of the name begins with a dot",
  empty: "the name is the root folder itself",
  "too-long": "the name is too long",
} as const;

function errorRow(reply: ErrorReply | undefined): Row {
  return ["answer", reply === undefined ? "none" : `ERROR ${reply.code} ${reply.message}`];
}

/** What becomes of a request that rules allow. */
interface Fate {
  readonly rows: readonly Row[];
  readonly isServed: boolean;
  /** The size of what is sent. */
  readonly fileBytes?: number;
}

/** Where the upload goes. Whether it may take the place of what is there shows only when it comes. */
function describeUpload({ uploads }: Settings, { path }: Permit): Fate {
  const decision = new UploadPolicy(uploads).decide(path, undefined);
  if (decision.isAllowed) {
    const file = join(uploads.rootDir, pathText(decision.target));
    return { rows: [["upload", file]], isServed: true };
  }
  const reply = errorRow(errorReplies[decision.reply]);
  return { rows: [["upload", `refused: ${decision.reason}`], reply], isServed: false };
}

/** Where the file is looked for, in turn, up to where it is found, and what is sent. */
function describeFiles(settings: Settings, permit: Permit, request: Request): Fate {
  const { virtual, candidates } = permit;
  if (virtual !== undefined) return fateOfBytes(settings, [], virtual.length, " from a template");
  const rows: Row[] = [];
  if (candidates.length === 0)
    rows.push(["file", "none: every root has a variable without a value"]);
  const { folders } = settings.policy;
  const linkTargetFds = openLinkTargets(settings.lookup.symlinkTargets);
  if ("fault" in linkTargetFds) return fateOfFault(linkTargetFds);
  const folderFds: number[] = [];
  for (const folder of folders) {
    const fd = openServedFolder(folder);
    if (typeof fd !== "number") return fateOfFault(fd);
    folderFds.push(fd);
  }
  const finder = new Finder(settings, { folderFds, linkTargetFds });
  const fd = finder.open(candidates, ({ folder, path }, result) => {
    const file = join(folders[folder] ?? "", pathText(path));
    rows.push(["file", `${file}: ${result < 0 ? fateOf(result) : foundAs(finder)}`]);
  });
  const { bytes } = finder.stat;
  for (const each of [...(fd < 0 ? [] : [fd]), ...folderFds, ...linkTargetFds]) finder.close(each);
  if (fd >= 0) return fateOfBytes(settings, rows, bytes, "");
  const reply = fd === UNREADABLE ? errorReplies.accessViolation : refuseOpen(request, fd).reply;
  return { rows: [...rows, errorRow(reply)], isServed: false };
}

function fateOfFault({ fault, remedy }: RequestFault): Fate {
  return { rows: [["file", `${fault}; ${remedy}`]], isServed: false };
}

/** Something of `fileBytes` was found. */
function fateOfBytes(
  { fileBytesMax }: Settings,
  rows: readonly Row[],
  fileBytes: number,
  origin: string,
): Fate {
  const isTooLarge = fileBytesMax > 0 && fileBytes > fileBytesMax;
  const row: Row = isTooLarge
    ? errorRow(errorReplies.accessViolation)
    : ["answer", `${fileBytes} bytes${origin}`];
  return { rows: [...rows, row], isServed: !isTooLarge, fileBytes };
}

/** In which case a candidate was found, for people. */
function foundAs({ otherName, remark }: Finder): string {
  if (otherName === undefined) return "found";
  const choice = remark === "" ? "" : ` (${remark})`;
  return `found as ${pathText(otherName)}${choice}`;
}

/** Why a candidate is not sent, for people. */
function fateOf(result: number): string {
  switch (result) {
    case OpenRefusal.notFound:
      return "missing";
    case OpenRefusal.denied:
      return "no regular file, or not readable";
    case OpenRefusal.outside:
      return "a symbolic link that is not followed";
    case UNREADABLE:
      return "what was uploaded may not be read back";
    default:
      return "cannot be opened";
  }
}

/** The options that a client may be granted, and if it asks for some, the answer that it gets. */
function describeOptions(
  settings: Settings,
  { asking, request }: ReadRequest,
  { ruling }: Permit,
  fileBytes: number | undefined,
): readonly Row[] {
  const isV6 = asking.client.length > IPV4_BYTES;
  const mtu = asking.interface === undefined ? undefined : mtuOfInterface(asking.interface);
  const all = asking.isWrite ? writeLimits(settings) : readLimits(settings, asking.mode);
  const limits = limitsUnder(all, ruling, blockBytesOver(mtu, isV6, settings));
  const { blockBytesMax, windowBlocksMax, windowBytesMax, refused } = limits;
  const link = settings.clampsToMtu ? `, ${describeLink(asking.interface, mtu)}` : "";
  const bursts =
    ruling.burstBlocksMax < windowBlocksMax ? `, in bursts of ${ruling.burstBlocksMax}` : "";
  const without = refused.size === 0 ? "" : `; none of ${[...refused].join(", ")}`;
  const most = `blksize up to ${blockBytesMax}${link}, windowsize up to ${windowBlocksMax} and ${formatBytes(windowBytesMax)}${bursts}`;
  const rows: Row[] = [["options", `${most}${without}`]];
  if (request.options.length > 0) {
    const granted = describeGrant(negotiate(request, limits, fileBytes));
    rows.push(["granted", granted === "" ? "none: the transfer begins without an OACK" : granted]);
  }
  return rows;
}

const IPV4_BYTES = 4;

/** What is known of the client's link, where it counts. */
function describeLink(name: string | undefined, mtu: number | undefined): string {
  if (name === undefined) return "or less by the MTU of the interface that --interface names";
  return mtu === undefined
    ? `or less by the MTU of ${name}, which is not here`
    : `the MTU of ${name} being ${mtu}`;
}
