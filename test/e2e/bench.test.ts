// bench against the executable and against Debian's tftpd-hpa (end-to-end): what it says it did is what the server counted, with losses
// and clients that vanish as well, and what goes wrong is told.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { BenchReport } from "#cli/bench-report.ts";

import { bytesOf } from "./bytes.ts";
import { type ClientFolder, clientFolder } from "./client-rig.ts";
import { skipBecause } from "./clients.ts";
import { freePort, startServer, until } from "./server.ts";
import { startWatched, type Watched } from "./watched.ts";

setDefaultTimeout(60_000);

const uploads = ["[write_config]", "enabled = true", 'allowed_patterns = ["in/*"]'];
const folders = ["[uploads]", "create_folders = true"];

async function bench(
  folder: ClientFolder,
  ...argv: readonly string[]
): Promise<{ readonly report: BenchReport; readonly exitCode: number }> {
  const { out, error, exitCode } = await folder.run("bench", "--json", ...argv);
  if (out === "") throw new Error(error);
  return { report: JSON.parse(out) as BenchReport, exitCode };
}

describe("against this server", () => {
  test("a storm's sums are those of the server", async () => {
    await using watched = await startWatched();
    const { server } = watched;
    server.put("small", bytesOf(10_000, 1));
    server.put("large", bytesOf(300_000, 2));
    using folder = clientFolder();
    const words = ["-s", `127.0.0.1:${server.port}`, "small", "large", "missing"];
    const mix = ["--mix", "small:70,large:20,missing:10"];
    const pid = ["--server-pid", String(server.pid)];
    const { report, exitCode } = await bench(
      folder,
      ...words,
      ...mix,
      ...pid,
      "-c",
      "50",
      "-n",
      "300",
    );
    const { transfers, bytes, failures, duration_us: duration } = report;
    expect(exitCode).toBe(66);
    expect(transfers.complete + transfers.failed).toBe(300);
    expect(failures).toEqual([
      expect.objectContaining({ cause: "not-found", error_code: 1, count: transfers.failed }),
    ]);
    expect(transfers.complete).toBeWithin(230, 295);
    expect(bytes.complete).toBe(bytes.moved);
    expect([transfers.active_max, transfers.late, duration.count]).toEqual([
      50,
      0,
      transfers.complete,
    ]);
    expect(duration.p50).toBeLessThanOrEqual(duration.p99);
    expect(duration.max).toBeLessThanOrEqual(report.elapsed_s * 1e6 + 1);
    expect(sum(report.timeline.bytes)).toBe(bytes.moved);
    expect(sum(report.timeline.failed)).toBe(transfers.failed);
    expect(report.refusal_us.count).toBe(transfers.failed);
    await untilCounted(
      watched,
      'tftp_transfers_total{direction="read",outcome="complete"}',
      transfers.complete,
    );
    await untilCounted(watched, 'tftp_bytes_transferred_total{direction="read"}', bytes.complete);
    const page = await watched.page();
    // Whoever waited for the server to start has asked for what is not there, too.
    const refused = valueOf(page, 'tftp_requests_refused_total{cause="not-found"}');
    expect(refused).toBeGreaterThanOrEqual(transfers.failed);
    expect(report.server?.cpu_s).toBeGreaterThan(0);
    expect(report.server?.rss_bytes_peak).toBeGreaterThan(10_000_000);
  });

  test("so are those of clients that lose packets, wait longer, and vanish", async () => {
    await using watched = await startWatched();
    const { server } = watched;
    server.put("file", bytesOf(60_000, 3));
    using folder = clientFolder();
    const url = `tftp://127.0.0.1:${server.port}/file`;
    const weather = ["--loss=2", "--delay=2", "--churn=25", "--seed=4"];
    const { report, exitCode } = await bench(folder, url, ...weather, "-c", "40", "-n", "80");
    const { transfers, lost, first_block_us: first } = report;
    expect(exitCode).toBe(0);
    expect(transfers.complete + transfers.vanished).toBe(80);
    expect(transfers.vanished).toBeWithin(8, 36);
    expect(lost.out).toBeGreaterThan(0);
    expect(lost.in).toBeGreaterThan(0);
    expect(first.min).toBeGreaterThanOrEqual(2000);
    // Of some the last ACK may never have come, however often it was sent again.
    const counted = await untilCounts(watched, (page) => {
      const unheard = valueOf(page, reads("complete-unacknowledged"));
      return valueOf(page, reads("complete")) + unheard >= transfers.complete;
    });
    expect(valueOf(counted, reads("complete"))).toBeWithin(
      transfers.complete - 5,
      transfers.complete + 1,
    );
  });

  test("what is written is there, whole, and the same for the same seed", async () => {
    await using watched = await startWatched([...uploads, ...folders]);
    const { server } = watched;
    using folder = clientFolder();
    const url = `tftp://127.0.0.1:${server.port}/in/{n}`;
    const size = ["--size", "100k", "--seed", "9", "--windowsize", "8"];
    const { report, exitCode } = await bench(folder, "--put", url, ...size, "-c", "20", "-n", "30");
    expect([exitCode, report.transfers.complete]).toEqual([0, 30]);
    const place = join(server.root, "in");
    const names = readdirSync(place).toSorted((one, other) => Number(one) - Number(other));
    expect(names).toEqual(Array.from({ length: 30 }, (_, index) => String(index)));
    const hashes = names.map((name) => Bun.hash(readFileSync(join(place, name))));
    expect(new Set(hashes).size).toBe(1);
    expect(readFileSync(join(place, "0")).length).toBe(102_400);
    await untilCounted(watched, 'tftp_transfers_total{direction="write",outcome="complete"}', 30);
  });

  test("clients that come at a rate ask in the dialects of real ones", async () => {
    await using server = await startServer();
    server.put("file", bytesOf(5000, 3));
    using folder = clientFolder();
    const dialects = ["--dialect", "ipxe,edk2,grub,pxelinux,atftp,tftp-hpa,curl,windows"];
    const url = `tftp://127.0.0.1:${server.port}/file`;
    const from = ["--from", "127.4.0.0/28"];
    const { report } = await bench(folder, url, ...dialects, ...from, "--rate=100", "-n", "60");
    expect(report.transfers.complete).toBe(60);
    expect(report.setting.options).toContain("blksize=1432 tsize=0");
    // Sixty gaps of a hundredth of a second, however they fall.
    expect(report.elapsed_s).toBeGreaterThan(0.25);
    const clients = server.log().matchAll(/127\.4\.0\.\d+/g);
    expect(new Set(Array.from(clients, ([address]) => address)).size).toBe(14);
    const options = server.log().matchAll(/blksize=(\d+)/g);
    expect(new Set(Array.from(options, ([, bytes]) => bytes)).size).toBeGreaterThan(3);
  });

  test("another file than was expected is a failure", async () => {
    await using server = await startServer();
    server.put("file", bytesOf(5000, 3));
    using folder = clientFolder();
    folder.put("same", bytesOf(5000, 3));
    folder.put("other", bytesOf(5000, 4));
    const url = `tftp://127.0.0.1:${server.port}/file`;
    expect((await bench(folder, url, "-c", "3", "--verify=same")).exitCode).toBe(0);
    const { report, exitCode } = await bench(folder, url, "-c", "3", "--verify=other");
    expect([exitCode, report.transfers.failed]).toEqual([65, 3]);
    expect(report.failures[0]?.cause).toBe("corrupt");
  });

  test("SIGINT ends it with the report of what was done", async () => {
    await using server = await startServer();
    server.put("file", bytesOf(50_000, 3));
    using folder = clientFolder();
    const url = `tftp://127.0.0.1:${server.port}/file`;
    const running = folder.start("bench", "--json", url, "-c", "5", "-d", "5m");
    // A line for each transfer.
    await until(() => server.log().split("\n").length > 30, "transfers");
    running.kill("SIGINT");
    const { exitCode, out } = await running.ended;
    const report = JSON.parse(out) as BenchReport;
    expect([exitCode, report.stopped]).toEqual([130, "SIGINT"]);
    expect(report.transfers.complete).toBeGreaterThan(15);
    expect(report.transfers.failed).toBe(0);
  });
});

