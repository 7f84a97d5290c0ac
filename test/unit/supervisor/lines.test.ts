// Log lines and audit events: what people grep for and what dashboards read.

import { expect, test } from "bun:test";

import { defaults } from "#config/config.ts";
import { type LogSettings, resolveSettings } from "#config/settings.ts";
import { auditEvents, auditLine } from "#supervisor/audit.ts";
import { formatBytes, formatDuration, formatRate } from "#supervisor/format.ts";
import { eventLine, recordLine } from "#supervisor/lines.ts";
import { Log } from "#supervisor/log.ts";

import { asked, askedToWrite, failed, received, refused, sent, timeMs } from "./samples.ts";

const { log: settings } = resolveSettings(defaults, { cores: 1, memoryBytes: 1e9 });

test("a transfer is one line", () => {
  expect(recordLine(sent)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 sent pxe/vmlinuz 8.1 MB in 0.093 s (87 MB/s) " +
      "blksize=1428 windowsize=16 tsize=8123456, 0 resent",
  );
  expect(recordLine(failed)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 failed pxe/vmlinuz (gave-up) after 1.2 MB of 8.1 MB in 30.0 s " +
      "blksize=1428 windowsize=16 tsize=8123456, 80 resent, 5 timeouts",
  );
});

test("a transfer without options or bytes has no gaps", () => {
  const empty = { ...sent, fileBytes: 0, bytes: 0, options: "", mode: "netascii" as const };
  expect(recordLine(empty)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 sent pxe/vmlinuz 0 B in 0.093 s netascii, 0 resent",
  );
});

test("a client that leaves or wanted the size alone is no failure", () => {
  const left = { ...failed, outcome: "closed-by-client" };
  expect(recordLine(left)).toContain("stopped pxe/vmlinuz (closed-by-client)");
  expect(auditEvents(left)[0]?.severity).toBe("info");
  const late = { ...failed, outcome: "late-repetition", bytes: 0 };
  expect(recordLine(late)).toContain("stopped pxe/vmlinuz (late-repetition)");
  const probe = { ...failed, outcome: "probe", bytes: 0 };
  expect(recordLine(probe)).toContain("told pxe/vmlinuz has 8.1 MB");
  expect(auditEvents(probe)[0]?.severity).toBe("info");
});

test("an upload is one line, with what became of the file before it", () => {
  const head = "2026-11-21T12:00:00Z 10.0.0.7:2070 received /backups/sw1.cfg 12 kB in 0.093 s";
  expect(recordLine(received)).toBe(`${head} (0.1 MB/s) tsize=12345, 1 duplicates`);
  const replaced = { ...received, isReplacement: true };
  expect(recordLine(replaced)).toEndWith(", 1 duplicates, the previous file is gone");
  expect(recordLine({ ...replaced, isVersioned: true })).toEndWith("the previous file is kept");
  const quarantined = { ...received, target: ".q/a b\u001b[2J", isVerified: true, sha256: "ab" };
  expect(recordLine(quarantined)).toEndWith(
    String.raw`, stored as ".q/a b\\x1b[2J", verified sha256=ab`,
  );
});

test("an upload that failed says why, and a client that left is no failure", () => {
  const lost = { ...received, isSuccess: false, outcome: "gave-up", timeouts: 5 };
  expect(recordLine(lost)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 failed to receive /backups/sw1.cfg (gave-up) after 12 kB in 0.093 s " +
      "tsize=12345, 1 duplicates, 5 timeouts",
  );
  expect(auditEvents(lost)).toEqual([
    expect.objectContaining({
      eventType: "write_failed",
      severity: "error",
      fields: expect.objectContaining({
        filename: "/backups/sw1.cfg",
        error: "gave-up",
        blocks_received: 25,
      }),
    }),
  ]);
  const left = { ...lost, outcome: "closed-by-client" };
  expect(recordLine(left)).toContain("stopped to receive /backups/sw1.cfg (closed-by-client)");
  expect(auditEvents(left)[0]?.severity).toBe("info");
});

test("a granted write is two flat events", () => {
  const [request, started] = auditEvents(askedToWrite);
  const common = { client_addr: "10.0.0.7:2070", filename: "/backups/sw1.cfg", mode: "netascii" };
  expect(request).toEqual({
    eventType: "write_request",
    severity: "info",
    timeMs,
    fields: { ...common, options: { tsize: "12345" } },
  });
  expect(started).toEqual({
    eventType: "write_started",
    severity: "info",
    timeMs,
    fields: { ...common, file_size: 12_345, block_size: 512 },
  });
  expect(recordLine(askedToWrite)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 asked to write /backups/sw1.cfg 12 kB netascii tsize=12345",
  );
  const silent = { ...askedToWrite, announcedBytes: undefined, asked: {} };
  expect(recordLine(silent)).toEndWith("asked to write /backups/sw1.cfg netascii");
  expect(auditEvents(silent)[1]?.fields).not.toContainKey("file_size");
});

