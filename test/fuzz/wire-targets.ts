// What peers send: packets, requests and the options in them, a server's OACK as our client reads it, netascii. Nothing is thrown, the bytes
// behind a datagram do not count, and what is accepted can be written back and is read as the same.

import * as fc from "fast-check";

import { Random } from "#base/random.ts";
import { agree, type Agreement } from "#protocol/agreement.ts";
import { multicastOption } from "#protocol/group.ts";
import { NetasciiDecoder, NetasciiEncoder } from "#protocol/netascii.ts";
import {
  blockBytesMin,
  decimal,
  encodeOack,
  type GrantLimits,
  negotiate,
  optionNames,
} from "#protocol/options.ts";
import {
  ackBytes,
  blockNumber,
  dataHeaderBytes,
  encodeError,
  encodeOackOptions,
  encodeRequest,
  errorCode,
  errorMessage,
  oackStringsOffset,
  Opcode,
  type Option,
  packetKind,
  writeAck,
  writeDataHeader,
} from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";
import { parseOptions, parseRequest, type Request, requestBytesMax } from "#protocol/request.ts";

import { bytesOf, demand, demandSame, hexCorpus, piecesOf, type Target, words } from "./target.ts";

const optionTokens: readonly string[] = [
  ...optionNames,
  ...words(
    "BLKSIZE msftwindow 31416 0 1 8 512 1428 65464 255 octet netascii mail OcTeT pxelinux.0 é",
  ),
  "",
].map((word) => `${word}\0`);

const option: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...optionNames, "x", "BlkSize"),
    fc.oneof(
      fc.nat().map(String),
      fc.constantFrom("", "-1", "00512", "1e3", "65465", "9".repeat(30)),
    ),
  )
  .map(([name, value]) => `${name}\0${value}\0`);

const options: fc.Arbitrary<string> = fc.array(option, { maxLength: 9 }).map((all) => all.join(""));

const request: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom("\0\u0001", "\0\u0002"),
    fc.string({ maxLength: 20 }),
    fc.constantFrom("octet", "netascii", "OCTET", "mail", ""),
    options,
  )
  .map(([opcode, name, mode, asked]) => bytesOf(`${opcode}${name}\0${mode}\0${asked}`));

const packet: fc.Arbitrary<Uint8Array> = fc.oneof(
  request,
  fc
    .tuple(fc.integer({ min: 3, max: 6 }), fc.uint8Array({ maxLength: 40 }))
    .map(([opcode, rest]) => Uint8Array.of(0, opcode, ...rest)),
);

const netascii = piecesOf(["\r", "\n", "\0", "\r\n", "\r\0", "a", "é"], 60);
const oack = options.map((text) => bytesOf(`\u001f\0\u0006${text}`));

export const wireTargets: readonly Target[] = [
  wireTarget("packet", packet, judgePacket),
  wireTarget("request", request, judgeRequest),
  wireTarget("options", options.map(bytesOf), judgeOptions),
  wireTarget("oack", oack, judgeOack),
  wireTarget("netascii", netascii, judgeNetascii),
];

function wireTarget(name: string, shape: Target["shape"], judge: Target["judge"]): Target {
  const corpus = hexCorpus(`${name}.hex`);
  return {
    name,
    corpus,
    shape,
    tokens: optionTokens.map(bytesOf),
    separator: 0,
    inputs: 5000,
    judge,
  };
}

/** The datagram in a receive buffer in which others stood before: what is behind it must not matter. */
function* received(input: Uint8Array): Generator<Uint8Array> {
  for (const before of [0, 0x41]) {
    const buffer = new Uint8Array(input.length + 64).fill(before);
    buffer.set(input);
    // Whoever looks for the end of a string finds one, too late.
    buffer[buffer.length - 1] = 0;
    yield buffer;
  }
}

function judgePacket(input: Uint8Array): void {
  const { length } = input;
  const kind = packetKind(input, length);
  const printed = printPacket(input);
  for (const buffer of received(input)) {
    demandSame(packetKind(buffer, length), kind, "the kind is that of the datagram alone");
    demandSame(printPacket(buffer, length), printed, "what is printed is the datagram alone");
  }
  demand(/^[ -~]*$/.test(printed), "a printed packet is one line of ASCII");
  demand(printed.length <= 64 + 4 * length, "a byte takes four characters at most");
  if (kind === Opcode.data || kind === Opcode.ack) {
    const header = new Uint8Array(Math.max(ackBytes, dataHeaderBytes));
    const write = kind === Opcode.data ? writeDataHeader : writeAck;
    write(header, 0, blockNumber(input));
    demandSame(header, input.slice(0, header.length), "a header is written as it was read");
  }
  if (kind === Opcode.error) {
    const written = encodeError(errorCode(input), errorMessage(input, length));
    // The closing NUL may be missing, and there may be more behind it.
    demandSame(
      written.slice(0, -1),
      input.slice(0, written.length - 1),
      "an ERROR is written as it was read",
    );
  }
}