test("a server that goes away is asked again, but not in a flood", async () => {
  await using server = await startServer();
  server.put("file", bytesOf(50_000, 3));
  using folder = clientFolder();
  const url = `tftp://127.0.0.1:${server.port}/file`;
  const running = folder.start("bench", "--json", url, "-c", "5", "-d", "5m");
  await until(() => server.log().split("\n").length > 30, "transfers");
  server.kill("SIGKILL");
  await server.exited;
  // Those under way find out when they repeat their ACK, after a second.
  await Bun.sleep(2500);
  running.kill("SIGINT");
  const report = JSON.parse((await running.ended).out) as BenchReport;
  const { failed } = report.transfers;
  expect(failed).toBeGreaterThan(5);
  // Five at a time, ten times in a second.
  expect(failed).toBeLessThanOrEqual(5 * (10 * report.elapsed_s + 2));
});

test("a report that cannot be written is told before the load", async () => {
  using folder = clientFolder();
  const { exitCode, error } = await folder.run("bench", "127.0.0.1:x", "--report=missing/x.html");
  expect(exitCode).toBe(73);
  expect(error).toContain("cannot write missing/x.html: ENOENT");
});

test("a server that is not there is told soon", async () => {
  using folder = clientFolder();
  const url = `tftp://127.0.0.1:${await freePort()}/file`;
  const { report, exitCode } = await bench(folder, url, "-d", "5m");
  expect([exitCode, report.failures[0]?.cause]).toEqual([69, "unreachable"]);
  expect(report.stopped).toContain("ECONNREFUSED");
});

