// What a configuration resolves to, and what `check` says about it.

import { describe, expect, test } from "bun:test";

import { type Config, defaults } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import { parseLevel } from "#config/level.ts";
import { loadConfig } from "#config/load.ts";
import { type Machine, resolveSettings, type Settings } from "#config/settings.ts";

import { listenerAt } from "../../listener.ts";

const GIB = 1024 ** 3;
const machine: Machine = { cores: 8, memoryBytes: 32 * GIB };

function configOf(text: string): Config {
  const { config, problems } = loadConfig(text, "tftp.toml");
  expect(problems).toEqual([]);
  return config ?? defaults;
}

function resolve(text: string, on: Machine = machine): Settings {
  return resolveSettings(configOf(text), on);
}

/** Workers, and sockets per worker, with a range of ports on eight cores. */
function share(range: string): [number, number] {
  const { workers, listeners } = resolve(`transfer.port_range = "${range}"`);
  return [workers, listeners[0]?.transferSockets ?? Number.NaN];
}

test("the defaults", () => {
  expect(resolveSettings(defaults, machine)).toEqual({
    rootDir: "/var/lib/snow-owl/tftp",
    listeners: [listenerAt({ address: "::", port: 69 })],
    fileBytesMax: 0,
    workers: 8,
    workerAffinity: false,
    stuckMs: 30_000,
    isFreebind: false,
    addressWaitMs: 10_000,
    lookup: { symlinks: "inside", symlinkTargets: [], isCaseInsensitive: false },
    blockBytesMax: 65_464,
    clampsToMtu: false,
    windowBlocksMax: 512,
    windowBytesMax: 4 * 1024 ** 2,
    refusedOptions: [],
    timeoutMs: 1000,
    patienceMs: 30_000,
    isPaced: true,
    drainMs: 10_000,
    transfersMax: 4096,
    receiveBufferBytes: 2 * 1024 ** 2,
    sendBufferBytes: 2 * 1024 ** 2,
    reusePort: true,
    adviseSequential: true,
    adviseWillneed: true,
    adviseDontneedAfter: false,
    useRecvmmsg: true,
    useSendmmsg: true,
    useGso: true,
    batchDatagrams: 64,
    spinUs: 200,
    cacheBytesMax: GIB,
    cacheChunkBytes: 77_824,
    cacheSparingFromBytes: 67_108_864,
    uploadBytesMax: 0,
    uploads: {
      isEnabled: false,
      allowedPatterns: [],
      terms: { mayOverwrite: false, fileBytesMax: 0, versionsKept: 0 },
      patterns: [],
      quarantineFolder: "",
      versionsFolder: "",
      isWriteOnly: false,
      servedAs: "",
      rootDir: "/var/lib/snow-owl/tftp",
      mayCreateFolders: false,
      rootBytesMax: 0,
      clientBytesMax: 0,
      clientWindowMs: 86_400_000,
      freeBytesMin: 64 * 1024 ** 2,
      fileMode: 0o644,
      folderMode: 0o755,
      ownerId: undefined,
      groupId: undefined,
      isVerified: false,
      isHashed: false,
      isSynced: true,
      concurrentWriters: "refuse",
      patienceMs: 60_000,
      diskThreads: 2,
    },
    hooks: [],
    process: {
      identity: undefined,
      isPathConfined: true,
      isCallConfined: true,
      readFolders: [],
      writeFolders: [],
      umask: 0o022,
      openFiles: 0,
      pidFile: undefined,
      handoverMs: 30_000,
    },
    policy: {
      rootDir: "/var/lib/snow-owl/tftp",
      uploadDir: "/var/lib/snow-owl/tftp",
      folders: ["/var/lib/snow-owl/tftp"],
      uploadPlaces: [{ servedAs: "", within: "" }],
      junk: "ff",
      isTidiedFirst: true,
      rules: [],
      isAllowedByDefault: true,
      access: [],
      foldsCase: false,
      roots: [{ folder: 0, path: "" }],
      listeners: [],
      hosts: [],
      templates: [],
    },
    status: {
      listen: undefined,
      socket: undefined,
      tokenFile: undefined,
      tls: undefined,
      mayChange: false,
      clientsMax: 1000,
      clientAddressesMax: 100,
      hasSnowOwlNames: false,
    },
    limits: {
      clients: {
        transfersMax: 0,
        clientTransfersMax: 0,
        networkTransfersMax: 0,
        halfOpenMax: 1024,
        requestsPerSecond: 0,
        requestBurst: 100,
        networkBits4: 24,
        networkBits6: 64,
      },
      isDropped: false,
      unansweredBytesMax: 1600,
      rates: { bytesPerSecond: 0, classes: [{ bytesPerSecond: 0, clientBytesPerSecond: 0 }] },
      classNames: [""],
    },
    log: {
      level: "info",
      format: "text",
      target: { kind: "output" },
      auditEnabled: true,
      auditTarget: undefined,
      rotation: { bytesMax: 0, ageMaxMs: 0, kept: 7 },
      samplingRate: 1,
      bootWindowMs: 300_000,
      isHashing: false,
    },
  });
});

