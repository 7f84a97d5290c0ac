// A shard that reserves byte after byte, for upload-ledger.test.ts.

import { workerData } from "node:worker_threads";

import { UploadLedger } from "#storage/upload-ledger.ts";

const { memory, shard, rounds } = workerData as {
  readonly memory: SharedArrayBuffer;
  readonly shard: number;
  readonly rounds: number;
};
const quotas = { rootBytesMax: 0, clientBytesMax: 1e15, clientWindowMs: 1e9 };
const ledger = new UploadLedger(memory, shard, quotas);
const claim = ledger.claim(`name-${shard}`, "client", false);
for (let round = 0; round < rounds; round += 1) ledger.reserve(claim, 3);
ledger.settle(claim, 3 * rounds, 0);