const peer = process.env["IN_TFTPD"] ?? Bun.which("in.tftpd");
const peerName = "tftpd-hpa serves a storm, and what it costs is told with its children's time";
if (peer === null && process.env["CI"] !== "true")
  skipBecause(peerName, "apt-get install tftpd-hpa");
else
  test(peerName, async () => {
    const root = mkdtempSync(join(tmpdir(), "snow-owl-bench-"));
    const port = await freePort();
    const words = `--foreground --listen --user root --address 127.0.0.1:${port} --secure ${root}`;
    const server = Bun.spawn([peer ?? "in.tftpd", ...words.split(" ")], { stderr: "ignore" });
    try {
      await Bun.write(join(root, "file"), bytesOf(400_000, 1));
      using folder = clientFolder();
      const url = `tftp://127.0.0.1:${port}/file`;
      const pid = ["--server-pid", String(server.pid)];
      await untilServed(folder, url);
      const { report, exitCode } = await bench(folder, url, "-c", "20", "--churn=20", ...pid);
      expect(exitCode).toBe(0);
      expect(report.transfers.complete + report.transfers.vanished).toBe(20);
      expect(report.server?.rss_bytes_peak).toBeGreaterThan(0);
    } finally {
      server.kill("SIGKILL");
      await server.exited;
      rmSync(root, { recursive: true });
    }
  });

async function untilServed(folder: ClientFolder, url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if ((await folder.run("get", url, "-q", "-o", "/dev/null")).exitCode === 0) return;
    await Bun.sleep(50);
  }
  throw new Error(`${url} is not served`);
}

function reads(outcome: string): string {
  return `tftp_transfers_total{direction="read",outcome="${outcome}"}`;
}

async function untilCounted(watched: Watched, sample: string, value: number): Promise<void> {
  await untilCounts(watched, (page) => valueOf(page, sample) === value);
}

/** The first page of which `isSo` holds. */
async function untilCounts(watched: Watched, isSo: (page: string) => boolean): Promise<string> {
  let page = "";
  for (let tries = 0; tries < 1000; tries += 1) {
    page = await watched.page();
    if (isSo(page)) return page;
    await Bun.sleep(20);
  }
  throw new Error(`this was never counted:\n${page}`);
}

function valueOf(page: string, sample: string): number {
  const line = page.split("\n").find((each) => each.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1));
}

function sum(list: readonly number[]): number {
  return list.reduce((total, value) => total + value, 0);
}
