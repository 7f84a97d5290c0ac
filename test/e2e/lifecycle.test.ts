// A server's life (end-to-end): draining, being told twice, clients that vanish or freeze, files in the working
// folder that must not matter, and a configuration in Snow-Owl's full form.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import packageJson from "../../package.json" with { type: "json" };
import { bytesOf, compare } from "./bytes.ts";
import { atftp, clients, curl, run, start, testWith } from "./clients.ts";
import { startServer, until } from "./server.ts";
import { type Datagram, openPeer, readRequest, takeRest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const content = bytesOf(200 * 512 + 1, 11);
const oneWorker = ["[performance.platform.worker_pool]", "worker_count = 1"];

describe("SIGTERM", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal}: a running transfer ends whole, and then the server does`, async () => {
      await using server = await startServer({ tables: ["[transfer]", "drain_secs = 600"] });
      server.put("file", content);
      using peer = await openPeer();
      peer.send(readRequest("file"), server.port);
      const first = await peer.next();
      server.kill(signal);
      expect(await refuses(server.port)).toBe(true);
      const rest = await takeRest(peer, first, 512);
      expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
      expect(await server.exited).toBe(0);
    });
  }

  test("as long as a transfer runs, everybody else is told that the server is shutting down", async () => {
    await using server = await startServer({
      tables: [
        "[transfer]",
        "drain_secs = 600",
        "[performance.platform.worker_pool]",
        "worker_count = 3",
      ],
    });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    const first = await peer.next();
    server.kill("SIGTERM");
    expect(await refuses(server.port)).toBe(true);
    // Two workers have nothing left to do; the kernel sends clients to them all the same.
    for (let client = 0; client < 16; client += 1) {
      using other = await openPeer();
      other.send(readRequest("file"), server.port);
      expect((await other.next()).text).toBe("ERROR 0 Server is shutting down");
    }
    const rest = await takeRest(peer, first, 512);
    expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
    expect(await server.exited).toBe(0);
  });

  test("without transfers it ends at once", async () => {
    await using server = await startServer({ tables: ["[transfer]", "drain_secs = 600"] });
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  test("a second one does not wait for the transfer", async () => {
    await using server = await startServer({ tables: ["[transfer]", "drain_secs = 600"] });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    await peer.next();
    server.kill("SIGTERM");
    expect(await refuses(server.port)).toBe(true);
    server.kill("SIGTERM");
    expect(await server.exited).toBeNumber();
  });

  test("a transfer that does not end is left behind at the deadline", async () => {
    await using server = await startServer({ tables: ["[transfer]", "drain_secs = 1"] });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    await peer.next();
    server.kill("SIGTERM");
    expect(await server.exited).toBeNumber();
  });
});

describe("a client that", () => {
  test("vanishes before its first ACK gets few repeats and then nothing", async () => {
    await using server = await startServer({
      tables: [...oneWorker, "[transfer]", "retransmit_timeout_ms = 100", "patience_secs = 3"],
    });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    await until(() => server.log().includes("failed file (never-answered)"), "its log line");
    await Bun.sleep(500);
    const texts = peer.waiting().map(({ text }) => text);
    // The first and at most five repeats, so that a forged request is worth little.
    expect(texts.filter((text) => text === "DATA 1 512").length).toBeLessThanOrEqual(6);
    expect(texts.filter((text) => text.startsWith("ERROR")).length).toBeLessThanOrEqual(1);
    expect(await fetchWhole(server.port)).toBe("identical");
  });

  test("asks again from its port is served again; a repetition that nobody wants is no failure", async () => {
    await using server = await startServer({
      tables: [...oneWorker, "[transfer]", "retransmit_timeout_ms = 20"],
    });
    server.put("file", content);
    using peer = await openPeer();
    for (let round = 0; round < 2; round += 1) {
      peer.send(readRequest("file"), server.port);
      const rest = await takeRest(peer, await peer.next(), 512);
      expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
    }
    peer.send(readRequest("file"), server.port);
    await until(() => server.log().includes("stopped file (late-repetition)"), "its log line");
    expect(server.log()).not.toContain("failed");
  });

  test("vanishes before acknowledging the OACK is sent the OACK again", async () => {
    await using server = await startServer({
      tables: ["[transfer]", "retransmit_timeout_ms = 100"],
    });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file", [["tsize", 0]]), server.port);
    const first = await peer.next();
    const again = await peer.next();
    expect(first.text).toStartWith("OACK");
    expect(again.bytes).toEqual(first.bytes);
    expect(again.port).toBe(first.port);
  });

  test("misses a DATA is sent it again", async () => {
    await using server = await startServer({
      tables: ["[transfer]", "retransmit_timeout_ms = 100"],
    });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    const lost = await peer.next();
    const again: Datagram = await peer.next();
    expect(again.bytes).toEqual(lost.bytes);
    const rest = await takeRest(peer, again, 512);
    expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
  });

  for (const client of [curl, atftp]) {
    testWith(
      [client],
      `is frozen under way (${client.name}) goes on when it wakes, and stops nobody else`,
      async () => {
        await using server = await startServer({ tables: oneWorker });
        const large = bytesOf(30_000_000, 12);
        server.put("large", large);
        server.put("file", content);
        const running = start(client, { port: server.port, name: "large", blockBytes: 512 });
        await Bun.sleep(50);
        running.kill("SIGSTOP");
        for (let round = 0; round < 5; round += 1) {
          expect(await fetchWhole(server.port)).toBe("identical");
        }
        running.kill("SIGCONT");
        const answer = await running.answer;
        expect(compare(answer.bytes, large)).toBe("identical");
      },
    );
  }
});

describe("the working folder", () => {
  test("a bunfig.toml and a .env in it are not read", async () => {
    await using server = await startServer();
    for (const [name, text] of [
      ["bunfig.toml", 'preload = ["./planted.ts"]\n'],
      ["planted.ts", 'require("node:fs").writeFileSync("ran", "");\n'],
      [".env", "SNOW_OWL_PLANTED=1\n"],
    ] as const) {
      writeFileSync(join(server.folder, name), text);
    }
    const version = Bun.spawnSync([join(server.folder, "snow-owl-tftp"), "--version"], {
      cwd: server.folder,
      env: {},
    });
    expect(version.stdout.toString() + version.stderr.toString()).toContain(packageJson.version);
    expect(existsSync(join(server.folder, "ran"))).toBe(false);
  });
});

describe("Snow-Owl's own configuration", () => {
  // The keys of the original's phase 2 file, whole.
  const tables = `
[multicast]
enabled = false
multicast_addr = "ff12::8000:1"
multicast_ip_version = "v6"
multicast_port = 1758
max_clients = 10
master_timeout_secs = 30
retransmit_timeout_secs = 5

[logging]
level = "info"
format = "text"
audit_enabled = true

[write_config]
enabled = false
allow_overwrite = false
allowed_patterns = []

[performance]
default_block_size = 8192
default_windowsize = 16
buffer_pool_size = 256
streaming_threshold = 1048576
audit_sampling_rate = 1.0

[performance.platform.socket]
recv_buffer_kb = 4096
send_buffer_kb = 4096
reuse_address = true
reuse_port = true

[performance.platform.file_io]
use_sequential_hint = true
use_willneed_hint = true
fadvise_dontneed_after = false

[performance.platform.batch]
enable_sendmmsg = true
enable_recvmmsg = true
max_batch_size = 64
batch_timeout_us = 100
enable_adaptive_batching = true
adaptive_batch_threshold = 5

[performance.platform.zero_copy]
use_sendfile = true
sendfile_threshold_bytes = 65536
use_msg_zerocopy = false
msg_zerocopy_threshold_bytes = 8192

[performance.platform.worker_pool]
enabled = true
worker_count = 2
worker_channel_size = 256
sender_channel_size = 512
load_balance_strategy = "client_hash"
enable_cpu_affinity = false
`.split("\n");

  testWith(clients, "of phase 2 serves every client", async () => {
    await using server = await startServer({
      bind: "[::]",
      top: ["max_file_size_bytes = 104857600"],
      tables,
    });
    server.put("file", content);
    for (const client of clients) {
      const answer = await run(client, { port: server.port, name: "file" });
      expect(`${client.name}: ${compare(answer.bytes, content)} ${answer.printed}`).toContain(
        "identical",
      );
    }
  });

  test("default_windowsize = 16 sends a plain client one block at a time", async () => {
    await using server = await startServer({ tables });
    server.put("file", content);
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    expect((await peer.next()).text).toBe("DATA 1 512");
    await Bun.sleep(100);
    expect(peer.waiting()).toEqual([]);
  });

  test("max_file_size_bytes refuses a larger file before any OACK", async () => {
    await using server = await startServer({
      top: ["max_file_size_bytes = 1000"],
      tables: ["[logging]", 'format = "json"'],
    });
    server.put("small", content.subarray(0, 1000));
    server.put("large", content.subarray(0, 1001));
    using peer = await openPeer();
    peer.send(readRequest("large", [["tsize", 0]]), server.port);
    expect((await peer.next()).text).toMatch(/^ERROR [23] /);
    peer.send(readRequest("small", [["tsize", 0]]), server.port);
    expect((await peer.next()).text).toBe("OACK tsize=1000");
    while (!server.log().includes("file_size_limit_exceeded")) await Bun.sleep(10);
    const line = server
      .log()
      .split("\n")
      .find((text) => text.includes("file_size_limit"));
    expect(JSON.parse(line ?? "")).toMatchObject({
      filename: "large",
      file_size: 1001,
      max_allowed: 1000,
      operation: "read",
    });
  });

  test("audit_file gets the events of a transfer, although the log is off", async () => {
    const auditFile = join(tmpdir(), `snow-owl-audit-${process.pid}.jsonl`);
    await using server = await startServer({
      // A second worker could serve before the first is ready, which is when the server has started.
      tables: [...oneWorker, "[logging]", 'level = "off"', `audit_file = "${auditFile}"`],
    });
    try {
      server.put("file", content);
      expect(await fetchWhole(server.port)).toBe("identical");
      const hasEnded = (): boolean => readFileSync(auditFile, "utf8").includes("_completed");
      await until(hasEnded, "an event of the transfer's end");
      server.kill("SIGTERM");
      await server.exited;
      const events = readFileSync(auditFile, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ filename }) => filename !== "are-you-ready");
      expect(events.map((event) => event["event_type"])).toEqual([
        "configuration_loaded",
        "server_started",
        "connection_initiated",
        "read_request",
        "transfer_started",
        "transfer_completed",
        "server_draining",
        "server_shutdown",
      ]);
      expect(server.log()).not.toContain("sent file");
    } finally {
      rmSync(auditFile, { force: true });
    }
  });

  test("without sendmmsg, recvmmsg and GSO files arrive whole as well", async () => {
    await using server = await startServer({
      tables: [
        "[performance.platform.batch]",
        "enable_sendmmsg = false",
        "enable_recvmmsg = false",
        "enable_gso = false",
        "batch_timeout_us = 0",
      ],
    });
    server.put("file", content);
    expect(await fetchWhole(server.port)).toBe("identical");
  });
});

/** Whether a new request gets an ERROR, or no answer at all; asked until the signal has arrived. */
async function refuses(port: number): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    using peer = await openPeer();
    peer.send(readRequest("file"), port);
    await Bun.sleep(100);
    const [answer] = peer.waiting();
    if (answer === undefined || answer.text.startsWith("ERROR")) return true;
    // Not yet: that transfer must not keep the server from draining.
    peer.send(Uint8Array.of(0, 5, 0, 0, 0), answer.port);
  }
  return false;
}

async function fetchWhole(port: number): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest("file"), port);
  const rest = await takeRest(peer, await peer.next(), 512);
  return typeof rest === "string" ? rest : compare(rest, content);
}
