// Who may have what lies in a folder (policy layer, pure): lists of networks, folder by folder, besides any rules. The deepest folder
// with lists that holds a file decides, and in its lists the longest network that holds the client.

import { at } from "#base/bytes.ts";

import type { Address } from "./address.ts";
import { compileNetworks, NetworkMap } from "./cidr.ts";
import { isPolicyFault, type PolicyFault } from "./fault.ts";
import { type ByteString, byteStringOf, lowerCase } from "./names.ts";
import { segmentsOf } from "./path.ts";

/** The lists of one folder as they are configured. */
export interface AccessSpec {
  /** Absolute path of the folder; what stands in it by other words, through a symlink, is not meant. */
  readonly folder: string;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** What the lists say of a client and a file. `unlisted`: nothing; that is for rules and the default to say. */
export interface Judgement {
  readonly verdict: "allow" | "deny" | "unlisted";
  /** The folder whose lists said so, as it was configured; empty where none did. */
  readonly folder: string;
  /** Why, for people; empty where no lists hold the file. */
  readonly reason: string;
}

/** A fault of a folder's lists, and which folder's. */
export interface AccessFault extends PolicyFault {
  readonly index: number;
}

/** A network that one of the lists has. */
interface Listed {
  readonly isAllowed: boolean;
  readonly bits: number;
  /** As it was written. */
  readonly text: string;
}

/** The lists of one folder. */
interface Entry {
  readonly spec: AccessSpec;
  readonly networks: NetworkMap<Listed>;
}

const noJudgement: Judgement = Object.freeze({ verdict: "unlisted", folder: "", reason: "" });

/** Checks and compiles. With `foldsCase` the case of letters does not tell folders apart. */
export function compileAccess(
  specs: readonly AccessSpec[],
  foldsCase: boolean,
): Access | readonly AccessFault[] {
  const entries = new Map<ByteString, Entry>();
  const faults: AccessFault[] = [];
  for (const [index, spec] of specs.entries()) {
    const key = keyOf(spec.folder, foldsCase);
    const entry = entries.has(key) ? sameFolder : compileEntry(spec);
    if (isPolicyFault(entry)) faults.push({ ...entry, index });
    else entries.set(key, entry);
  }
  return faults.length > 0 ? faults : new Access(entries, foldsCase);
}

/** The lists of all folders. */
export class Access {
  readonly #entries: ReadonlyMap<ByteString, Entry>;
  readonly #foldsCase: boolean;

  constructor(entries: ReadonlyMap<ByteString, Entry>, foldsCase: boolean) {
    this.#entries = entries;
    this.#foldsCase = foldsCase;
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** What is said of `client` and of the file with the clean path `path` below the folder `folder`, an absolute path. */
  judge(folder: string, path: ByteString, client: Address): Judgement {
    let key = `${keyOf(folder, this.#foldsCase)}/${this.#foldsCase ? lowerCase(path) : path}`;
    for (;;) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) return judgeBy(entry, client);
      if (key === "") return noJudgement;
      key = key.slice(0, key.lastIndexOf("/"));
    }
  }
}

/** A folder's path with a `/` before each segment: `/` itself is empty. */
function keyOf(folder: string, foldsCase: boolean): ByteString {
  const path = byteStringOf(folder);
  const segments = segmentsOf(foldsCase ? lowerCase(path) : path);
  return segments.map((segment) => `/${segment}`).join("");
}

function judgeBy({ spec, networks }: Entry, client: Address): Judgement {
  const { folder } = spec;
  let longest: Listed | undefined;
  networks.forEachAround(client, (listed) => {
    if (longest === undefined || listed.bits > longest.bits) longest = listed;
  });
  if (longest !== undefined) {
    const { isAllowed, text } = longest;
    return isAllowed
      ? { verdict: "allow", folder, reason: `${text} is allowed` }
      : { verdict: "deny", folder, reason: `${text} is denied` };
  }
  // Who names some that may means the others may not.
  return spec.allow.length > 0
    ? { verdict: "deny", folder, reason: `only ${spec.allow.join(", ")} is allowed` }
    : { verdict: "unlisted", folder, reason: "nothing is said of this client" };
}

function compileEntry(spec: AccessSpec): Entry | PolicyFault {
  if (spec.allow.length + spec.deny.length === 0) return noLists;
  const networks = new NetworkMap<Listed>();
  for (const key of ["allow", "deny"] as const) {
    const texts = spec[key];
    const parsed = compileNetworks(key, texts);
    if (isPolicyFault(parsed)) return parsed;
    for (const [element, network] of parsed.entries()) {
      const text = at(texts, element);
      const isAllowed = key === "allow";
      const other: Listed | undefined = networks.get(network);
      if (other !== undefined && other.isAllowed !== isAllowed) return inBoth(key, element, text);
      networks.set(network, { isAllowed, bits: network.bits, text });
    }
  }
  return { spec, networks };
}

function inBoth(key: string, element: number, text: string): PolicyFault {
  return {
    key,
    element,
    message: `has ${JSON.stringify(text)}, which \`allow\` has too`,
    remedy: "remove it from one of the two; of networks that overlap the longer one counts.",
  };
}

const noLists: PolicyFault = {
  key: "folder",
  message: "has neither `allow` nor `deny` beside it",
  remedy: "write one of them, or remove the table.",
};

const sameFolder: PolicyFault = {
  key: "folder",
  message: "names a folder that another table names",
  remedy: "write all of its networks into one table.",
};