test("a completed upload has the fields that dashboards read", () => {
  expect(auditEvents({ ...received, sha256: "ab", isReplacement: true })).toEqual([
    {
      eventType: "write_completed",
      severity: "info",
      timeMs,
      fields: {
        client_addr: "10.0.0.7:2070",
        filename: "/backups/sw1.cfg",
        bytes_received: 12_345,
        blocks_received: 25,
        blocks_duplicate: 1,
        timeouts: 0,
        duration_ms: 93,
        throughput_bps: 132_742,
        avg_block_time_ms: 3.72,
        file_created: false,
        version_kept: false,
        stored_as: "backups/sw1.cfg",
        verified: false,
        sha256: "ab",
        block_size: 512,
        window_size: 1,
        rtt_us: 0,
        options: "tsize=12345",
      },
    },
  ]);
  expect(auditEvents(received)[0]?.fields).toMatchObject({ file_created: true });
  expect(auditEvents(received)[0]?.fields).not.toContainKey("sha256");
});

test("a refused upload is called one", () => {
  const exists = {
    ...refused,
    name: "a.cfg",
    isWrite: true,
    cause: "exists" as const,
    code: 6,
    reason: "file exists and overwrite disabled",
  };
  expect(recordLine(exists)).toEndWith(
    "refused upload of a.cfg: file exists and overwrite disabled (exists, error 6)",
  );
  expect(auditEvents(exists)[0]?.fields).toEqual({
    client_addr: "[fe80::1%eth0]:2070",
    filename: "a.cfg",
    reason: "file exists and overwrite disabled",
  });
});

test("a file that is too large is told with its size and the limit", () => {
  const large = { ...refused, cause: "too-large" as const, fileBytes: 9, fileBytesMax: 5 };
  expect(auditEvents(large)[0]?.fields).toMatchObject({
    filename: "my file",
    file_size: 9,
    max_allowed: 5,
    operation: "read",
  });
});

test("a refusal names file, reason and code, and quotes a name with a space", () => {
  expect(recordLine(refused)).toBe(
    '2026-11-21T12:00:00Z [fe80::1%eth0]:2070 refused "my file": no such file (not-found, error 1)',
  );
});

test("an event of the process is a name and its fields", () => {
  const event = { eventType: "worker_replaced", severity: "error", timeMs } as const;
  expect(eventLine({ ...event, fields: { shard: 1, error: "Error: x" } })).toBe(
    '2026-11-21T12:00:00Z error: worker_replaced shard=1 error="Error: x"',
  );
});

test("a read that an administrator should look at says why", () => {
  const remarked = { ...asked, remark: "A was chosen" };
  expect(recordLine(remarked)).toBe(`${recordLine(asked)} (A was chosen)`);
  const [request, started] = auditEvents(remarked);
  expect(request).toMatchObject({ severity: "warn", fields: { remark: "A was chosen" } });
  expect(started).toMatchObject({ severity: "info" });
  const lines: string[] = [];
  const log = logOf({ level: "warn" }, lines);
  for (const record of [asked, remarked]) log.record(record);
  expect(lines).toEqual([recordLine(remarked)]);
});

test("a granted read is two flat events", () => {
  const lines = auditEvents(asked).map((event) => JSON.parse(auditLine(event, "boot1")) as unknown);
  const common = {
    timestamp: "2026-11-21T12:00:00.000Z",
    hostname: "boot1",
    service: "snow-owl-tftp",
    severity: "info",
    client_addr: "10.0.0.7:2070",
    filename: "pxe/vmlinuz",
    mode: "octet",
  };
  expect(lines).toEqual([
    { ...common, event_type: "read_request", options: { blksize: "1428" } },
    { ...common, event_type: "transfer_started", file_size: 8_123_456, block_size: 1428 },
  ]);
});

test("a completed transfer has the fields that dashboards read", () => {
  const [event] = auditEvents(sent);
  expect(event).toMatchObject({
    eventType: "transfer_completed",
    severity: "info",
    fields: {
      client_addr: "10.0.0.7:2070",
      filename: "pxe/vmlinuz",
      bytes_transferred: 8_123_456,
      blocks_sent: 5689,
      duration_ms: 93,
      throughput_bps: 87_348_989,
    },
  });
  expect(
    auditEvents({ ...sent, durationUs: 0, blocksSent: 0 })[0]?.fields["avg_block_time_ms"],
  ).toBe(0);
});

