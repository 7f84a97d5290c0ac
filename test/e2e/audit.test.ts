// The audit log of the executable: what belongs together is found together, files have their hash, boots are sampled, files make
// room for others, and the journal gets entries.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DatagramService } from "../datagram-service.ts";
import { bytesOf } from "./bytes.ts";
import { curl, hpa, run, skipBecause, testWith } from "./clients.ts";
import { type Server, startServer, until } from "./server.ts";
import { openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(30_000);

type Event = Readonly<Record<string, unknown>>;

const oneWorker = ["[performance.platform.worker_pool]", "worker_count = 1"];
const content = bytesOf(3_000_001, 21);
const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");

describe("events", () => {
  testWith(
    [curl],
    "of one client's boot have one correlation id, and say what was agreed",
    async () => {
      await using server = await startServer({ tables: [...json(), ...oneWorker] });
      server.put("file", content);
      const ask = { port: server.port, blockBytes: 1428 };
      await run(curl, { ...ask, name: "missing", from: "127.0.0.2" });
      await run(curl, { ...ask, name: "file", from: "127.0.0.2" });
      await run(curl, { ...ask, name: "file", from: "127.0.0.3" });
      await until(() => completed(server).length === 2, "two transfers");
      const own = events(server).filter(({ client_addr: peer }) => isFrom(peer, "127.0.0.2"));
      expect(own.map(({ event_type: type }) => type)).toEqual([
        "connection_initiated",
        "read_denied",
        "read_request",
        "transfer_started",
        "transfer_completed",
      ]);
      const ids = new Set(own.map(({ correlation_id: id }) => id));
      expect([...ids]).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
      const [first, second] = completed(server);
      expect(second?.["correlation_id"]).not.toBe(first?.["correlation_id"]);
      expect(first).toMatchObject({
        interface: "lo",
        bytes_transferred: 3_000_001,
        block_size: 1428,
        window_size: 1,
        blocks_resent: expect.any(Number) as number,
        options: expect.stringContaining("blksize=1428") as string,
        rtt_us: expect.any(Number) as number,
      });
      // Nobody asked for it.
      expect(first).not.toHaveProperty("sha256");
    },
  );

  testWith(
    [curl, hpa],
    "have the SHA-256 of what was sent, also of netascii and of a template",
    async () => {
      await using server = await startServer({
        tables: [
          ...json("audit_sha256 = true"),
          ...oneWorker,
          '[[template]]\nglob = "made"\ntext = "for {ip}"',
        ],
      });
      server.put("file", content);
      await run(curl, { port: server.port, name: "file", blockBytes: 8192 });
      await run(curl, { port: server.port, name: "file", blockBytes: 1428 });
      await run(hpa, { port: server.port, name: "file", mode: "netascii" });
      await run(curl, { port: server.port, name: "made" });
      await until(() => completed(server).length === 4, "four transfers");
      const hashes = completed(server).map((event) => String(event["sha256"]));
      const made = new Bun.CryptoHasher("sha256").update("for 127.0.0.1").digest("hex");
      expect(hashes.toSorted()).toEqual([sha256, sha256, sha256, made].toSorted());
    },
  );

  testWith([curl], "are left out by boots, but no trouble is", async () => {
    const table = "[performance]\naudit_sampling_rate = 0";
    await using server = await startServer({ tables: [...json(), table, ...oneWorker] });
    server.put("file", "x");
    await run(curl, { port: server.port, name: "file" });
    await run(curl, { port: server.port, name: "missing" });
    const denials = (): readonly Event[] =>
      events(server).filter(({ filename }) => filename === "missing");
    await until(() => denials().length === 1, "the denial");
    expect(completed(server)).toEqual([]);
    const clients = events(server).filter((event) => "client_addr" in event);
    expect(new Set(clients.map(({ severity }) => severity))).toEqual(new Set(["warn"]));
  });

  test("of a path that cannot be read are an access violation", async () => {
    await using server = await startServer({ tables: json() });
    server.put("folder/file", "x");
    using peer = await openPeer();
    peer.send(readRequest("folder"), server.port);
    expect((await peer.next()).text).toStartWith("ERROR 2");
    const named = (): Event | undefined =>
      events(server).find(({ event_type: type }) => type === "access_violation");
    await until(() => named() !== undefined, "its event");
    expect(named()).toMatchObject({ severity: "error", resource: "folder" });
  });
});

test("files make room by size, under load, and SIGHUP opens them again", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "audit");
  const logging = ["[logging]", 'level = "off"', `audit_file = "${file}"`];
  await using server = await startServer({
    tables: [...logging, "rotate_mb = 1", "rotate_keep = 2", ...oneWorker],
  });
  using peer = await openPeer();
  // Some 400 bytes for each request that is refused: more than two megabytes.
  for (let round = 0; round < 60 && !existsSync(`${file}.2`); round += 1) {
    for (let request = 0; request < 200; request += 1) {
      peer.send(readRequest(`missing-${round}-${"x".repeat(400)}`), server.port);
    }
    await Bun.sleep(20);
  }
  await until(() => existsSync(`${file}.2`), "the second rotation");
  server.kill("SIGHUP");
  await until(() => readFileSync(file, "utf8").includes("changed"), "the reload");
  for (const path of [file, `${file}.1`, `${file}.2`]) {
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty("event_type");
  }
  expect(existsSync(`${file}.3`)).toBe(false);
});

const title = "the journal gets an entry for each line, with the event's fields";
const mayMount =
  process.getuid?.() === 0 && Bun.spawnSync(["unshare", "-m", "true"]).exitCode === 0;
if (mayMount) testWith([curl], title, journalled);
else skipBecause(title, "a mount namespace needs root, and a kernel or container that allows it");

/** In a mount namespace whose journal is the test's own socket. */
async function journalled(): Promise<void> {
  using folder = temporaryFolder();
  using journal = new DatagramService(join(folder.path, "socket"));
  const script =
    'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"';
  await using server = await startServer({
    wrapper: ["unshare", "-m", "--propagation", "private", "sh", "-c", script, folder.path],
    tables: ["[logging]", 'file = "journal"'],
  });
  server.put("file", content);
  await run(curl, { port: server.port, name: "file", blockBytes: 1428 });
  const entries: string[] = [];
  const sent = (): string | undefined => {
    entries.push(...journal.waiting());
    return entries.find((entry) => entry.includes("MESSAGE=") && entry.includes("sent file"));
  };
  await until(() => sent() !== undefined, "an entry of the transfer");
  const fields = sent()?.trimEnd().split("\n") ?? [];
  expect(fields).toContain("PRIORITY=6");
  expect(fields).toContain("SYSLOG_IDENTIFIER=snow-owl-tftp");
  expect(fields).toContain("EVENT_TYPE=transfer_completed");
  expect(fields).toContain("BYTES_TRANSFERRED=3000001");
  expect(fields.find((field) => field.startsWith("CORRELATION_ID="))).toBeDefined();
}

function json(...keys: readonly string[]): readonly string[] {
  return ["[logging]", 'format = "json"', ...keys];
}

/** Every whole line so far, without the questions of the start. */
function events(server: Server): readonly Event[] {
  return server
    .log()
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event)
    .filter(({ filename }) => filename !== "are-you-ready");
}

function completed(server: Server): readonly Event[] {
  return events(server).filter(({ event_type: type }) => type === "transfer_completed");
}

function isFrom(peer: unknown, address: string): boolean {
  return typeof peer === "string" && peer.startsWith(`${address}:`);
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "snow-owl-audit-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
