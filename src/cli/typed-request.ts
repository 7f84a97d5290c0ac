// The request that `check --explain` asks about (cli layer): from what was typed to what the server's own code decides on, or to
// what is wrong with it and what to write.

import type { Settings } from "#config/settings.ts";
import { type Address, parseAddress } from "#policy/address.ts";
import { parseMac } from "#policy/hosts.ts";
import { bytesOf, byteStringOf, pathText } from "#policy/names.ts";
import type { Asking } from "#policy/rule.ts";
import { optionNames } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";

/** A request as it is typed. */
export interface TypedRequest {
  readonly name: string | undefined;
  readonly client: string | undefined;
  readonly mac: string | undefined;
  readonly listener: string | undefined;
  readonly interface: string | undefined;
  readonly local: string | undefined;
  readonly mode: string | undefined;
  /** `blksize=1428 tsize=0`: names and values. */
  readonly options: string | undefined;
  readonly isWrite: boolean;
}

/** What is wrong with a request that was typed, and what to write. */
export interface RequestFault {
  readonly fault: string;
  readonly remedy: string;
}

/** What rules look at, and the request as the protocol knows it. */
export interface ReadRequest {
  readonly asking: Asking;
  readonly request: Request;
}

/** Reads all of it; the first fault counts. `listeners` are those that there are. */
export function readRequest(
  typed: TypedRequest,
  listeners: Settings["listeners"],
): ReadRequest | RequestFault {
  const { name, client, isWrite } = typed;
  if (name === undefined) {
    return {
      fault: "--explain needs a name",
      remedy: "write: check --explain --client 192.0.2.7 NAME",
    };
  }
  if (client === undefined) {
    return { fault: "--explain needs a client", remedy: "write --client and its address" };
  }
  const address = addressOf("client", client);
  if (typeof address === "object") return address;
  const local = typed.local === undefined ? undefined : addressOf("local", typed.local);
  if (typeof local === "object") return local;
  const mac = typed.mac === undefined ? undefined : parseMac(typed.mac);
  if (typed.mac !== undefined && mac === undefined) {
    return {
      fault: `--mac ${typed.mac} is no hardware address`,
      remedy: "write b8:27:eb:01:02:03",
    };
  }
  const listener = listeners.find((each) => each.name === (typed.listener ?? each.name));
  if (listener === undefined) {
    const names = listeners.map((each) => each.name).join(", ");
    const remedy = names === "" ? "leave it out: there is no [[listener]]" : `there are ${names}`;
    return { fault: `--listener ${typed.listener} is none`, remedy };
  }
  const mode = typed.mode ?? "octet";
  if (mode !== "octet" && mode !== "netascii") {
    return { fault: `--mode ${mode} is not served`, remedy: "write octet or netascii" };
  }
  const options = optionsOf(typed.options ?? "");
  if ("fault" in options) return options;
  const asked = byteStringOf(name);
  const kind = isWrite ? "write" : "read";
  return {
    asking: {
      name: asked,
      isWrite,
      mode,
      listener: listener.name,
      client: address,
      local,
      interface: typed.interface ?? listener.interface,
      mac,
    },
    request: { kind, name: pathText(asked), nameBytes: bytesOf(asked), mode, options },
  };
}

function addressOf(flag: string, text: string): Address | RequestFault {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  return { fault: `--${flag} ${text} is no IP address`, remedy: "write a literal: 192.0.2.7" };
}

/** Options between spaces or commas, in their order. Names that the server does not know are none that a packet could not hold. */
function optionsOf(text: string): Request["options"] | RequestFault {
  const words = text.split(/[\s,]+/u).filter((word) => word !== "");
  const options = words.map((word) => /^(?<name>[^=]+)=(?<value>.+)$/u.exec(word)?.groups);
  const wrong = options.findIndex((groups) => groups === undefined);
  if (wrong >= 0) {
    const known = optionNames.join(", ");
    const remedy = `write name=value, such as "blksize=1428 tsize=0"; known are ${known}`;
    return { fault: `--options has ${words[wrong]}, which is no option`, remedy };
  }
  return options.flatMap((groups) => {
    const { name = "", value = "" } = groups ?? {};
    return { name: name.toLowerCase(), value };
  });
}