test.each([
  ["not-found", "read_denied", "warn"],
  ["denied", "read_denied", "warn"],
  ["inaccessible", "access_violation", "error"],
  ["traversal", "path_traversal_attempt", "error"],
  ["symlink", "symlink_access_denied", "error"],
  ["too-large", "file_size_limit_exceeded", "error"],
  ["write-disabled", "write_request_denied", "warn"],
  ["malformed", "protocol_violation", "error"],
  ["busy", "read_denied", "warn"],
  ["io-error", "read_denied", "warn"],
  ["exists", "read_denied", "warn"],
  ["full", "read_denied", "warn"],
] as const)("a refusal because of %s is %s", (cause, eventType, severity) => {
  const isDenial = eventType === "read_denied";
  expect(auditEvents({ ...refused, cause, isWrite: true })).toEqual([
    expect.objectContaining({ eventType: isDenial ? "write_request_denied" : eventType, severity }),
  ]);
  expect(auditEvents({ ...refused, cause })).toEqual([
    expect.objectContaining({ eventType, severity }),
  ]);
});

test("the level hides what is below it", () => {
  expect(linesOf({ level: "info" })).toHaveLength(4);
  expect(linesOf({ level: "debug" })).toHaveLength(6);
  expect(linesOf({ level: "warn" })).toHaveLength(2);
  expect(linesOf({ level: "error" })).toHaveLength(1);
  expect(linesOf({ level: "off" })).toHaveLength(0);
  expect(linesOf({ level: "info", format: "json" })).toHaveLength(10);
});

test("audit_enabled = false leaves the process's own events", () => {
  expect(linesOf({ level: "trace", auditEnabled: false })).toHaveLength(0);
  const lines: string[] = [];
  const log = logOf({ auditEnabled: false }, lines);
  log.event("server_shutdown", "info", { reason: "SIGTERM" }, timeMs);
  expect(lines).toEqual(["2026-11-21T12:00:00Z server_shutdown reason=SIGTERM"]);
});

test("the audit file gets every event as JSON, whatever the log shows", () => {
  const audit: string[] = [];
  const log = logOf({ level: "off" }, [], audit);
  for (const record of [asked, sent, failed, refused]) log.record(record);
  log.event("server_shutdown", "info", { reason: "SIGTERM" }, timeMs);
  expect(audit.map((line) => (JSON.parse(line) as { event_type: string }).event_type)).toEqual([
    "connection_initiated",
    "read_request",
    "transfer_started",
    "transfer_completed",
    "transfer_failed",
    "connection_initiated",
    "read_denied",
    "server_shutdown",
  ]);
});

test("a text of several lines stands below its event, where no other line begins", () => {
  const fields = { problem: "a.toml:2:1: error: x\n  2 | y\nhelp: z", tries: 1 };
  const event = { eventType: "configuration_error", severity: "error", timeMs, fields } as const;
  expect(eventLine(event).split("\n")).toEqual([
    "2026-11-21T12:00:00Z error: configuration_error tries=1",
    "    a.toml:2:1: error: x",
    "      2 | y",
    "    help: z",
  ]);
});

test("numbers read well", () => {
  expect(
    [0, 999, 1000, 8_123_456, 999_499_999, 999_500_000, 4_294_967_296].map(formatBytes),
  ).toEqual(["0 B", "999 B", "1.0 kB", "8.1 MB", "999 MB", "1.0 GB", "4.3 GB"]);
  expect([93_000, 12_345_678, 1_234_567_890].map(formatDuration)).toEqual([
    "0.093 s",
    "12.3 s",
    "1235 s",
  ]);
  expect([formatRate(0, 5), formatRate(5, 0), formatRate(87, 1), formatRate(5, 10)]).toEqual([
    "",
    "",
    "87 MB/s",
    "0.5 MB/s",
  ]);
});

/** A log whose lines go to `lines` and `audit`. */
function logOf(given: Partial<LogSettings>, lines: string[], audit?: string[]): Log {
  const sinks = {
    log: { line: (text: string) => void lines.push(text) },
    audit: audit && { line: (text: string) => void audit.push(text) },
  };
  const lookup = { macOf: () => undefined, interfaceName: () => undefined };
  return new Log({ ...settings, ...given }, sinks, { hostname: "boot1", lookup, listeners: [] });
}

/** The lines that two requests, a good transfer, a bad one, an upload and a refusal leave. */
function linesOf(given: Partial<LogSettings>): readonly string[] {
  const lines: string[] = [];
  const log = logOf(given, lines);
  const records = [asked, sent, failed, askedToWrite, received, refused];
  for (const record of records) log.record(record);
  return lines;
}
