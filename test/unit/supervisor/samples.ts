// What shards report, one of each kind, for tests of what becomes of it.
// All of the same moment and client, but for the refusal.

import type {
  RefusalRecord,
  RequestRecord,
  TransferRecord,
  UploadRecord,
  UploadRequestRecord,
} from "#server/contract.ts";

export const timeMs: number = Date.UTC(2026, 10, 21, 12);

const client = {
  timeMs,
  peer: "10.0.0.7:2070",
  interfaceIndex: 0,
  listener: 0,
  localAddress: undefined,
} as const;

export const sent: TransferRecord = {
  kind: "transfer",
  ...client,
  transferId: 1,
  name: "pxe/vmlinuz",
  mode: "octet",
  outcome: "complete",
  isSuccess: true,
  fileBytes: 8_123_456,
  bytes: 8_123_456,
  durationUs: 93_000,
  blockBytes: 1428,
  windowBlocks: 16,
  blocksSent: 5689,
  blocksResent: 0,
  timeouts: 0,
  rttUs: 120,
  options: "blksize=1428 windowsize=16 tsize=8123456",
  sha256: undefined,
};

export const failed: TransferRecord = {
  ...sent,
  outcome: "gave-up",
  isSuccess: false,
  bytes: 1_200_000,
  durationUs: 30_000_000,
  blocksResent: 80,
  timeouts: 5,
};

export const asked: RequestRecord = {
  kind: "request",
  ...client,
  transferId: 1,
  name: "pxe/vmlinuz",
  mode: "octet",
  fileBytes: 8_123_456,
  blockBytes: 1428,
  asked: { blksize: "1428" },
};

export const received: UploadRecord = {
  kind: "upload",
  ...client,
  transferId: 1,
  name: "/backups/sw1.cfg",
  rootDir: "/srv/up",
  path: "backups/sw1.cfg",
  target: "backups/sw1.cfg",
  mode: "octet",
  outcome: "complete",
  isSuccess: true,
  bytes: 12_345,
  durationUs: 93_000,
  blockBytes: 512,
  windowBlocks: 1,
  blocksReceived: 25,
  duplicates: 1,
  timeouts: 0,
  rttUs: 0,
  options: "tsize=12345",
  sha256: undefined,
  isVerified: false,
  isReplacement: false,
  isVersioned: false,
};

export const askedToWrite: UploadRequestRecord = {
  kind: "upload-request",
  ...client,
  transferId: 1,
  name: "/backups/sw1.cfg",
  mode: "netascii",
  announcedBytes: 12_345,
  blockBytes: 512,
  asked: { tsize: "12345" },
};

export const refused: RefusalRecord = {
  kind: "refusal",
  ...client,
  peer: "[fe80::1%eth0]:2070",
  name: "my file",
  isWrite: false,
  code: 1,
  reason: "no such file",
  cause: "not-found",
};