test("settings cross between threads unchanged", () => {
  const settings = resolve('bind_addr = "[fe80::1%eth0]:69"\ntransfer.port_range = "7000-7099"');
  expect(structuredClone(settings)).toEqual(settings);
});

test("an audit file is closed with the audit", () => {
  const open = '[logging]\naudit_file = "/var/log/audit.jsonl"\n';
  expect(resolve(open).log.auditTarget).toEqual({ kind: "file", path: "/var/log/audit.jsonl" });
  expect(resolve(`${open}audit_enabled = false\n`).log.auditTarget).toBeUndefined();
});

test("every plain key reaches its setting", () => {
  const settings = resolve(`
    root_dir = "/srv"
    bind_addr = "[fe80::1%eth0]:6969"
    max_file_size_bytes = 5
    [logging]
    level = "WARN"
    format = "json"
    file = "/var/log/tftp.json"
    rotate_mb = 2
    rotate_hours = 3
    rotate_keep = 4
    boot_window_secs = 6
    audit_sha256 = true
    audit_enabled = false
    [transfer]
    single_port = true
    max_window_bytes = 1024
    refuse_options = ["tsize"]
    retransmit_timeout_ms = 20
    patience_secs = 3
    drain_secs = 0
    max_transfers = 7
    [cache]
    size_mb = 2
    [performance]
    audit_sampling_rate = 0.5
    [performance.platform]
    socket = { recv_buffer_kb = 0, send_buffer_kb = 1, reuse_address = false }
    file_io = { use_sequential_hint = false, use_willneed_hint = false, fadvise_dontneed_after = true }
    batch = { enable_sendmmsg = false, enable_recvmmsg = false, enable_gso = false, max_batch_size = 9, batch_timeout_us = 8 }
    worker_pool = { worker_count = 3, enable_cpu_affinity = true }
  `);
  expect(settings).toMatchObject({
    rootDir: "/srv",
    listeners: [{ listen: { address: "fe80::1", port: 6969, scope: "eth0" }, singlePort: true }],
    fileBytesMax: 5,
    log: {
      level: "warn",
      format: "json",
      target: { kind: "file", path: "/var/log/tftp.json" },
      auditEnabled: false,
      auditTarget: undefined,
      rotation: { bytesMax: 2 * 1024 ** 2, ageMaxMs: 3 * 3_600_000, kept: 4 },
      samplingRate: 0.5,
      bootWindowMs: 6000,
      isHashing: true,
    },
    windowBytesMax: 1024,
    refusedOptions: ["tsize"],
    timeoutMs: 20,
    patienceMs: 3000,
    drainMs: 0,
    transfersMax: 7,
    cacheBytesMax: 2 * 1024 ** 2,
    receiveBufferBytes: 0,
    sendBufferBytes: 1024,
    adviseSequential: false,
    adviseWillneed: false,
    adviseDontneedAfter: true,
    useSendmmsg: false,
    useRecvmmsg: false,
    useGso: false,
    batchDatagrams: 9,
    spinUs: 8,
    workers: 3,
    workerAffinity: true,
  });
});

describe("block and window", () => {
  test("the smaller of the two caps counts", () => {
    expect(resolve("performance.default_block_size = 8192").blockBytesMax).toBe(8192);
    expect(resolve("transfer.max_block_size = 1428").blockBytesMax).toBe(1428);
    const both = "performance.default_block_size = 1024\ntransfer.max_block_size = 1428";
    expect(resolve(both).blockBytesMax).toBe(1024);
    expect(resolve("performance.default_windowsize = 16").windowBlocksMax).toBe(16);
    expect(resolve("performance.default_windowsize = 600").windowBlocksMax).toBe(512);
    expect(resolve("transfer.max_windowsize = 4").windowBlocksMax).toBe(4);
  });

  test("default_windowsize = 1 is no cap; max_windowsize = 1 is", () => {
    expect(resolve("performance.default_windowsize = 1").windowBlocksMax).toBe(512);
    expect(resolve("transfer.max_windowsize = 1").windowBlocksMax).toBe(1);
  });
});

