// `check --explain` (cli layer): what the rules make of one request, told rule by rule, and where the file is looked for. The
// engine is the server's own; only the look at the files is a plain one, without the server's care about links.

import { statSync } from "node:fs";
import { join } from "node:path";

import type { Settings } from "#config/settings.ts";
import { formatAddress, parseAddress } from "#policy/address.ts";
import { parseMac } from "#policy/hosts.ts";
import { byteStringOf, textOf } from "#policy/names.ts";
import { compilePolicy, type Denial, type Permit, Policy } from "#policy/policy.ts";
import type { Asking } from "#policy/rule.ts";

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
  const decision = policy.decide(asking, (label, isMatch, text) => {
    rows.push([label, `${isMatch ? "holds: " : "no: "}${text}`]);
  });
  rows.push(["verdict", describeVerdict(decision)]);
  if (decision.isAllowed)
    rows.push(...describeFiles(settings, decision), describeOptions(settings, decision));
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

function describeVerdict(decision: Permit | Denial): string {
  const { decidedBy, code } = decision.ruling;
  const by = decidedBy === "" ? "by default" : `by ${decidedBy}`;
  if (decision.isAllowed) return `allowed ${by}`;
  if (decision.cause === "denied") return `denied ${by}, with ERROR ${code}`;
  return `refused: ${refusals[decision.cause]}`;
}

const refusals = {
  traversal: "a segment of the name is `..`",
  hidden: "a segment of the name begins with a dot",
  empty: "the name is the root folder itself",
  "too-long": "the name is too long",
} as const;

/** Where the file is looked for, in turn, up to where it is found. */
function describeFiles({ policy }: Settings, { virtual, candidates }: Permit): readonly Row[] {
  if (virtual !== undefined) return [["answer", `${virtual.length} bytes from a template`]];
  if (candidates.length === 0) return [["file", "none: every root has a variable without a value"]];
  const rows: Row[] = [];
  for (const { folder, path } of candidates) {
    const file = join(policy.folders[folder] ?? "", textOf(path));
    const found = sizeOf(file);
    rows.push(["file", `${file}: ${found}`]);
    if (found !== MISSING) break;
  }
  return rows;
}

const MISSING = "missing";

function sizeOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return MISSING;
  return stat.isFile() ? `${stat.size} bytes` : "no regular file";
}

/** What would be granted to a client that asks for all there is. */
function describeOptions(settings: Settings, { ruling }: Permit): Row {
  const refused = [...new Set([...settings.refusedOptions, ...ruling.refusedOptions])];
  const block = Math.min(settings.blockBytesMax, ruling.blockBytesMax);
  const window = Math.min(settings.windowBlocksMax, ruling.windowBlocksMax);
  const without = refused.length === 0 ? "" : `; none of ${refused.join(", ")}`;
  return ["options", `blksize up to ${block}, windowsize up to ${window}${without}`];
}
