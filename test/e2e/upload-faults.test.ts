// What can go wrong with an upload (end-to-end, real files): the disk fills up, the folder goes, the client goes, the server is
// told to stop. Each time the client is told, the name holds what it held, and nothing else is left.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bytesOf } from "./bytes.ts";
import { skipBecause } from "./clients.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import {
  beginUpload,
  compareFile,
  everythingIn,
  sendBlocks,
  upload,
  uploadTables,
} from "./uploading.ts";
import { type Datagram, dataPacket, errorPacket, openPeer, writeRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(60_000);

const content = bytesOf(20 * 512 + 5, 31);
const before = bytesOf(30 * 512 + 7, 32);
const lastAck = "ACK 21";
const large = [["blksize", 8192]] as const;

describe("a disk", () => {
  const disk = mountSmallDisk();
  afterAll(() => disk?.[Symbol.dispose]());
  const name = "that fills up under way is ERROR 3, and has its room back";
  if (disk !== undefined) test(name, () => fillsUp(disk.path));
  else skipBecause(name, "a small tmpfs needs root, and a container that allows mounts");
});

describe("a folder", () => {
  test("that is removed under way ends the upload with an ERROR, and is not made again", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/a/file");
    expect(await sendBlocks(peer, first, content, { until: 11 })).toBe("ACK 10");
    rmSync(join(server.root, "in/a"), { recursive: true });
    expect(await sendBlocks(peer, first, content, { from: 11 })).toStartWith("ERROR 1 ");
    expect(everythingIn(server.root)).toEqual(["in/"]);
    // And it is no end of the matter for the next one.
    expect(await upload(server.port, "in/a/file", content)).toBe(lastAck);
    expect(stored(server, "in/a/file")).toBe("identical");
  });
});

describe("a client", () => {
  const patient = [
    ...uploadTables(["overwrite = true", "patience_secs = 1"]),
    "[transfer]",
    "retransmit_timeout_ms = 100",
  ];

  test("that vanishes leaves nothing, and the name is free for the next", async () => {
    await using server = await startServer({ tables: patient });
    server.put("in/file", before);
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    expect(await sendBlocks(peer, first, content, { until: 11 })).toBe("ACK 10");
    await until(() => server.log().includes("failed to receive in/file (gave-up)"), "its log line");
    expect(everythingIn(server.root)).toEqual(["in/", "in/file"]);
    expect(compareFile(join(server.root, "in/file"), before)).toBe("identical");
    expect(peer.waiting().at(-1)?.text).toStartWith("ERROR 0 ");
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
  });

  test("that sends an ERROR leaves nothing", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 11 });
    peer.send(errorPacket(0, "changed my mind"), first.port);
    await until(() => server.log().includes("in/file (closed-by-client)"), "its log line");
    expect(everythingIn(server.root)).toEqual(["in/"]);
    expect(peer.waiting()).toEqual([]);
  });

  test("that repeats its request before the first block is answered again by the same upload", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    const again = await beginUpload(peer, server.port, "in/file");
    expect(again).toEqual(first);
    expect(await sendBlocks(peer, first, content)).toBe(lastAck);
    expect(stored(server, "in/file")).toBe("identical");
  });

  test("that starts over from its port has one whole file", async () => {
    await using server = await startServer({ tables: uploadTables() });
    for (const [index, blocks] of [1, 2, 11, 20].entries()) {
      const name = `in/${index}`;
      using peer = await openPeer();
      const first = await beginUpload(peer, server.port, name);
      await sendBlocks(peer, first, before, { until: blocks + 1 });
      // With other options, so that it is no repetition of the request.
      const second = await beginUpload(peer, server.port, name, [["blksize", 1024]]);
      expect(second.text).toBe("OACK blksize=1024");
      expect(await sendBlocks(peer, second, content, { blockBytes: 1024 })).toBe("ACK 11");
      expect(compareFile(join(server.root, name), content)).toBe("identical");
    }
    expect(everythingIn(server.root)).toEqual(["in/", "in/0", "in/1", "in/2", "in/3"]);
  });

  test("that falls silent and sends its request again from its port has one whole file", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, before, { until: 11 });
    // For two seconds it counts as a copy of the first request, and what comes is ACK 10 again, a few times.
    const answers: Datagram[] = [];
    await until(() => {
      peer.send(writeRequest("in/file"), server.port);
      answers.push(...peer.waiting().filter(({ text }) => text === "ACK 0"));
      return answers.length > 0;
    }, "the first answer of a new upload");
    while (peer.waiting().length > 0) await peer.next();
    const [answer] = answers;
    if (answer === undefined) throw new Error("there is an answer");
    expect(answer.port).not.toBe(first.port);
    expect(await sendBlocks(peer, answer, content)).toBe(lastAck);
    expect(stored(server, "in/file")).toBe("identical");
  });

  test("that starts over from another port gets ERROR 6 until the first is given up", async () => {
    await using server = await startServer({ tables: patient });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, before, { until: 11 });
    expect(await upload(server.port, "in/file", content)).toStartWith("ERROR 6 ");
    await until(() => server.log().includes("(gave-up)"), "the end of the first");
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
    expect(stored(server, "in/file")).toBe("identical");
  });

  test("whose last ACK was lost is answered again, and its file is not written again", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    expect(await sendBlocks(peer, first, content)).toBe(lastAck);
    rmSync(join(server.root, "in/file"));
    expect(await sendBlocks(peer, first, content, { from: 21 })).toBe(lastAck);
    expect(everythingIn(server.root)).toEqual(["in/"]);
  });

  test("that sends a block twice has it once in its file", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    let text = "";
    for (let block = 1; block <= 21; block += 1) {
      const repeated = content.subarray((block - 2) * 512, (block - 1) * 512);
      if (block > 1) peer.send(dataPacket(block - 1, repeated), first.port);
      text = await sendBlocks(peer, first, content, { from: block, until: block + 1 });
    }
    expect(text).toBe(lastAck);
    expect(stored(server, "in/file")).toBe("identical");
  });
});

