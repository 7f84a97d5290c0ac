// What one client asked for in one boot, and what came of it (supervisor layer). Bounded: the oldest step goes, and who asks for the
// same again and again fills no list.

import type {
  RefusalRecord,
  RequestRecord,
  TransferRecord,
  UploadRecord,
  UploadRequestRecord,
} from "#server/contract.ts";

import type { StepView } from "./api-shapes.ts";
import type { Boot } from "./boots.ts";
import { fileBytesOf } from "./live.ts";
import { isClientsChoice } from "./severity.ts";

/** Steps of one boot that are kept: a boot through PXE with all its misses has some 40. A guess. */
const STEPS_MAX = 64;

/** One request, and what came of it. */
export interface Step {
  /** Undefined where nothing began. */
  readonly transferId: number | undefined;
  readonly timeMs: number;
  readonly file: string;
  readonly isWrite: boolean;
  state: StepView["state"];
  because: string;
  detail: string;
  bytes: number;
  fileBytes: number | null;
  durationMs: number;
  times: number;
}

/** One client, in its present boot. */
export interface Client {
  readonly address: string;
  readonly boots: number;
  readonly boot: Boot;
  readonly bootMs: number;
  readonly steps: Step[];
  lastMs: number;
  /** Since when it is stuck, as was last looked; undefined: it is not. */
  stuckSinceMs: number | undefined;
  /** The file that it was last told to be stuck on; undefined: it was not told yet. */
  toldStuckOn: string | undefined;
  stepsDropped: number;
  bytes: number;
  files: number;
  misses: number;
  failures: number;
}

/** A transfer began. */
export function noteBegin(client: Client, record: RequestRecord | UploadRequestRecord): void {
  addStep(client, {
    transferId: record.transferId,
    timeMs: record.timeMs,
    file: record.name,
    isWrite: record.kind === "upload-request",
    state: "running",
    because: "",
    detail: "",
    bytes: 0,
    fileBytes: fileBytesOf(record),
    durationMs: 0,
    times: 1,
  });
}

function addStep(client: Client, step: Step): void {
  // Shards report in batches, so that what another shard was asked later may be told earlier.
  const before = client.steps.findLastIndex(({ timeMs }) => timeMs <= step.timeMs);
  client.steps.splice(before + 1, 0, step);
  if (client.steps.length <= STEPS_MAX) return;
  client.steps.shift();
  client.stepsDropped += 1;
}

export function noteRefusal(client: Client, record: RefusalRecord): void {
  client.misses += 1;
  const last = client.steps.at(-1);
  if (last?.state === "refused" && last.file === record.name && last.because === record.cause) {
    last.times += 1;
    return;
  }
  addStep(client, {
    transferId: undefined,
    timeMs: record.timeMs,
    file: record.name,
    isWrite: record.isWrite,
    state: "refused",
    because: record.cause,
    detail: record.reason,
    bytes: 0,
    fileBytes: record.fileBytes ?? null,
    durationMs: 0,
    times: 1,
  });
}

export function noteEnd(client: Client, record: TransferRecord | UploadRecord): void {
  if (record.isSuccess) client.files += 1;
  else if (!isClientsChoice(record.outcome)) client.failures += 1;
  client.bytes += record.bytes;
  const index = client.steps.findLastIndex(({ transferId }) => transferId === record.transferId);
  const step = client.steps[index];
  if (step === undefined) return;
  step.state = endState(record);
  step.because = record.outcome;
  step.bytes = record.bytes;
  step.fileBytes = record.kind === "transfer" ? record.fileBytes : record.bytes;
  step.durationMs = record.durationUs / 1000;
  const before = client.steps[index - 1];
  const isAgain =
    step.state === "failed" && before?.file === step.file && before.because === step.because;
  if (before === undefined || !isAgain) return;
  step.times = before.times + 1;
  client.steps.splice(index - 1, 1);
}

function endState({ isSuccess, outcome }: TransferRecord | UploadRecord): Step["state"] {
  if (isSuccess) return "complete";
  return isClientsChoice(outcome) ? "stopped" : "failed";
}
