// The screen of `top` (cli layer): a snapshot of a server as lines that fit a terminal. Stuck clients first, then what moves.
// Pure.

import type { ClientView, SnapshotView, TransferView } from "#supervisor/api-shapes.ts";

import { percentText, rateText, spanText } from "./admin-text.ts";

const BAR = 20;
const RESET = "\u001B[0m";
const BOLD = "\u001B[1m";
const RED = "\u001B[31m";
const FAINT = "\u001B[2m";

/** At most `rows` lines of at most `width` characters, not counting colours. */
export function topScreen(
  { status, clients, transfers, errors }: SnapshotView,
  { width, rows }: { readonly width: number; readonly rows: number },
): readonly string[] {
  const stuck = clients.clients.filter(({ state }) => state === "stuck");
  const standing = status.because === "" ? status.state : `${status.state} (${status.because})`;
  const head = [
    [
      BOLD,
      `snow-owl-tftp ${status.version}: ${standing} on ${status.address}, up ${spanText(status.uptime_ms)}`,
    ],
    [
      "",
      `${rateText(status.sent_bytes_per_second)} sent   ${status.requests_per_second} requests/s   ${status.refused_per_second} refused/s   ${status.transfers} transfers`,
    ],
    [
      status.clients_stuck > 0 ? RED : "",
      `${status.clients_stuck} stuck   ${status.clients_loading} loading   ${status.clients_idle} idle`,
    ],
  ] as const;
  const sections = [
    section("stuck", stuck.flatMap(stuckRows), status.clients_stuck > stuck.length),
    section(
      "transfers",
      transfers.transfers.map(transferRow),
      transfers.total > transfers.transfers.length,
    ),
    section(
      "errors",
      errors.map(({ client, sentence }): Row => ["", `${client ?? "server"}: ${sentence}`]),
      false,
    ),
  ];
  const room = Math.max(0, rows - head.length - 1);
  const body = fitted(sections, room);
  const foot: Row = [FAINT, "q ends   a boot step by step: snow-owl-tftp clients ADDRESS"];
  return [...head, ...body, foot].map(([colour, text]) => lineOf(colour, text, width));
}

/** A colour and a text. */
type Row = readonly [colour: string, text: string];

function section(title: string, rows: readonly Row[], hasMore: boolean): readonly Row[] {
  if (rows.length === 0) return [];
  return [["", ""], [BOLD, `${title}${hasMore ? " (not all)" : ""}`], ...rows];
}

function stuckRows({ client, mac, sentence, remedy }: ClientView): readonly Row[] {
  return [
    [RED, `${mac === null ? client : `${client} ${mac}`}  ${sentence}`],
    [FAINT, `    help: ${remedy}`],
  ];
}

function transferRow(each: TransferView): Row {
  const { bytes, file_bytes: all } = each;
  const share = all === null || all === 0 ? 0 : Math.min(1, bytes / all);
  const full = Math.floor(share * BAR);
  const bar = `[${"#".repeat(full)}${" ".repeat(BAR - full)}]`;
  const silent = each.silent_ms >= 2000 ? `, still for ${spanText(each.silent_ms)}` : "";
  const far = percentText(bytes, all);
  return [
    "",
    `${String(each.id).padStart(6)} ${bar} ${each.client}  ${each.file}  ${far}, ${rateText(each.bytes_per_second)}${silent}`,
  ];
}

/** As much of each section as fits, none of which takes all the room from those after it. */
function fitted(sections: readonly (readonly Row[])[], room: number): readonly Row[] {
  const shown: Row[] = [];
  for (const [index, rows] of sections.entries()) {
    const after = sections.slice(index + 1).filter(({ length }) => length > 0).length;
    // A title, an empty line and three more for each of those.
    const share = Math.max(0, room - shown.length - after * 5);
    shown.push(...rows.slice(0, share));
  }
  return shown.slice(0, room);
}

function lineOf(colour: string, text: string, width: number): string {
  const cut = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
  return colour === "" ? cut : `${colour}${cut}${RESET}`;
}