describe("workers and ports", () => {
  const pool = "performance.platform.worker_pool";

  test("a count that is set is honoured, pool or not; 0 is every core", () => {
    expect(resolve(`${pool}.worker_count = 3`).workers).toBe(3);
    expect(resolve(`${pool}.enabled = true\n${pool}.worker_count = 12`).workers).toBe(12);
    expect(resolve(`${pool}.enabled = true\n${pool}.worker_count = 0`).workers).toBe(8);
    expect(resolve(`${pool}.enabled = true`).workers).toBe(8);
  });

  test("one socket on the service port means one worker", () => {
    expect(resolve("performance.platform.socket.reuse_port = false").workers).toBe(1);
  });

  test("a port range is shared equally, and every worker has a port", () => {
    expect(share("40000-40099")).toEqual([8, 4]);
    expect(share("40000-40019")).toEqual([8, 2]);
    expect(share("40000-40004")).toEqual([5, 1]);
    expect(share("40000")).toEqual([1, 1]);
  });

  test("single-port mode has no transfer sockets and heeds no range", () => {
    const settings = resolve('[transfer]\nsingle_port = true\nport_range = "40000-40001"');
    expect([settings.listeners[0]?.transferSockets, settings.workers]).toEqual([0, 8]);
  });
});

test("blocks are clamped to the interface's MTU only when that is written", () => {
  expect(resolve('transfer.mtu_clamp = "interface"').clampsToMtu).toBe(true);
  const lines = explainSettings(configOf('transfer.mtu_clamp = "interface"'), machine);
  expect(lines).toContain(
    "block size  up to 65464 bytes (max_block_size), and what the interface's MTU holds (mtu_clamp), 512 unless asked",
  );
});

test("names are found as [files] says", () => {
  const listed =
    '[files]\nsymlinks = "listed"\nsymlink_targets = ["/srv/a", "/srv/b"]\ncase_insensitive = true';
  expect(resolve(listed).lookup).toEqual({
    symlinks: "listed",
    symlinkTargets: ["/srv/a", "/srv/b"],
    isCaseInsensitive: true,
  });
  expect(explainSettings(configOf(listed), machine)).toContain(
    "names       in any case, symlinks into the root, /srv/a, /srv/b",
  );
  const unused = '[files]\nsymlinks = "none"\nsymlink_targets = ["/srv/a"]';
  expect(resolve(unused).lookup.symlinkTargets).toEqual([]);
  expect(explainSettings(configOf(unused), machine)).toContain("names       exact, no symlinks");
});

test("spinning has two switches", () => {
  const batch = "performance.platform.batch";
  expect(resolve(`${batch}.batch_timeout_us = 0`).spinUs).toBe(0);
  expect(resolve(`${batch}.enable_adaptive_batching = false`).spinUs).toBe(0);
});

test("the cache takes an eighth of a small machine", () => {
  expect(resolve("", { cores: 1, memoryBytes: 2 * GIB + 7 }).cacheBytesMax).toBe(GIB / 4);
});

test.each([
  ["info", "info"],
  ["DEBUG", "debug"],
  ["off", "off"],
  ["5", "trace"],
  ["info,tokio=warn", "info"],
  ["tokio=warn, error", "error"],
  ["snow_owl_tftp=debug", "debug"],
] as const)("the level %s is %s", (filter, level) => {
  expect(parseLevel(filter)).toBe(level);
});

test.each(["", "verbose", "tokio=", "6", "infos"])("%p is no level", (filter) => {
  expect(parseLevel(filter)).toBeUndefined();
});

test.each([
  ["", { kind: "output" }],
  ["-", { kind: "output" }],
  ["journal", { kind: "journal" }],
  ["/var/log/a", { kind: "file", path: "/var/log/a" }],
] as const)("the log file %p is %p", (file, target) => {
  expect(resolve(`logging.file = "${file}"`).log.target).toEqual(target);
  expect(resolve(`logging.audit_file = "${file}"`).log.auditTarget).toEqual(
    file === "" ? undefined : target,
  );
});

