// What a client and a server have agreed on (protocol layer, pure): from the options that were asked and the OACK that
// answered them to how the transfer runs. An OACK that says what was not asked, or more, is refused.

import { mark } from "#base/mark.ts";

import type { RolloverTo } from "./blocks.ts";
import { type GroupOffer, multicastOption, parseGroup } from "./group.ts";
import { blockBytesDefault, blockBytesMin, decimal } from "./options.ts";
import { oackStringsOffset, type Option } from "./packet.ts";
import { parseOptions } from "./request.ts";

/** How a transfer runs, seen from the client. */
export interface Agreement {
  /** Payload bytes of every block but the last. */
  readonly blockBytes: number;
  /** Blocks that are sent before an ACK is awaited. */
  readonly windowBlocks: number;
  /** The retransmission timeout that both sides keep, if one was agreed on. */
  readonly timeoutUs: number | undefined;
  readonly rolloverTo: RolloverTo;
  /** The size of the file in bytes as the server says it; for a write, what it echoes. */
  readonly fileBytes: number | undefined;
  /** The multicast that brings the file, if it comes by one. */
  readonly group: GroupOffer | undefined;
  /** What the server accepted, in its order. */
  readonly accepted: readonly Option[];
}

/** RFC 1350, and so what holds where a server answers no option. */
export const agreementWithoutOptions: Agreement = Object.freeze({
  blockBytes: blockBytesDefault,
  windowBlocks: 1,
  timeoutUs: undefined,
  rolloverTo: 0,
  fileBytes: undefined,
  group: undefined,
  accepted: Object.freeze([]),
});

/** Why an OACK is refused, in words for whoever runs the client. */
export interface AgreementFault {
  readonly fault: string;
}

/** Reads the OACK in the first `length` bytes of `bytes`, the answer to `asked`. */
export function agree(
  asked: readonly Option[],
  bytes: Uint8Array,
  length: number,
): Agreement | AgreementFault {
  const accepted = parseOptions(bytes, oackStringsOffset, length);
  const values: Record<string, number> = {};
  let group: GroupOffer | undefined;
  for (const { name, value } of accepted) {
    const question = asked.find((option) => option.name === name);
    const isOffer = name === multicastOption.name;
    const number = decimal(value);
    if (isOffer) group = parseGroup(value);
    // RFC 2347: "the server must not include in the OACK any option which had not been specifically requested".
    const isGood = isOffer ? isWhole(group) : isAnswer(name, number, Number(question?.value));
    if (question === undefined || !isGood) {
      mark("oack-refused");
      const asks = question === undefined ? "no such question" : `${name}=${question.value}`;
      return { fault: `it answered ${name}=${value} to ${asks}` };
    }
    if (number !== undefined) values[name] = number;
  }
  mark("oack-agreed");
  if (group !== undefined) mark("multicast-agreed");
  const seconds = values["timeout"];
  return {
    blockBytes: values["blksize"] ?? blockBytesDefault,
    windowBlocks: values["windowsize"] ?? 1,
    timeoutUs: seconds === undefined ? undefined : seconds * 1_000_000,
    rolloverTo: 0,
    fileBytes: values["tsize"],
    group,
    accepted,
  };
}

/** Whether a server may answer `value` where `asked` was asked. */
function isAnswer(name: string, value: number | undefined, asked: number): boolean {
  if (value === undefined) return false;
  switch (name) {
    // RFC 2348 and RFC 7440 §3: what was asked, or less.
    case "blksize":
      return value >= blockBytesMin && value <= asked;
    case "windowsize":
      return value >= 1 && value <= asked;
    // RFC 2349: "The server sends the value back".
    case "timeout":
      return value === asked;
    default:
      return name === "tsize";
  }
}

/** RFC 2090: later OACKs may leave out the address and the port, the first one may not. */
function isWhole(offer: GroupOffer | undefined): boolean {
  return offer !== undefined && offer.address !== "" && offer.port !== 0;
}
