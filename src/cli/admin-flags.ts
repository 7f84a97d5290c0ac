// The command line of the commands that talk to a running server (cli layer): their table, and the flags that all of them have.
// What is not well formed is refused with what to write.

import { parseArgs, type ParsedArgs } from "citty";

import { readFlags, type UsageFault } from "./words.ts";

/** By name, as --help introduces them. */
export const adminCommands = {
  top: "watch a running server: who is stuck, and what is under way",
  status: "print how a running server is",
  transfers: "print what is under way",
  clients: "print clients and what they are doing; clients ADDRESS prints a boot step by step",
  kill: "end the transfer of that number: kill TRANSFER",
  reload: "have it read its configuration again",
  drain: "have it take no new requests, and end when the last transfer has",
} as const;

export type AdminCommandName = keyof typeof adminCommands;

const adminFlags = {
  config: { type: "string", alias: "c", valueHint: "FILE", description: "its configuration file" },
  socket: { type: "string", valueHint: "PATH", description: "its admin socket" },
  json: { type: "boolean", description: "print what it answers as it is" },
} as const;

/** How many words may follow, and how many must. */
const operands: Readonly<
  Partial<Record<AdminCommandName, readonly [least: number, most: number]>>
> = { clients: [0, 1], kill: [1, 1] };

/** A command line that is well formed. */
export interface AdminInvocation {
  readonly given: ParsedArgs<typeof adminFlags>;
  readonly operand: string | undefined;
}

/** The command, if `argv` begins with one of these. */
export function adminCommandOf([first = ""]: readonly string[]): AdminCommandName | undefined {
  return Object.hasOwn(adminCommands, first) ? (first as AdminCommandName) : undefined;
}

/** Reads the words behind `command`. */
export function readAdminLine(
  command: AdminCommandName,
  words: readonly string[],
): AdminInvocation | UsageFault {
  const [least, most] = operands[command] ?? [0, 0];
  const found: string[] = [];
  const rawArgs = readFlags(words, adminFlags, (word) => {
    if (found.length >= most) return { fault: `unexpected argument ${word}`, remedy: USAGE };
    found.push(word);
    return undefined;
  });
  if ("fault" in rawArgs) return rawArgs;
  const [operand] = found;
  if (found.length < least) {
    return { fault: `${command} needs a transfer's number`, remedy: "transfers prints them" };
  }
  if (command === "kill" && !/^\d{1,15}$/.test(operand ?? "")) {
    return { fault: `${operand ?? ""} is no transfer's number`, remedy: "transfers prints them" };
  }
  return { given: parseArgs<typeof adminFlags>(rawArgs, adminFlags), operand };
}

const USAGE = "flags are -c FILE, --socket PATH and --json";