function judgeRequest(input: Uint8Array): void {
  const { length } = input;
  const parsed = parseRequest(input, length);
  for (const buffer of received(input)) {
    demandSame(parseRequest(buffer, length), parsed, "a request is the datagram alone");
  }
  if (parsed.kind === "fault") return;
  demand(length <= requestBytesMax, "no longer request is read");
  const { kind, mode, nameBytes } = parsed;
  demand(nameBytes.length > 0 && !nameBytes.includes(0), "a name is not empty and has no NUL");
  const opcode = kind === "read" ? Opcode.rrq : Opcode.wrq;
  const written = encodeRequest(opcode, nameBytes, mode, parsed.options);
  demand(written.length <= length, "what was understood is no longer than what was said");
  demandSame(parseRequest(written, written.length), parsed, "a request is read as it was written");
  for (const limits of someLimits) judgeGrant(parsed, limits);
}

const someLimits: readonly GrantLimits[] = [
  { blockBytesMax: 65_464, windowBlocksMax: 65_535, windowBytesMax: 2 ** 32, refused: new Set() },
  { blockBytesMax: 1428, windowBlocksMax: 16, windowBytesMax: 16_384, refused: new Set(["tsize"]) },
  { blockBytesMax: 8, windowBlocksMax: 1, windowBytesMax: 1, refused: new Set() },
];

/** Nothing is granted that was not asked, nor more than was asked and is allowed; and the OACK says just that. */
function judgeGrant(asked: Request, limits: GrantLimits): void {
  for (const fileBytes of [undefined, 0, Number.MAX_SAFE_INTEGER]) {
    const grant = negotiate(asked, limits, fileBytes);
    const { accepted, blockBytes, windowBlocks } = grant;
    const places = accepted.map(({ name }) =>
      asked.options.findIndex((each) => each.name === name),
    );
    demand(!places.includes(-1), "nothing is granted that was not asked");
    demandSame(
      places,
      [...new Set(places)].toSorted((a, b) => a - b),
      "each is granted once, in the order asked",
    );
    const names = accepted.map(({ name }) => name);
    demand(!names.some((name) => limits.refused.has(name)), "what is refused is not granted");
    // tftp-hpa's blksize2 is 512 or more whatever the limit is, as a transfer without options is.
    const blockBytesMax = Math.max(limits.blockBytesMax, 512);
    demand(
      blockBytes >= blockBytesMin && blockBytes <= blockBytesMax,
      "a block has a size that is allowed",
    );
    demand(
      windowBlocks >= 1 && windowBlocks <= limits.windowBlocksMax,
      "a window has a length that is allowed",
    );
    demand(
      windowBlocks === 1 || windowBlocks * blockBytes <= limits.windowBytesMax,
      "a window has a size that is allowed",
    );
    for (const name of ["blksize", "windowsize"]) {
      const most = decimal(valueOf(asked.options, name)) ?? Infinity;
      demand(Number(valueOf(accepted, name)) <= most, `no more ${name} is granted than was asked`);
    }
    const oack = encodeOack(grant);
    demandSame(
      oack === undefined,
      accepted.length === 0,
      "there is an OACK where something was accepted",
    );
    if (oack === undefined) continue;
    demandSame(
      parseOptions(oack, oackStringsOffset, oack.length),
      accepted,
      "an OACK is read as it was written",
    );
  }
}

function valueOf(all: readonly Option[], wanted: string): string {
  return all.find(({ name }) => name === wanted)?.value ?? "";
}

function judgeOptions(input: Uint8Array): void {
  const { length } = input;
  const parsed = parseOptions(input, 0, length);
  for (const buffer of received(input)) {
    demandSame(parseOptions(buffer, 0, length), parsed, "options are of the datagram alone");
  }
  const written = encodeOackOptions(parsed);
  demandSame(
    parseOptions(written, oackStringsOffset, written.length),
    parsed,
    "options are read as they were written",
  );
  demand(
    written.length <= length + oackStringsOffset,
    "what was understood is no longer than what was said",
  );
  for (const { value } of parsed) {
    const number = decimal(value);
    if (number === undefined) continue;
    demandSame(
      String(number),
      value.replace(/^0+(?=.)/, ""),
      "a number is the digits that were sent",
    );
  }
}

/** What a client can ask; the first byte of an input says which of them it asked. */
const askable: readonly Option[] = [
  { name: "tsize", value: "0" },
  { name: "blksize", value: "1428" },
  { name: "timeout", value: "3" },
  { name: "windowsize", value: "16" },
  { name: "blksize", value: "8" },
  multicastOption,
];

