// The back of an envelope (bench): what the kernel has to do for each load, from the prices of the single things, before anything is run. Pure.
// Whoever is far above it does more than has to be done; whoever is below it has found something that is cheaper together.

import { markdownTable } from "../page.ts";
import { figureText, mainAspect, type RowFigures } from "./figures.ts";
import { messageKey, type MessagePrice, type Prices } from "./prices.ts";
import { type Row, rowName } from "./rows.ts";

/** What a load comes to. `value` is in the unit of the row's main figure. */
export interface Envelope {
  /** What must be done, in words with prices. */
  readonly work: string;
  /** System calls of the server, with 64 messages in each where there are as many clients: per GB, transfer or block. */
  readonly calls: string;
  readonly value: number;
  readonly text: string;
}

const HEADER_BYTES = 4;
/** An OACK or ERROR is some 30 bytes: its price is an ACK's. */
const REPLY = messageKey(1, HEADER_BYTES);
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_507;
const BATCH = 64;

/** The messages whose prices {@link envelopeOf} needs for these rows. */
export function messagesOf(rows: readonly Row[]): readonly string[] {
  return [...new Set([REPLY, ...rows.flatMap((row) => Object.keys(messagesOfWindow(row)))])];
}

/** Undefined of what is not made of these things alone: uploads wait for disks. */
export function envelopeOf(row: Row, prices: Prices): Envelope | undefined {
  if (row.kind === "put" || !row.hasFloor) return undefined;
  if (row.kind === "miss") return missEnvelope(prices);
  if (row.measure === "speed") return speedEnvelope(row, prices);
  const reply = priceOf(prices, REPLY);
  const windows = Math.ceil((row.fileBytes + 1) / row.blockBytes / row.windowBlocks);
  const window = sumOf(row, prices, ({ sendUs }) => sendUs);
  const transferUs = windows * (window + reply.receiveUs) + reply.sendUs + reply.receiveUs;
  const perWindow = `${windowText(row)} (${us(window)}) and one ACK (${us(reply.receiveUs)})`;
  const messages = windows * (1 + messageCount(row));
  if (row.measure === "cost of a transfer") {
    const value = transferUs + prices.fileUs;
    return {
      work: `a file of 64 KiB (${us(prices.fileUs)}), then ${windows} times ${perWindow}`,
      calls: `${(messages / BATCH).toFixed(1)} per file`,
      value,
      text: us(value),
    };
  }
  const perGb = 1e9 / row.fileBytes;
  const value = (transferUs * perGb) / 1e6;
  return {
    work: `${(windows * perGb).toFixed(0)} times ${perWindow}`,
    calls: `${((messages * perGb) / BATCH).toFixed(0)} per GB`,
    value,
    text: `${value.toFixed(3)} s/GB`,
  };
}

/** One client and one server wait for each other: what both do for a window stands one behind the other. */
function speedEnvelope(row: Row, prices: Prices): Envelope {
  const reply = priceOf(prices, REPLY);
  const send = sumOf(row, prices, ({ sendAloneUs }) => sendAloneUs);
  const receive = sumOf(row, prices, ({ receiveAloneUs }) => receiveAloneUs);
  const ack = reply.sendAloneUs + reply.receiveAloneUs;
  const value = (row.blockBytes * row.windowBlocks) / (send + receive + ack);
  return {
    work: `for each window one behind the other: ${windowText(row)} sent (${us(send)}) and received (${us(receive)}), an ACK sent and received (${us(ack)})`,
    calls: "2 per window",
    value,
    text: `${value.toFixed(0)} MB/s`,
  };
}

function missEnvelope(prices: Prices): Envelope {
  const { sendUs, receiveUs } = priceOf(prices, REPLY);
  const value = sendUs + receiveUs + prices.missUs;
  return {
    work: `a request received (${us(receiveUs)}), a name that is not there (${us(prices.missUs)}), an ERROR sent (${us(sendUs)})`,
    calls: `${(1 + 2 / BATCH).toFixed(2)} per reply`,
    value,
    text: us(value),
  };
}

/** The messages of one window, and how many there are of each. */
function messagesOfWindow({ blockBytes, windowBlocks }: Row): Readonly<Record<string, number>> {
  const most = segmentsMax(blockBytes);
  const full = Math.floor(windowBlocks / most);
  const rest = windowBlocks % most;
  const bytes = blockBytes + HEADER_BYTES;
  return {
    ...(full > 0 ? { [messageKey(most, bytes)]: full } : {}),
    ...(rest > 0 ? { [messageKey(rest, bytes)]: 1 } : {}),
  };
}

function segmentsMax(blockBytes: number): number {
  return Math.min(SEGMENTS_MAX, Math.floor(MESSAGE_BYTES_MAX / (blockBytes + HEADER_BYTES)));
}

function messageCount(row: Row): number {
  return Object.values(messagesOfWindow(row)).reduce((sum, count) => sum + count, 0);
}

function sumOf(row: Row, prices: Prices, of: (price: MessagePrice) => number): number {
  return Object.entries(messagesOfWindow(row)).reduce(
    (sum, [key, count]) => sum + count * of(priceOf(prices, key)),
    0,
  );
}

function priceOf(prices: Prices, key: string): MessagePrice {
  const price = prices.messages[key];
  if (price === undefined) throw new Error(`a message of ${key} bytes has no price`);
  return price;
}

/** `1 message of 16 datagrams`. */
function windowText(row: Row): string {
  if (row.windowBlocks === 1) return "one datagram";
  const count = messageCount(row);
  return `${count} ${count === 1 ? "message" : "messages"} of ${row.windowBlocks} datagrams`;
}

function us(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} µs`;
}

/** The envelope of each row beside what the floor and ours took. */
export function envelopeTable(all: readonly RowFigures[], prices: Prices): string {
  const head = ["load", "what the kernel must do", "calls", "so", "floor", "snow-owl-tftp"];
  const lines: string[][] = [];
  for (const { row, ours, floor } of all) {
    const envelope = envelopeOf(row, prices);
    if (envelope === undefined || floor === undefined) continue;
    const aspect = mainAspect(row);
    const [theirs, our] = [floor, ours].map((each) => figureText(row, each, aspect));
    const { work, calls, text } = envelope;
    lines.push([rowName(row), work, calls, text, theirs ?? "", our ?? ""]);
  }
  return markdownTable(head, lines, 3);
}
