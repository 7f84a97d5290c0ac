// Allocation per packet, bounded by heap statistics (bench): one Sender, one PeerTable and one Outbox carry a million
// blocks over loopback. A loop that makes one object per packet stands beside it, so that a blind measure would show.

import { heapStats } from "bun:jsc";

import { encodeSockaddr, parseSocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { LOCAL_BYTES, NAME_BYTES } from "#ffi/message.ts";
import { bindSocket, openSocket, socketName } from "#ffi/socket.ts";
import { Outbox } from "#io/outbox.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { Sender, Transmit } from "#protocol/sender.ts";
import { PeerTable } from "#server/peer-table.ts";

import { BlockHeaders, HEADER_BYTES } from "./block-headers.ts";

const BLOCKS = 1_000_000;
const WINDOW = 16;
const BLOCK_BYTES = 1428;
const LOCAL = new Uint8Array(LOCAL_BYTES);
const listener = { handleRefusal: (): void => {} };

const fd: number = openSocket(4);
const any = parseSocketAddress("127.0.0.1:0");
if ("fault" in any || bindSocket(fd, any) < 0) throw new Error("no socket");
const self = socketName(fd);
if (typeof self === "number") throw new Error("no port");
// To ourselves, without reading: the kernel drops what does not fit, which costs no object here.
const name: Uint8Array = new Uint8Array(NAME_BYTES);
encodeSockaddr(name, 0, self);
const outbox: Outbox = new Outbox(fd, true);
const headers: BlockHeaders = new BlockHeaders();
const file: Arena = new Arena(BLOCK_BYTES);
const peers: PeerTable = new PeerTable(16);
peers.insert(0, 1, name, 0);

/** Carries `blocks` blocks in windows, each acknowledged at once. */
function carry(sender: Sender, from: number, blocks: number): void {
  for (let done = 0; done < blocks; done += WINDOW) {
    const nowUs = from + done;
    if (peers.find(1, name, 0) !== 0) throw new Error("the peer is known");
    sender.handleAck(wireBlock(from + done, 0), nowUs);
    while (sender.pollTransmit(WINDOW, nowUs) === Transmit.data) {
      outbox.begin(name, LOCAL, BLOCK_BYTES + HEADER_BYTES, 0, sender.firstBlock);
      for (let index = 0; index < sender.blockCount; index += 1) {
        outbox.push(headers.address(wireBlock(sender.firstBlock + index, 0)), HEADER_BYTES);
        outbox.push(file.address, BLOCK_BYTES);
      }
    }
    outbox.flush(listener);
  }
}

const sender: Sender = new Sender({
  blockBytes: BLOCK_BYTES,
  windowBlocks: WINDOW,
  rolloverTo: 0,
  timeoutUs: undefined,
  patienceUs: 30_000_000,
  hasOack: true,
  lastBlock: Infinity,
});
sender.start(0);
sender.pollTransmit(WINDOW, 0);
// Warm first: what the compiler keeps is not the packets'.
carry(sender, 0, BLOCKS);
const packets = boundOf(() => carry(sender, BLOCKS, BLOCKS));
const sent: number = sender.statistics.blocksSent;
if (sent < 2 * BLOCKS) throw new Error(`only ${sent} blocks were sent`);
const kept: { last: unknown } = { last: undefined };
const control = boundOf(() => {
  for (let index = 0; index < BLOCKS; index += 1) kept.last = { index };
});
console.log(JSON.stringify({ blocks: BLOCKS, packets, control }));

/** What `work` allocated. `isCollected`: the collector ran meanwhile, so the bound does not hold. */
interface Bound {
  readonly bytesPerPacketMax: number;
  readonly capacityGrowthBytes: number;
  readonly isCollected: boolean;
}

/**
 * The object count and heap size of `heapStats` are those of the last collection: they stay the same however much is
 * allocated after it. The capacity does grow, so capacity less the size before is the most that can have been used.
 */
function boundOf(work: () => void): Bound {
  Bun.gc(true);
  const before = heapStats();
  work();
  const after = heapStats();
  return {
    bytesPerPacketMax: (after.heapCapacity - before.heapSize) / BLOCKS,
    capacityGrowthBytes: after.heapCapacity - before.heapCapacity,
    isCollected: after.heapSize !== before.heapSize || after.objectCount !== before.objectCount,
  };
}