describe("explainSettings", () => {
  test("says what the defaults resolve to, and why", () => {
    expect(explainSettings(defaults, { cores: 2, memoryBytes: 4 * GIB })).toEqual([
      "listen      [::]:69 (IPv6 and IPv4)",
      "root        /var/lib/snow-owl/tftp",
      "names       exact, symlinks inside the root",
      "file size   unlimited",
      "workers     2 (all cores)",
      "ports       4 per worker (sockets_per_worker), chosen by the kernel",
      "block size  up to 65464 bytes (max_block_size), 512 unless asked",
      "window      up to 512 blocks (max_windowsize) and 4 MiB, 1 unless asked",
      "options     all",
      "transfers   up to 4096 per worker",
      "limits      transfers: 1024 half-open per network; networks: /24 and /64; beyond: ERROR 0; unanswered: 1600 bytes",
      "timeouts    resend after 1000 ms, give up after 30 s, drain for 10 s",
      "buffers     receive 2 MiB, send 2 MiB",
      "batches     recvmmsg, sendmmsg, UDP segmentation; up to 64 messages per call",
      "spin        up to 200 µs before a sleep",
      "file hints  sequential, willneed",
      "cache       512 MiB (an eighth of the memory)",
      "uploads     off (write_config.enabled)",
      "user        whoever starts it",
      "confined    Landlock, seccomp, no new privileges",
      "hand-over   by SIGUSR2, to what is ready within 30 s",
      "log         info, text, to standard output, audit events on",
      "status      no web server (status.bind_addr)",
    ]);
  });

  test("says what was chosen otherwise, and why", () => {
    const config = configOf(`
      bind_addr = "[fe80::1%eth0]:69"
      max_file_size_bytes = 1000
      [logging]
      file = "/var/log/a"
      audit_enabled = false
      [transfer]
      port_range = "40000-40002"
      refuse_options = ["tsize", "blksize"]
      [cache]
      size_mb = 1536
      [performance]
      default_block_size = 8192
      default_windowsize = 16
      [performance.platform]
      socket = { recv_buffer_kb = 0 }
      file_io = { use_sequential_hint = false, use_willneed_hint = false }
      batch = { enable_sendmmsg = false, enable_recvmmsg = false, enable_gso = false, enable_adaptive_batching = false }
      worker_pool = { enable_cpu_affinity = true }
    `);
    expect(explainSettings(config, machine)).toEqual([
      "listen      [fe80::1%eth0]:69",
      "root        /var/lib/snow-owl/tftp",
      "names       exact, symlinks inside the root",
      "file size   up to 1000 bytes",
      "workers     3 (port_range has 3 ports), pinned",
      "ports       1 per worker (an equal share of port_range), from 40000-40002",
      "block size  up to 8192 bytes (default_block_size), 512 unless asked",
      "window      up to 16 blocks (default_windowsize) and 4 MiB, 1 unless asked",
      "options     all but tsize, blksize",
      "transfers   up to 4096 per worker",
      "limits      transfers: 1024 half-open per network; networks: /24 and /64; beyond: ERROR 0; unanswered: 1600 bytes",
      "timeouts    resend after 1000 ms, give up after 30 s, drain for 10 s",
      "buffers     receive the kernel's default, send 2 MiB",
      "batches     recvmsg, sendmsg; up to 64 messages per call",
      "spin        off (enable_adaptive_batching = false)",
      "file hints  none",
      "cache       1.5 GiB (size_mb)",
      "uploads     off (write_config.enabled)",
      "user        whoever starts it",
      "confined    Landlock, seccomp, no new privileges",
      "hand-over   by SIGUSR2, to what is ready within 30 s",
      "log         info, text, to /var/log/a, audit events off",
      "status      no web server (status.bind_addr)",
    ]);
    const audited = configOf(`
      [logging]
      audit_file = "/var/log/b"
      rotate_mb = 100
      rotate_hours = 24
      [performance]
      audit_sampling_rate = 0.25
    `);
    expect(explainSettings(audited, machine)).toContain(
      "log         info, text, to standard output, audit events also to /var/log/b, of 25 % of boots, a new file after 100 MiB or 24 h",
    );
  });

  test("knows single-port mode", () => {
    const lines = explainSettings(configOf("transfer.single_port = true"), machine);
    expect(lines).toContain("ports       the service port alone (single_port)");
  });
});
