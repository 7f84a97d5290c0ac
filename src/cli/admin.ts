// The commands that talk to a running server (cli layer): find its socket, ask, print. Nothing here decides anything; the server
// does, by who the kernel says is asking.

import { existsSync, readFileSync } from "node:fs";

import { unreachable } from "#base/assert.ts";
import { loadConfig } from "#config/load.ts";
import type { ClientView, StatusView, TimelineView, TransferView } from "#supervisor/api-shapes.ts";

import { type AdminCommandName, type AdminInvocation, readAdminLine } from "./admin-flags.ts";
import { AdminFault, AdminLink } from "./admin-link.ts";
import { clientLines, statusLines, timelineLines, transferLines } from "./admin-text.ts";
import { CONFIG_FILE_DEFAULT } from "./configuration.ts";
import { complain, errorCode, ExitCode, failureText, show } from "./exit.ts";
import { top } from "./top.ts";

/** Where a server is looked for of which nothing else is known. */
const SOCKET_DEFAULT = "/run/snow-owl-tftp/admin.sock";
const API = "/api/v1";
/** More than a terminal keeps. */
const LIMIT = "limit=10000";

/** Runs `command` with the words behind it. Resolves to the exit code. */
export async function adminMain(
  command: AdminCommandName,
  words: readonly string[],
): Promise<number> {
  const invocation = readAdminLine(command, words);
  if ("fault" in invocation) {
    complain(failureText(invocation.fault, invocation.remedy));
    return ExitCode.usage;
  }
  try {
    using link = await AdminLink.open(socketPath(invocation));
    await run(command, invocation, link);
    return ExitCode.ok;
  } catch (cause) {
    if (!(cause instanceof AdminFault)) throw cause;
    complain(failureText(cause.message, cause.remedy));
    return ExitCode.unavailable;
  }
}

async function run(
  command: AdminCommandName,
  { given, operand }: AdminInvocation,
  link: AdminLink,
): Promise<void> {
  const request = requestOf(command, operand);
  if (command === "top" && given.json !== true) {
    await top(link, request);
    return;
  }
  const value = await link.ask(request);
  if (given.json === true) show(JSON.stringify(value, null, 2));
  else for (const line of linesOf(command, operand, value)) show(line);
}

function requestOf(command: AdminCommandName, operand: string | undefined): string {
  switch (command) {
    case "top":
      return `GET ${API}/snapshot`;
    case "status":
      return `GET ${API}/status`;
    case "transfers":
      return `GET ${API}/transfers?${LIMIT}`;
    case "clients":
      if (operand === undefined) return `GET ${API}/clients?${LIMIT}`;
      return `GET ${API}/clients/${encodeURIComponent(operand)}`;
    case "kill":
      return `POST ${API}/transfers/${operand ?? ""}/kill`;
    case "reload":
    case "drain":
      return `POST ${API}/${command}`;
    default:
      return unreachable(command);
  }
}

function linesOf(
  command: AdminCommandName,
  operand: string | undefined,
  value: unknown,
): readonly string[] {
  switch (command) {
    case "status":
      return statusLines(value as StatusView);
    case "transfers":
      return transferLines((value as { readonly transfers: readonly TransferView[] }).transfers);
    case "clients":
      if (operand !== undefined) return timelineLines(value as TimelineView);
      return clientLines((value as { readonly clients: readonly ClientView[] }).clients);
    case "kill":
      return [`transfer ${operand ?? ""} is ended`];
    case "reload":
      return ["it reads its configuration again; its log says what came of it"];
    case "drain":
      return ["it takes no new requests, and ends when the last transfer has"];
    case "top":
      return [];
    default:
      return unreachable(command);
  }
}

/** As named, or as the configuration says. */
function socketPath({ given }: AdminInvocation): string {
  if (given.socket !== undefined) return given.socket;
  const file = given.config ?? CONFIG_FILE_DEFAULT;
  if (given.config === undefined && !existsSync(file)) return SOCKET_DEFAULT;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    // Who may open the socket need not be allowed to read the configuration.
    if (given.config === undefined) return SOCKET_DEFAULT;
    throw new AdminFault(
      `cannot read ${file}: ${errorCode(cause)}`,
      "name the socket: --socket PATH",
    );
  }
  const socket = loadConfig(text, file).config?.status.socket ?? "";
  if (socket !== "") return socket;
  if (given.config === undefined) return SOCKET_DEFAULT;
  throw new AdminFault(
    `${file} has no [status] socket`,
    `write socket = "${SOCKET_DEFAULT}" and restart, or name one: --socket PATH`,
  );
}
