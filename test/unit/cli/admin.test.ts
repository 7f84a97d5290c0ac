// The commands for a running server: their command lines, and what of a snapshot fits a terminal.

import { expect, test } from "bun:test";

import { adminCommandOf, readAdminLine } from "#cli/admin-flags.ts";
import { topScreen } from "#cli/top-screen.ts";
import type { ClientView, SnapshotView, TransferView } from "#supervisor/api-shapes.ts";

test("words and flags are checked", () => {
  expect(adminCommandOf(["top"])).toBe("top");
  expect(adminCommandOf(["serve"])).toBeUndefined();
  expect(readAdminLine("kill", ["7", "--socket", "/x"])).toMatchObject({
    operand: "7",
    given: { socket: "/x" },
  });
  expect(readAdminLine("kill", [])).toMatchObject({ fault: "kill needs a transfer's number" });
  expect(readAdminLine("kill", ["-1"])).toMatchObject({ fault: "unknown flag -1" });
  expect(readAdminLine("kill", ["x"])).toMatchObject({ fault: "x is no transfer's number" });
  expect(readAdminLine("drain", ["now"])).toMatchObject({ fault: "unexpected argument now" });
  expect(readAdminLine("clients", ["::1"])).toMatchObject({ operand: "::1" });
});

test("a screen is never larger than its terminal, and stuck clients are on it", () => {
  const many = snapshot(50, 50);
  for (const [width, rows] of [
    [40, 12],
    [80, 24],
    [200, 80],
    [10, 3],
  ] as const) {
    const lines = topScreen(many, { width, rows }).map((line) => Bun.stripANSI(line));
    expect(lines.length).toBeLessThanOrEqual(Math.max(rows, 4));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  }
  const lines = topScreen(many, { width: 80, rows: 24 }).map((line) => Bun.stripANSI(line));
  expect(lines.slice(0, 7)).toEqual([
    "snow-owl-tftp 1.2.3: serving on [::]:69, up 1 s",
    "1.0 kB/s sent   3 requests/s   0 refused/s   50 transfers",
    "50 stuck   0 loading   0 idle",
    "",
    "stuck",
    "10.0.0.0 52:54:00:12:34:56  vmlinuz is not there",
    "    help: put it there",
  ]);
  // However many are stuck, there is a little of the others.
  expect(lines).toContain("transfers");
  expect(lines).toContainEqual(
    "     0 [##########          ] 10.0.0.0:69  vmlinuz  50 % of 2.0 kB, 10 B/s, sti…",
  );
});

test("nothing is shown of what there is nothing of", () => {
  const lines = topScreen(snapshot(0, 0), { width: 80, rows: 24 }).map((line) =>
    Bun.stripANSI(line),
  );
  expect(lines).toHaveLength(4);
});

function snapshot(stuck: number, transfers: number): SnapshotView {
  return {
    status: {
      version: "1.2.3",
      started: "",
      uptime_ms: 1000,
      state: "serving",
      because: "",
      address: "[::]:69",
      root_dir: "/srv/tftp",
      workers: 2,
      workers_replaced: 0,
      transfers,
      clients_stuck: stuck,
      clients_loading: 0,
      clients_idle: 0,
      sent_bytes_per_second: 1000,
      received_bytes_per_second: 0,
      requests_per_second: 3,
      refused_per_second: 0,
      totals: {},
    },
    clients: { total: stuck, clients: Array.from({ length: stuck }, (_, index) => client(index)) },
    transfers: {
      total: transfers,
      transfers: Array.from({ length: transfers }, (_, index) => transfer(index)),
    },
    errors: [],
  };
}

function client(index: number): ClientView {
  return {
    client: `10.0.0.${index}`,
    mac: "52:54:00:12:34:56",
    interface: null,
    boot: "",
    boots: 1,
    boot_started: "",
    last_heard: "",
    silent_ms: 7000,
    state: "stuck",
    sentence: "vmlinuz is not there",
    remedy: "put it there",
    file: "vmlinuz",
    bytes: 0,
    files: 0,
    misses: 1,
    failures: 0,
  };
}

function transfer(index: number): TransferView {
  return {
    id: index,
    client: `10.0.0.${index}:69`,
    file: "vmlinuz",
    direction: "read",
    mode: "octet",
    shard: 0,
    started: "",
    bytes: 1000,
    file_bytes: 2000,
    bytes_per_second: 10,
    silent_ms: 7000,
    has_answered: true,
    block_bytes: 512,
    blocks_repeated: 0,
    timeouts: 0,
    rtt_us: 0,
  };
}