function judgeOack(input: Uint8Array): void {
  const [which = 0] = input;
  const asked = askable.filter((_, bit) => (which & (1 << bit)) !== 0);
  const oack = input.slice(1);
  const agreed = agree(asked, oack, oack.length);
  for (const buffer of received(oack)) {
    demandSame(agree(asked, buffer, oack.length), agreed, "an OACK is the datagram alone");
  }
  if ("fault" in agreed) {
    demand(agreed.fault.length <= 64 + oack.length, "a fault is no longer than what it is about");
    return;
  }
  judgeAgreement(asked, agreed);
  const written = encodeOackOptions(agreed.accepted);
  demandSame(
    agree(asked, written, written.length),
    agreed,
    "an agreement is read as it was written",
  );
}

/** A server cannot have a client do what it did not ask. */
function judgeAgreement(
  asked: readonly Option[],
  { blockBytes, windowBlocks, timeoutUs, fileBytes, group, accepted }: Agreement,
): void {
  demand(
    accepted.every(({ name }) => asked.some((option) => option.name === name)),
    "only what was asked is agreed on",
  );
  const blockBytesMax = Number(valueOf(asked, "blksize") || "512");
  demand(
    blockBytes === 512 || (blockBytes >= blockBytesMin && blockBytes <= blockBytesMax),
    "a block is no larger than asked",
  );
  demand(
    windowBlocks >= 1 && windowBlocks <= Number(valueOf(asked, "windowsize") || "1"),
    "a window is no longer than asked",
  );
  demand(timeoutUs === undefined || timeoutUs === 3_000_000, "a timeout is the one that was asked");
  demand(fileBytes === undefined || Number.isSafeInteger(fileBytes), "a size is a number");
  if (group === undefined) return;
  demand(asked.includes(multicastOption), "a multicast is one that was asked for");
  demand(group.address !== "" && group.port > 0 && group.port < 65_536, "a multicast is somewhere");
}

/** Bytes that are no netascii come in as well: nothing is lost of them but the NUL and LF behind a CR, which are its second half. */
function judgeNetascii(input: Uint8Array): void {
  const encoded = encodedIn(input, [encodedBytesMax(input)]);
  demand(encoded.length <= 2 * input.length, "a byte becomes two at most");
  demandSame(decodedIn(encoded, [encoded.length]), input, "what is encoded decodes to what it was");
  const decoded = decodedIn(input, [input.length]);
  demand(decoded.length <= input.length, "decoding never grows a text");
  if (isNetascii(input)) {
    demandSame(
      encodedIn(decoded, [encodedBytesMax(decoded)]),
      input,
      "netascii is written as it was read",
    );
  }
  const cuts = cutsFor(input);
  demandSame(encodedIn(input, cuts), encoded, "cuts do not change what is encoded");
  demandSame(decodedIn(input, cuts), decoded, "cuts do not change what is decoded");
}

function encodedBytesMax(input: Uint8Array): number {
  return 2 * input.length + 1;
}

/** Some lengths of blocks, the same for the same input. */
function cutsFor(input: Uint8Array): readonly number[] {
  const random = new Random(input.reduce((sum, byte) => sum * 31 + byte, 7));
  return Array.from({ length: 5 }, () => 1 + random.below(9));
}

/** Encodes into blocks of these lengths in turn, each by an encoder that goes on where the one before it ended. */
function encodedIn(text: Uint8Array, cuts: readonly number[]): Uint8Array {
  const out = new Uint8Array(encodedBytesMax(text));
  let from = 0;
  let to = 0;
  let pending = -1;
  for (let block = 0; from < text.length || pending !== -1; block++) {
    const encoder = new NetasciiEncoder();
    encoder.resume(pending);
    const end = Math.min(to + (cuts[block % cuts.length] ?? 1), out.length);
    encoder.encode(text, from, text.length, out, to, end);
    demand(encoder.produced > 0, "every block takes the encoder further");
    from += encoder.consumed;
    to += encoder.produced;
    pending = encoder.pending;
  }
  return out.slice(0, to);
}

/** Decodes pieces of these lengths in turn. */
function decodedIn(text: Uint8Array, cuts: readonly number[]): Uint8Array {
  const decoder = new NetasciiDecoder();
  const out = new Uint8Array(text.length + 1);
  let to = 0;
  let from = 0;
  for (let piece = 0; from < text.length; piece++) {
    const end = Math.min(from + (cuts[piece % cuts.length] ?? 1), text.length);
    decoder.decode(text, from, end, out, to, out.length);
    demand(decoder.consumed > 0, "every piece takes the decoder further");
    from += decoder.consumed;
    to += decoder.produced;
  }
  decoder.finish(out, to);
  return out.slice(0, to + decoder.produced);
}

/** Whether every CR has its LF or NUL, and every LF its CR (RFC 1350 §1, RFC 764). */
function isNetascii(bytes: Uint8Array): boolean {
  return /^(?:\r[\n\0]|[^\r\n])*$/.test(new TextDecoder("latin1").decode(bytes));
}
