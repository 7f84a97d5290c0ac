// Which client is stuck, and on what (supervisor layer): its steps and what runs are judged, and put into a sentence with what is
// likely to help. Pure. A client that has what it asked for and is silent does something else; one that has not is stuck.

import { adviceFor, stallAdvice } from "./advice.ts";
import type { ClientView } from "./api-shapes.ts";
import { formatBytes } from "./format.ts";
import { fileBytesOf, type LiveTransfer } from "./live.ts";
import type { Client, Step } from "./steps.ts";

/** What is judged of a client. */
export interface Diagnosis {
  readonly state: ClientView["state"];
  readonly sentence: string;
  readonly remedy: string;
  /** When something of it last moved; 0 if nothing runs. */
  readonly movedMs: number;
  /** Of what runs. */
  readonly bytes: number;
}

/**
 * A client that is silent for so long after a refusal, or in the middle of a transfer, is stuck. Loaders ask for their next file
 * within a second and repeat a lost packet within five (PXELINUX, GRUB, U-Boot, EDK II).
 */
const SILENT_MS = 6000;
/** Who asked for the same so often waits for it, however busy it is. */
const REPEATS_STUCK = 3;
/** Who has been stuck for so long has been switched off, or booted by other means. A guess. */
const FORGOTTEN_MS = 3_600_000;

export function diagnose(
  client: Pick<Client, "steps" | "lastMs">,
  liveOf: (transferId: number) => LiveTransfer | undefined,
  nowMs: number,
): Diagnosis {
  const running = client.steps.flatMap(({ transferId }) => {
    const live = transferId === undefined ? undefined : liveOf(transferId);
    return live === undefined ? [] : [live];
  });
  if (running.length > 0) return ofRunning(running, nowMs);
  const last = client.steps.at(-1);
  const silentMs = nowMs - client.lastMs;
  if (last === undefined || silentMs > FORGOTTEN_MS) return idle("asked for nothing lately");
  return ofLast(last, silentMs);
}

function ofRunning(running: readonly LiveTransfer[], nowMs: number): Diagnosis {
  const movedMs = Math.max(...running.map((each) => each.movedMs));
  const bytes = running.reduce((sum, each) => sum + each.bytes, 0);
  // What moved last is what the client is busy with.
  const [live] = running.toSorted((one, other) => other.movedMs - one.movedMs);
  if (live === undefined) return idle("");
  const { name, kind } = live.begun;
  const how = progressText(live);
  if (nowMs - movedMs < SILENT_MS) {
    const verb = kind === "request" ? "loads" : "sends";
    const sentence = `${verb} ${name}, ${how}`;
    return { state: "loading", sentence, remedy: "", movedMs, bytes };
  }
  const { words, remedy } = stallAdvice(live.hasAnswered);
  const silent = secondsText(nowMs - movedMs);
  return {
    state: "stuck",
    sentence: `${name} ${words} (${how}, ${silent})`,
    remedy,
    movedMs,
    bytes,
  };
}

function ofLast(last: Step, silentMs: number): Diagnosis {
  const { file, state, because, times, detail, bytes, fileBytes } = last;
  const when = `${secondsText(silentMs)} ago`;
  const often = times > 1 ? `, asked for ${times} times` : "";
  if (state === "failed" || state === "refused") {
    const isStuck = state === "failed" || silentMs >= SILENT_MS || times >= REPEATS_STUCK;
    const { words, remedy } = adviceFor(because);
    const part = state === "failed" ? ` after ${amountText(bytes, fileBytes)}` : "";
    // The tables say what a refusal is called; a rule's or a folder's name says more.
    const why = because === "denied" ? ` (${detail})` : "";
    const since = silentMs < SILENT_MS ? "" : "; nothing since";
    const sentence = `${file} ${words}${why}${part}${often}, ${when}${since}`;
    if (isStuck) return { state: "stuck", sentence, remedy, movedMs: 0, bytes: 0 };
    return {
      state: "loading",
      sentence: `${file} ${words}${often}`,
      remedy: "",
      movedMs: 0,
      bytes: 0,
    };
  }
  if (state === "running") return idle(`is at the end of ${file}`);
  const did = last.isWrite ? "sent" : "got";
  return idle(state === "complete" ? `${did} ${file}, ${when}` : `left ${file}, ${when}`);
}

function idle(sentence: string): Diagnosis {
  return { state: "idle", sentence, remedy: "", movedMs: 0, bytes: 0 };
}

/** `43 % of 2.8 MB`, or the bytes alone. */
function progressText({ bytes, begun }: LiveTransfer): string {
  return amountText(bytes, fileBytesOf(begun));
}

function amountText(bytes: number, fileBytes: number | null): string {
  if (fileBytes === null || fileBytes === 0) return formatBytes(bytes);
  return `${Math.floor((100 * bytes) / fileBytes)} % of ${formatBytes(fileBytes)}`;
}

function secondsText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
