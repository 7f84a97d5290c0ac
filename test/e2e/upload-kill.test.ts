// SIGKILL of the running executable at many moments of an upload over a file that exists (end-to-end): after a new start the name
// holds the old bytes or the new ones, whole, the new ones if the client had its last ACK; and nothing else is there.

import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { type Server, startServer, temporaryFolder } from "./server.ts";
import { beginUpload, everythingIn, sendBlocks, uploadTables } from "./uploading.ts";
import { ack, dataPacket, openPeer, type Peer, readRequest, takeRest } from "./wire.ts";

const blockBytes = 8192;
const options = [["blksize", blockBytes]] as const;
const old = bytesOf(500_000, 41);
const fresh = bytesOf(1_000_000, 42);
const leftOver = `in/.snow-owl-upload-${"0123456789ab".repeat(2)}`;
const lastBlock = Math.floor(fresh.length / blockBytes) + 1;
const lastAck = `ACK ${lastBlock}`;

/** When the server is killed: before a block is sent, so long after the last one was, or when that has been acknowledged. */
type Moment =
  { readonly beforeBlock: number } | { readonly afterLastMs: number } | "when-acknowledged";

/** Over the whole upload, and densely over the time that writing, syncing and naming take here. */
function momentsOf(publishMs: number): readonly Moment[] {
  return [
    ...Array.from({ length: 14 }, (_, index) => ({ beforeBlock: 1 + index * 9 })),
    ...Array.from({ length: 36 }, (_, index) => ({ afterLastMs: (index / 30) * publishMs })),
    "when-acknowledged",
  ];
}

/** A server starts once for each moment; on a busy machine that takes two seconds. */
const timeLimitMs = 240_000;

test("killed at 51 moments, with nothing kept", () => killAtMoments([], 1), timeLimitMs);

test(
  "killed at 26 moments, with a version kept, and verified",
  () => killAtMoments(["keep_versions = 1", "verify = true"], 2),
  timeLimitMs,
);

/** Takes every `step`-th of the moments. */
async function killAtMoments(keys: readonly string[], step: number): Promise<void> {
  using root = temporaryFolder();
  const tables = uploadTables(["overwrite = true", ...keys]);
  let server = await startServer({ root: root.path, tables });
  const file = join(root.path, "in/file");
  const outcomes = new Set<string>();
  try {
    const moments = momentsOf(await publishMs(server));
    for (const moment of moments.filter((_, index) => index % step === 0)) {
      server.put("in/file", old);
      const isAcknowledged = await killUnderWay(server, moment);
      await server.stop();
      // What is left where a file system knows no files without a name.
      writeFileSync(join(root.path, leftOver), fresh);

      server = await startServer({ root: root.path, tables });
      const bytes = readFileSync(file);
      const isOld = compare(bytes, old) === "identical";
      const outcome = isOld ? "old" : compare(bytes, fresh);
      outcomes.add(outcome);
      const story = `${JSON.stringify(moment)}, ACK ${isAcknowledged}: ${outcome}`;
      expect(story).toMatch(isAcknowledged ? /: identical$/ : /: (?:old|identical)$/);
      expect(everythingIn(root.path).filter(isLeftOver)).toEqual([]);
      expect(compareVersion(`${file}.~1~`)).toBe("identical");
      expect(await fetch(server)).toBe(`${isOld ? old.length : fresh.length} bytes`);
    }
  } finally {
    await server.stop();
  }
  // Otherwise the moments missed what they are for.
  expect([...outcomes].toSorted()).toEqual(["identical", "old"]);
}

/** How long the last ACK takes. */
async function publishMs(server: Server): Promise<number> {
  using peer = await openPeer();
  const first = await beginUpload(peer, server.port, "in/file", options);
  await sendBlocks(peer, first, fresh, { blockBytes, until: lastBlock });
  const startMs = performance.now();
  expect(await sendBlocks(peer, first, fresh, { blockBytes, from: lastBlock })).toBe(lastAck);
  return performance.now() - startMs;
}

/** Uploads over the file until `moment`, then kills the server. Whether the last ACK had come. */
async function killUnderWay(server: Server, moment: Moment): Promise<boolean> {
  using peer = await openPeer();
  const first = await beginUpload(peer, server.port, "in/file", options);
  if (moment === "when-acknowledged") {
    expect(await sendBlocks(peer, first, fresh, { blockBytes })).toBe(lastAck);
  } else {
    const until = "beforeBlock" in moment ? moment.beforeBlock : lastBlock;
    await sendBlocks(peer, first, fresh, { blockBytes, until });
    if ("afterLastMs" in moment) {
      const rest = fresh.subarray((lastBlock - 1) * blockBytes);
      peer.send(dataPacket(lastBlock, rest), first.port);
      await pause(moment.afterLastMs);
    }
  }
  server.kill("SIGKILL");
  await server.exited;
  return moment === "when-acknowledged" || hasLastAck(peer);
}

async function hasLastAck(peer: Peer): Promise<boolean> {
  // What had been sent is in the socket's buffer; a moment lets the event loop read it.
  await Bun.sleep(20);
  return peer.waiting().some(({ text }) => text === lastAck);
}

/** Waits for a time too short for timers. */
async function pause(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  if (ms > 2) await Bun.sleep(ms - 1);
  while (performance.now() < untilMs);
}

function isLeftOver(path: string): boolean {
  return !["in/", "in/file", "in/file.~1~"].includes(path);
}

/** A version is whole as well: the old content, or what an upload before this one had put there. */
function compareVersion(path: string): string {
  if (!existsSync(path)) return "identical";
  const bytes = readFileSync(path);
  return compare(bytes, bytes.length === old.length ? old : fresh);
}

/** How many bytes a client gets, who cannot have a left-over at all. */
async function fetch(server: Server): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest(leftOver), server.port);
  expect((await peer.next()).text).toStartWith("ERROR 1 ");
  peer.send(readRequest("in/file", options), server.port);
  peer.send(ack(0), (await peer.next()).port);
  const rest = await takeRest(peer, await peer.next(), blockBytes);
  return typeof rest === "string" ? rest : `${rest.length} bytes`;
}