describe("SIGTERM", () => {
  test("lets a running upload end whole, and refuses a new one", async () => {
    // One worker, because another one would have nobody to serve, and would be gone.
    const alone = ["[performance.platform.worker_pool]", "worker_count = 1"];
    const tables = [...uploadTables(), ...alone, "[transfer]", "drain_secs = 600"];
    await using server = await startServer({ tables });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 11 });
    server.kill("SIGTERM");
    await until(() => server.log().includes("server_draining"), "the drain");
    using late = await openPeer();
    late.send(writeRequest("in/late"), server.port);
    expect((await late.next()).text).toStartWith("ERROR 0 ");
    expect(await sendBlocks(peer, first, content, { from: 11 })).toBe(lastAck);
    expect(await server.exited).toBe(0);
    expect(server.log()).toContain("uploads_completed=1 uploads_failed=0");
    expect(stored(server, "in/file")).toBe("identical");
    expect(everythingIn(server.root)).toEqual(["in/", "in/file"]);
  });

  test("cuts off at the deadline, tells the client, and leaves nothing", async () => {
    const short = [...uploadTables(["overwrite = true"]), "[transfer]", "drain_secs = 1"];
    await using server = await startServer({ tables: short });
    server.put("in/file", before);
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 11 });
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    let { text } = await peer.next();
    // It had begun to repeat itself.
    while (text === "ACK 10") ({ text } = await peer.next());
    expect(text).toStartWith("ERROR 0 ");
    expect(server.log()).toContain("uploads_completed=0 uploads_failed=1");
    expect(compareFile(join(server.root, "in/file"), before)).toBe("identical");
    expect(everythingIn(server.root)).toEqual(["in/", "in/file"]);
  });
});

async function fillsUp(disk: string): Promise<void> {
  const root = `root_dir = ${JSON.stringify(disk)}`;
  await using server = await startServer({ tables: uploadTables(["overwrite = true", root]) });
  mkdirSync(join(disk, "in"));
  writeFileSync(join(disk, "in/file"), before);
  const tooMuch = bytesOf(3_000_000, 33);
  for (let round = 0; round < 3; round += 1) {
    expect(await upload(server.port, "in/file", tooMuch, large)).toStartWith("ERROR 3 ");
    expect(everythingIn(disk)).toEqual(["in/", "in/file"]);
    expect(compareFile(join(disk, "in/file"), before)).toBe("identical");
  }
  const announced = [...large, ["tsize", tooMuch.length]] as const;
  using peer = await openPeer();
  const refusal = await beginUpload(peer, server.port, "in/file", announced);
  expect(refusal.text).toStartWith("ERROR 3 ");
  // What is left has its room back: three quarters of the disk go onto it.
  const fits = bytesOf(700_000, 34);
  expect(await upload(server.port, "in/file", fits, large)).toBe("ACK 86");
  expect(compareFile(join(disk, "in/file"), fits)).toBe("identical");
}

function stored(server: Server, name: string): string {
  return compareFile(join(server.root, name), content);
}

/** A tmpfs of 1 MiB, mounted until it is disposed of; undefined where that is not allowed. */
function mountSmallDisk(): (Disposable & { readonly path: string }) | undefined {
  const folder = temporaryFolder();
  const mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path];
  if (Bun.which("mount") === null || Bun.spawnSync(mount).exitCode !== 0) {
    folder[Symbol.dispose]();
    return undefined;
  }
  const unmount = (): void => {
    // The server may have gone a moment ago; a lazy unmount takes what is still open along.
    Bun.spawnSync(["umount", "--lazy", folder.path]);
    folder[Symbol.dispose]();
  };
  return { path: folder.path, [Symbol.dispose]: unmount };
}
