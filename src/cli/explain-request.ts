// `check --explain` (cli layer): what the rules make of one request, told rule by rule, where the file is looked for, and what the
// client is told. The code that decides and that looks is the server's own, with the rights of whoever runs this.

import { join } from "node:path";

import type { Settings } from "#config/settings.ts";
import { openLinkTargets, openServedFolder } from "#io/start.ts";
import { formatAddress, parseAddress } from "#policy/address.ts";
import { parseMac } from "#policy/hosts.ts";
import { bytesOf, byteStringOf, pathText } from "#policy/names.ts";
import { compilePolicy, type Denial, type Permit, Policy } from "#policy/policy.ts";
import type { Asking } from "#policy/rule.ts";
import { UploadPolicy } from "#policy/upload.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import type { Request } from "#protocol/request.ts";
import { Finder, UNREADABLE } from "#server/finder.ts";
import { refuseByPolicy, refuseOpen } from "#server/refused.ts";
import { OpenRefusal } from "#storage/root.ts";

/** A request as it is typed. */
export interface TypedRequest {
  readonly name: string | undefined;
  readonly client: string | undefined;
  readonly mac: string | undefined;
  readonly isWrite: boolean;
}

/** What is wrong with a request that was typed, and what to write. */
export interface RequestFault {
  readonly fault: string;
  readonly remedy: string;
}

type Row = readonly [name: string, value: string];

/** The lines of the explanation, names padded to one width. The settings come from a configuration that was validated. */
export function explainRequest(
  settings: Settings,
  typed: TypedRequest,
): readonly string[] | RequestFault {
  const asking = askingOf(typed);
  if ("fault" in asking) return asking;
  const policy = compilePolicy(settings.policy);
  if (!(policy instanceof Policy)) throw new TypeError("a validated policy compiles");
  const kind = asking.isWrite ? "write" : "read";
  const from = `${formatAddress(asking.client)}${asking.mac === undefined ? "" : ` (${asking.mac})`}`;
  const rows: Row[] = [["request", `${kind} ${JSON.stringify(typed.name)} from ${from}`]];
  // The server does not even ask its rules then.
  const isOff = asking.isWrite && !settings.uploads.isEnabled;
  const decision = policy.decide(asking, {
    rule: (label, isMatch, text) => rows.push([label, `${isMatch ? "holds: " : "no: "}${text}`]),
    access: (folder, path, { verdict, folder: listed, reason }) => {
      const file = join(folder, pathText(path));
      rows.push(["access", `${accessWords[verdict]}: ${file}, for in ${listed} ${reason}`]);
    },
  });
  rows.push(["verdict", describeVerdict(decision, settings)]);
  const request = requestOf(asking);
  if (isOff)
    rows.push(["uploads", "off in [write_config]"], errorRow(errorReplies.accessViolation));
  else if (!decision.isAllowed) rows.push(errorRow(refuseByPolicy(request, decision).reply));
  else if (asking.isWrite) rows.push(...describeUpload(settings, decision));
  else rows.push(...describeFiles(settings, decision, request));
  if (decision.isAllowed) rows.push(describeOptions(settings, decision));
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function askingOf({ name, client, mac, isWrite }: TypedRequest): Asking | RequestFault {
  if (name === undefined) {
    return {
      fault: "--explain needs a name",
      remedy: "write: check --explain --client 192.0.2.7 NAME",
    };
  }
  if (client === undefined) {
    return { fault: "--explain needs a client", remedy: "write --client and its address" };
  }
  const address = parseAddress(client);
  if (address === undefined) {
    return { fault: `--client ${client} is no IP address`, remedy: "write a literal: 192.0.2.7" };
  }
  const parsedMac = mac === undefined ? undefined : parseMac(mac);
  if (mac !== undefined && parsedMac === undefined) {
    return { fault: `--mac ${mac} is no hardware address`, remedy: "write b8:27:eb:01:02:03" };
  }
  return {
    name: byteStringOf(name),
    isWrite,
    mode: "octet",
    client: address,
    local: undefined,
    interface: undefined,
    mac: parsedMac,
  };
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

/** The request without options: what was granted or refused does not depend on them. */
function requestOf({ name, mode, isWrite }: Asking): Request {
  const nameBytes = bytesOf(name);
  const kind = isWrite ? "write" : "read";
  return { kind, name: pathText(name), nameBytes, mode, options: [] };
}

function errorRow(reply: ErrorReply | undefined): Row {
  return ["answer", reply === undefined ? "none" : `ERROR ${reply.code} ${reply.message}`];
}

/** Where the upload goes. Whether it may take the place of what is there shows only when it comes. */
function describeUpload({ uploads }: Settings, { path }: Permit): readonly Row[] {
  const decision = new UploadPolicy(uploads).decide(pathText(path), undefined);
  if (decision.isAllowed) return [["upload", join(uploads.rootDir, decision.target)]];
  return [["upload", `refused: ${decision.reason}`], errorRow(errorReplies[decision.reply])];
}

/** Where the file is looked for, in turn, up to where it is found, and what is sent. */
function describeFiles(settings: Settings, permit: Permit, request: Request): readonly Row[] {
  const { virtual, candidates } = permit;
  if (virtual !== undefined) {
    return [sizeRow(settings, virtual.length, " from a template")];
  }
  const rows: Row[] = [];
  if (candidates.length === 0)
    rows.push(["file", "none: every root has a variable without a value"]);
  const { folders } = settings.policy;
  const linkTargetFds = openLinkTargets(settings.lookup.symlinkTargets);
  if ("fault" in linkTargetFds)
    return [["file", `${linkTargetFds.fault}; ${linkTargetFds.remedy}`]];
  const folderFds: number[] = [];
  for (const folder of folders) {
    const fd = openServedFolder(folder);
    if (typeof fd !== "number") return [["file", `${fd.fault}; ${fd.remedy}`]];
    folderFds.push(fd);
  }
  const finder = new Finder(settings, { folderFds, linkTargetFds });
  const fd = finder.open(candidates, ({ folder, path }, result) => {
    const file = join(folders[folder] ?? "", pathText(path));
    rows.push(["file", `${file}: ${result < 0 ? fateOf(result) : foundAs(finder)}`]);
  });
  if (fd >= 0) {
    rows.push(sizeRow(settings, finder.stat.bytes, ""));
    finder.close(fd);
  } else if (fd === UNREADABLE) rows.push(errorRow(errorReplies.accessViolation));
  else rows.push(errorRow(refuseOpen(request, fd).reply));
  for (const each of [...folderFds, ...linkTargetFds]) finder.close(each);
  return rows;
}

function sizeRow({ fileBytesMax }: Settings, bytes: number, origin: string): Row {
  const isTooLarge = fileBytesMax > 0 && bytes > fileBytesMax;
  return isTooLarge
    ? errorRow(errorReplies.accessViolation)
    : ["answer", `${bytes} bytes${origin}`];
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

/** What would be granted to a client that asks for all there is. */
function describeOptions(settings: Settings, { ruling }: Permit): Row {
  const refused = [...new Set([...settings.refusedOptions, ...ruling.refusedOptions])];
  const block = Math.min(settings.blockBytesMax, ruling.blockBytesMax);
  const window = Math.min(settings.windowBlocksMax, ruling.windowBlocksMax);
  const without = refused.length === 0 ? "" : `; none of ${refused.join(", ")}`;
  return ["options", `blksize up to ${block}, windowsize up to ${window}${without}`];
}
