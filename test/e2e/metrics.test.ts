// /metrics of the executable: Prometheus's own tools take it, it counts what real clients did, and the rules and the dashboard
// that come with the server ask for nothing that is not there.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { bytesOf } from "./bytes.ts";
import { atftp, curl, run, testWith } from "./clients.ts";
import { until } from "./server.ts";
import { startWatched, type Watched } from "./watched.ts";
import { openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(30_000);

const packaging = resolve(import.meta.dir, "../../packaging");
const promtool: string | null = process.env["PROMTOOL"] ?? Bun.which("promtool");
const testWithPromtool =
  promtool === null && process.env["CI"] === undefined
    ? (name: string) => test.skip(`${name} (promtool of Debian's prometheus is missing)`, () => {})
    : test;

describe("the page", () => {
  testWith([curl], "counts what a real client did", async () => {
    await using watched = await startWatched();
    const { server } = watched;
    const content = bytesOf(300_000, 5);
    server.put("file", content);
    await run(curl, { port: server.port, name: "file", blockBytes: 1428 });
    await run(curl, { port: server.port, name: "missing" });
    await untilCounted(watched, 'tftp_transfers_total{direction="read",outcome="complete"}', 1);
    const page = await watched.page();
    expect(valueOf(page, 'tftp_bytes_transferred_total{direction="read"}')).toBe(300_000);
    expect(sumOf(page, "tftp_sent_bytes_total")).toBeGreaterThan(300_000);
    // DATA, OACK and ERROR went out one by one; what the wait for the start has asked comes on top.
    expect(sumOf(page, "tftp_sent_datagrams_total")).toBeGreaterThanOrEqual(211 + 2);
    expect(sumOf(page, "tftp_received_datagrams_total")).toBeGreaterThanOrEqual(211 + 2);
    expect(valueOf(page, 'tftp_requests_refused_total{cause="not-found"}')).toBeGreaterThan(0);
    expect(valueOf(page, 'tftp_transfer_duration_seconds_count{direction="read"}')).toBe(1);
    expect(valueOf(page, "tftp_rtt_seconds_count")).toBe(1);
    expect(valueOf(page, "tftp_cache_misses_total")).toBeGreaterThan(0);
    expect(sumOf(page, "tftp_transfers_active")).toBe(0);
    expect(valueOf(page, "tftp_ready")).toBe(1);
    const named = 'event_type="transfer_completed",severity="info",client_addr="127.0.0.1"';
    expect(valueOf(page, `tftp_audit_events_total{${named}}`)).toBe(1);
    expect(valueOf(page, "tftp_transfer_throughput_bps")).toBeGreaterThan(0);
    expect(page).not.toContain("tftp_transfer_duration_ms");
  });

  testWith([atftp], "counts windows that the kernel cuts, and uploads", async () => {
    await using watched = await startWatched([
      "[write_config]",
      "enabled = true",
      'allowed_patterns = ["up/*"]',
      "[uploads]",
      "create_folders = true",
    ]);
    const { server } = watched;
    server.put("file", bytesOf(300_000, 5));
    const windows = { blockBytes: 1428, windowBlocks: 16 };
    await run(atftp, { port: server.port, name: "file", ...windows });
    await run(atftp, { port: server.port, name: "up/file", upload: bytesOf(100_000, 6) });
    await untilCounted(watched, 'tftp_transfers_total{direction="read",outcome="complete"}', 1);
    await untilCounted(watched, 'tftp_transfers_total{direction="write",outcome="complete"}', 1);
    const page = await watched.page();
    const segments = valueOf(page, "tftp_segments_total");
    expect(segments).toBeGreaterThan(valueOf(page, "tftp_segmented_messages_total"));
    expect(valueOf(page, 'tftp_bytes_transferred_total{direction="write"}')).toBe(100_000);
  });

  testWithPromtool("is what promtool and OpenMetrics want", async () => {
    await using watched = await startWatched();
    await run(curl, { port: watched.server.port, name: "missing" });
    expect(await check(["check", "metrics"], await watched.page())).toEqual([0, ""]);
    using folder = temporaryFolder();
    const file = join(folder.path, "page");
    // What makes blocks of a page wants a time behind every sample, which a page has not.
    const page = await watched.page("application/openmetrics-text");
    writeFileSync(file, page.replaceAll(/^(?!#)(.*)$(?=\n)/gm, "$1 1700000000"));
    const blocks = ["tsdb", "create-blocks-from", "openmetrics", file, folder.path];
    const [code, printed] = await check(blocks, "");
    expect(`${code} ${printed}`).toStartWith("0 ");
  });

  testWithPromtool("has Snow-Owl's names on demand, of which promtool refuses two", async () => {
    await using watched = await startWatched(["[metrics]", "snow_owl_names = true"]);
    const { server } = watched;
    server.put("file", "x");
    await run(curl, { port: server.port, name: "file" });
    await untilCounted(watched, 'tftp_transfers_total{direction="read",outcome="complete"}', 1);
    const page = await watched.page();
    for (const name of snowOwlNames) expect(page).toMatch(new RegExp(`^${name}(?:{| )`, "m"));
    const [, complaints] = await check(["check", "metrics"], page);
    expect(complaints.trim().split("\n")).toEqual([
      expect.stringMatching(/^tftp_avg_block_time_ms .*abbreviated/),
      expect.stringMatching(/^tftp_transfer_duration_ms .*abbreviated/),
    ]);
  });
});

describe("what comes with the server", () => {
  testWithPromtool("alert rules pass promtool and their own tests", async () => {
    const rules = join(packaging, "prometheus/snow-owl-tftp.rules.yml");
    const tests = join(packaging, "prometheus/snow-owl-tftp.test.yml");
    expect((await check(["check", "rules", rules], ""))[0]).toBe(0);
    expect((await check(["test", "rules", tests], ""))[0]).toBe(0);
  });

  test.each(["prometheus/snow-owl-tftp.rules.yml", "grafana/snow-owl-tftp.json"])(
    "%s asks for names that docs/metrics.md has",
    (path) => {
      const known = readFileSync(resolve(packaging, "../docs/metrics.md"), "utf8");
      const asked = readFileSync(join(packaging, path), "utf8").match(/\b(?:tftp|process)_\w+/g);
      expect(asked?.length).toBeGreaterThan(5);
      for (const name of new Set(asked)) {
        expect(known).toContain(`\`${name.replace(/_(?:bucket|sum|count)$/, "")}\``);
      }
    },
  );
});

test("readiness goes away while the server drains, health does not", async () => {
  await using watched = await startWatched(["[transfer]", "drain_secs = 600"]);
  const { server, url } = watched;
  server.put("file", bytesOf(100_000, 3));
  const ask = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status;
  expect(await ask("/healthz")).toBe(200);
  // The first shard may answer before the second one is there.
  for (let tries = 0; tries < 500 && (await ask("/readyz")) !== 200; tries += 1)
    await Bun.sleep(20);
  expect(await ask("/readyz")).toBe(200);
  using peer = await openPeer();
  peer.send(readRequest("file"), server.port);
  await peer.next();
  server.kill("SIGTERM");
  await until(() => server.log().includes("server_draining"), "its log line");
  expect([await ask("/healthz"), await ask("/readyz")]).toEqual([200, 503]);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});

test("who shows no token is refused, and told of once a minute", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "token");
  const token = "a-secret-of-some-length";
  writeFileSync(file, `${token}\n`);
  await using watched = await startWatched([], [`token_file = "${file}"`]);
  const { server, url } = watched;
  const ask = async (shown: string): Promise<number> => {
    const headers = { Authorization: `Bearer ${shown}` };
    return (await fetch(`${url}/metrics`, { headers })).status;
  };
  expect([await ask("guess"), await ask("another"), await ask(token)]).toEqual([401, 401, 200]);
  await until(() => server.log().includes("authentication_attempt"), "its log line");
  expect(server.log().match(/authentication_attempt client_addr=127\.0\.0\.1/g)).toHaveLength(1);
  const other = "another-secret-of-some-length";
  writeFileSync(file, other);
  server.kill("SIGHUP");
  await until(() => server.log().includes("configuration_loaded"), "the reload");
  expect([await ask(token), await ask(other)]).toEqual([401, 200]);
});

const snowOwlNames = [
  "tftp_audit_events_total",
  "tftp_transfer_throughput_bps",
  "tftp_transfer_duration_ms",
  "tftp_avg_block_time_ms",
  "tftp_bytes_transferred_total",
  "tftp_multicast_total_clients",
  "tftp_last_audit_event_timestamp",
];

/** A shard writes what it has counted before it sleeps: soon, but not at once. */
async function untilCounted(watched: Watched, sample: string, value: number): Promise<void> {
  let page = "";
  for (let tries = 0; tries < 500; tries += 1) {
    page = await watched.page();
    if (valueOf(page, sample) === value) return;
    await Bun.sleep(20);
  }
  throw new Error(`${sample} never was ${value}:\n${page}`);
}

function valueOf(page: string, sample: string): number {
  const line = page.split("\n").find((each) => each.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1));
}

/** Of all samples of a family. */
function sumOf(page: string, name: string): number {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function check(args: readonly string[], input: string): Promise<readonly [number, string]> {
  const child = Bun.spawn([promtool ?? "promtool", ...args], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const printed = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return [await child.exited, printed.join("")];
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "snow-owl-metrics-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
