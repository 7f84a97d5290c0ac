// What went wrong in plain words, and what is likely to help (supervisor layer): one table each for the ends of transfers, for
// refusals, limits and events of the process. Pure. For who stands before a rack that does not boot.

import type { LimitName, RefusalCause } from "#server/contract.ts";

/** `words` follow the name of a file: "pxelinux.0 was not found". */
export interface Advice {
  readonly words: string;
  readonly remedy: string;
}

/** Of a request that was refused. */
const refusalAdvice: Readonly<Record<RefusalCause, Advice>> = {
  "not-found": {
    words: "is not there",
    remedy:
      "put it below the root folder, or correct the name in the DHCP answer or the boot loader's menu; `check --explain` tells which rules and folders were asked",
  },
  denied: {
    words: "is denied to this client",
    remedy: "see which rule or list says so with `check --explain --client ADDRESS NAME`",
  },
  inaccessible: {
    words: "cannot be read by the server",
    remedy:
      "make it a regular file that the server's user may read: ls -l, and namei -l for the folders",
  },
  traversal: {
    words: "leads out of the root folder",
    remedy: "if it is yours, link to it inside the root; otherwise see who asks",
  },
  symlink: {
    words: "is behind a symbolic link that is not followed",
    remedy: "allow the link's target in `files.symlink_targets`, or copy the file",
  },
  "too-large": {
    words: "is larger than is allowed",
    remedy: "raise `max_file_size_bytes`, or the cap of uploads",
  },
  "write-disabled": {
    words: "was to be uploaded, and uploads are off",
    remedy: "allow them with `[write_config] enabled = true` if they are wanted",
  },
  malformed: {
    words: "was asked for by a packet that is no proper request",
    remedy: "see what sends it: tcpdump -n udp port 69",
  },
  exists: {
    words: "is there already, and may not be overwritten",
    remedy: "remove it, allow overwriting, or keep versions",
  },
  full: {
    words: "does not fit: the disk or the quota is full",
    remedy: "make room, or raise the quota",
  },
  busy: {
    words: "had to be refused, because memory or open files were used up",
    remedy: "raise LimitNOFILE and the memory for uploads; the client asks again by itself",
  },
  "io-error": {
    words: "cannot be read from its disk, or written to it",
    remedy: "see the kernel's log: dmesg; the disk or the network file system fails",
  },
};

const silent: Advice = {
  words: "was answered, and the client acknowledged nothing",
  remedy:
    "see that a firewall lets UDP between the client and the server's high ports pass, or write `transfer.single_port = true`; the client may also have gone",
};
const lost: Advice = {
  words: "broke off: the client stopped answering",
  remedy:
    "look at its power, cable and switch port; where blocks were repeated before, allow smaller ones (`transfer.mtu_clamp`) and fewer at a time",
};

/** Of a transfer that ended otherwise than well, by outcome; a refusal's cause is an outcome of uploads, too. */
const outcomeAdvice: Readonly<Record<string, Advice>> = {
  "never-answered": silent,
  "gave-up": lost,
  "closed-by-client": {
    words: "was broken off by the client itself",
    remedy: "most loaders do so on purpose, to ask for a size or to choose another file",
  },
  replaced: {
    words: "was asked for anew before it had ended",
    remedy: "the client's patience is shorter than the way to it: look for loss between the two",
  },
  "protocol-error": {
    words: "broke off: what the client sent belongs to no such transfer",
    remedy: "the client is at fault; refuse it the options that it cannot do (`[[rule]]`)",
  },
  "file-changed": {
    words: "was changed while it was being sent",
    remedy: "replace files by renaming (mv), not by writing into them; the client has to ask again",
  },
  shutdown: {
    words: "was cut off because the server ended",
    remedy:
      "the client has to ask again; `transfer.drain_secs` says how long transfers may take to end",
  },
  killed: {
    words: "was ended by the administrator",
    remedy: "the client has to ask again",
  },
  "worker-died": {
    words: "was cut off because a worker of the server died",
    remedy: "the client has to ask again; please report the event worker_replaced",
  },
  ...refusalAdvice,
};

const unknown: Advice = { words: "failed", remedy: "see the log around that time" };

export function adviceFor(outcome: string): Advice {
  return outcomeAdvice[outcome] ?? unknown;
}

/** Of a transfer that has not ended, and does not move. */
export function stallAdvice(hasAnswered: boolean): Advice {
  return hasAnswered ? { ...lost, words: "does not move: the client is silent" } : silent;
}

/** Of a limit that turned requests away. */
export const limitRemedies: Readonly<Record<LimitName, string>> = {
  transfers: "raise `limits.transfers`, or add bandwidth so that transfers end sooner",
  "worker-transfers": "raise `transfer.max_transfers`, or `worker_count`",
  "client-transfers": "raise the limit for one client if that many are meant",
  "network-transfers": "raise the limit for one network if that many are meant",
  "half-open": "see whether the addresses are real; raise the limit if so many boot at once",
  requests: "see who asks so often; raise the limit if that is meant",
  resources: "raise LimitNOFILE and the memory for uploads",
};

/** Of events of the process itself, by name. */
const eventRemedies: Readonly<Record<string, string>> = {
  worker_replaced: "transfers of that worker were cut off; please report the event",
  worker_stuck: "a disk or a network file system that does not answer is the usual cause",
  disk_thread_replaced: "please report the event",
  records_lost: "the machine is overloaded: events are missing, transfers are not",
  log_lines_lost: "see the disk of the log, or who reads it",
  log_not_rotated: "make the log's folder writable for the server's user",
  configuration_error: "the old configuration stays in force; correct the file and reload",
  configuration_warning: "correct the file; `check` says the same",
  configuration_needs_restart: "restart when it suits",
  hook_given_up: "see the hook's output in the event",
  hook_failed: "it is tried again by itself",
  hook_calls_dropped: "make the hook faster, or have fewer calls",
  hook_queue_full: "make the hook faster, or have fewer calls",
  authentication_attempt: "somebody asks for status without the token: see who",
};

/** What helps against an event of the process; the log where that is not known. */
export function eventRemedy(eventType: string): string {
  return eventRemedies[eventType] ?? "see the log around that time";
}
