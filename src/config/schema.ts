// The whole configuration schema (config layer): every key once, with type, default, bounds and sentences.
// Parser, types, defaults, the written-out file, the reference page and the notes of `check` come from it.

import type { Key, KeyTable, Section, Tolerated } from "./key.ts";
import { filesKeys } from "./keys-files.ts";
import { hookKeys } from "./keys-hooks.ts";
import { limitKeys, rateClassKeys } from "./keys-limits.ts";
import { listenerKeys } from "./keys-listeners.ts";
import { performanceKeys } from "./keys-performance.ts";
import { processKeys } from "./keys-process.ts";
import { accessRootKeys, hostKeys, policyKeys, ruleKeys, templateKeys } from "./keys-rules.ts";
import { serviceKeys } from "./keys-service.ts";
import { statusKeys } from "./keys-status.ts";
import { transferKeys } from "./keys-transfer.ts";
import { uploadKeys, uploadPatternKeys } from "./keys-uploads.ts";
import type { Place } from "./problem.ts";

type Rows = typeof serviceKeys &
  typeof filesKeys &
  typeof processKeys &
  typeof performanceKeys &
  typeof transferKeys &
  typeof limitKeys &
  typeof uploadKeys &
  typeof policyKeys &
  typeof statusKeys;

/** The tables that may stand in the file any number of times, `[[hook]]`, and the keys of each. */
export const lists: Lists = {
  listener: listenerKeys,
  "access.root": accessRootKeys,
  rule: ruleKeys,
  host: hostKeys,
  template: templateKeys,
  rate_class: rateClassKeys,
  "uploads.pattern": uploadPatternKeys,
  hook: hookKeys,
};

interface Lists {
  readonly listener: typeof listenerKeys;
  readonly "access.root": typeof accessRootKeys;
  readonly rule: typeof ruleKeys;
  readonly host: typeof hostKeys;
  readonly template: typeof templateKeys;
  readonly rate_class: typeof rateClassKeys;
  readonly "uploads.pattern": typeof uploadPatternKeys;
  readonly hook: typeof hookKeys;
}

/** The dotted path of a table that repeats. */
export type ListPath = keyof Lists;

/** The dotted path of a key, such as `performance.platform.batch.max_batch_size`. */
export type KeyPath = keyof Rows;

/** The TypeScript type of a row's value. */
type ValueOf<Row> = Row extends { kind: "boolean" }
  ? boolean
  : Row extends { kind: "integer" | "decimal" }
    ? number
    : Row extends { kind: "choice"; values: readonly (infer Word)[] }
      ? Word
      : Row extends { kind: "texts"; values: readonly (infer Word)[] }
        ? readonly Word[]
        : Row extends { kind: "texts" }
          ? readonly string[]
          : Row extends { kind: "variables" }
            ? Readonly<Record<string, string>>
            : string;

/** Turns dotted paths into nested objects. */
type Nest<Flat> = {
  readonly [
    Head in keyof Flat & string as Head extends `${infer Table}.${string}` ? Table : Head
  ]: Head extends keyof Flat
    ? Head extends `${infer Table}.${string}`
      ? Nest<{
          [Path in keyof Flat as Path extends `${Table}.${infer Rest}` ? Rest : never]: Flat[Path];
        }>
      : Flat[Head]
    : never;
};

/** Where an entry of a list and its keys stand; a key that was left out stands nowhere. */
export interface EntryPlaces {
  readonly place: Place;
  readonly sources: ReadonlyMap<string, Place>;
}

/** One table of a list: the value of each of its keys, set or default. */
export type Entry<Path extends ListPath> = EntryPlaces & {
  readonly [Name in keyof Lists[Path]]: ValueOf<Lists[Path][Name]>;
};

/** The value of every key and the entries of every list, nested as in the file: `values.logging.level`. */
export type Values = Nest<
  { [Path in KeyPath]: ValueOf<Rows[Path]> } & { [Path in ListPath]: readonly Entry<Path>[] }
>;

/** Every key in the order in which documents print them. */
export const keys: KeyTable & Readonly<Record<KeyPath, Key>> = {
  ...serviceKeys,
  ...filesKeys,
  ...statusKeys,
  ...policyKeys,
  ...uploadKeys,
  ...processKeys,
  ...transferKeys,
  ...limitKeys,
  ...performanceKeys,
};

/** The tables of the file, in the order in which documents print them. */
export const sections: readonly Section[] = [
  {
    path: "",
    title: "The top of the file",
    about: ["What is served, and where."],
  },
  {
    path: "listener",
    title: "Listeners",
    about: [
      "Several places to listen at, each with folders and ports of its own. With any of these tables `bind_addr` does not count.",
      "Rules tell listeners apart by `listener`. All of them share the workers, the file cache and all limits.",
    ],
  },
  {
    path: "files",
    title: "Files",
    about: [
      "How a name is found below the root, and below each folder of `roots` that is a root of its own.",
    ],
  },
  {
    path: "logging",
    title: "Logging",
    about: ["What is written down, and where to."],
  },
  {
    path: "status",
    title: "Status",
    about: ["What the server shows of itself, over HTTP. See docs/operations.md."],
  },
  {
    path: "metrics",
    title: "Metrics",
    about: ["What `/metrics` shows. docs/metrics.md lists all of it."],
  },
  {
    path: "names",
    title: "Names",
    about: ["What is made of the names that clients send, before anything looks at them."],
  },
  {
    path: "access",
    title: "Access",
    about: ["Who may do what, apart from rules."],
  },
  {
    path: "access.root",
    title: "Access by folder",
    about: [
      "Who may have what lies in a folder, for downloads and uploads, whatever the rules allow. Of folders that lie in one another the innermost counts.",
      "A folder that the client may not have is passed over; if there is none that it may have, the answer is ERROR 2. A client that a list allows needs no rule that allows it.",
      "What counts is the name that is looked up: a symbolic link in another folder leads in all the same.",
    ],
  },
  {
    path: "rule",
    title: "Rules",
    about: [
      "Who gets what. Rules are asked in the order of the file, and each that holds does what it says; the next sees the name that it left.",
      "A rule holds if all of its conditions do: `listener`, `client`, `local`, `interface`, `mac`, `request`, `mode` and a pattern of names. Of several clients, addresses and so on one is enough.",
      "`snow-owl-tftp check --explain` shows what the rules make of a request.",
    ],
  },
  {
    path: "host",
    title: "Hosts",
    about: ["Clients that have a name, a group and variables of their own."],
  },
  {
    path: "template",
    title: "Templates",
    about: ["Small text files that exist for whoever asks, filled in for each client."],
  },
  {
    path: "write_config",
    title: "Uploads",
    about: [
      "Whether clients may write, and which names.",
      "What a client is promised stands in docs/operations.md.",
    ],
  },
  {
    path: "uploads",
    title: "What becomes of uploads",
    about: ["Where uploads go, how much they may take, and how they are kept."],
  },
  {
    path: "uploads.pattern",
    title: "Uploads by name",
    about: [
      "Other terms for some names. The first table whose pattern matches counts, and what it leaves out is as in `[uploads]`.",
      "It allows nothing by itself: `allowed_patterns` does.",
    ],
  },
  {
    path: "hook",
    title: "Hooks",
    about: [
      "What to do when something happened: run a command, or tell a web service.",
      "Every hook that has the event and whose pattern matches is called. What it is told stands in docs/operations.md.",
    ],
  },
  {
    path: "process",
    title: "The process",
    about: [
      "As whom the server runs, and what it can no longer do when the first request comes.",
      "What this means in practice stands in docs/operations.md.",
    ],
  },
  {
    path: "transfer",
    title: "Transfers",
    about: ["How a transfer behaves, what it may be granted, and how many there may be."],
  },
  {
    path: "limits",
    title: "Limits",
    about: [
      "How much anybody may have, so that nobody goes short. What happens at a limit, and how it shows, stands in docs/operations.md.",
    ],
  },
  {
    path: "rate_class",
    title: "Rate classes",
    about: ["Bandwidth for the transfers that rules put into a class (`rate_class`)."],
  },
  {
    path: "cache",
    title: "File cache",
    about: ["Files that were served lately stay in memory and are sent from there."],
  },
  {
    path: "performance",
    title: "Performance",
    about: ["Caps under the names that Snow-Owl gave them."],
  },
  {
    path: "performance.platform.socket",
    title: "Sockets",
    about: ["Options of the UDP sockets."],
  },
  {
    path: "performance.platform.file_io",
    title: "File reads",
    about: ["What the kernel is told about the files that are read."],
  },
  {
    path: "performance.platform.batch",
    title: "Batches",
    about: ["How many datagrams one system call moves, and how a worker waits for the next ones."],
  },
  {
    path: "performance.platform.zero_copy",
    title: "Zero copy",
    about: ["Ways to send that do not suit TFTP."],
  },
  {
    path: "performance.platform.worker_pool",
    title: "Workers",
    about: [
      "A worker is a thread with sockets, transfers and timers of its own; workers share nothing.",
    ],
  },
  {
    path: "multicast",
    title: "Multicast",
    about: ["One transfer for many clients (RFC 2090)."],
  },
];

/** What existing files contain besides the schema, with what to know about it. */
export const tolerated: readonly Tolerated[] = [
  {
    path: "tftp_root",
    severity: "warning",
    because: "it belongs to another file of Snow-Owl's; here the folder is `root_dir`.",
  },
  {
    path: "enable_tftp",
    severity: "warning",
    because: "it belongs to another file of Snow-Owl's; here the server always serves TFTP.",
  },
  {
    path: "rfc7440",
    severity: "note",
    because: "windows are always on; `transfer.max_windowsize` caps them.",
  },
  {
    path: "performance.platform.io_uring",
    severity: "note",
    because: "files are read through the file cache (`cache.size_mb`).",
  },
  {
    path: "performance.profiles",
    severity: "note",
    because: "the caps in `[transfer]` hold for every network.",
  },
  {
    path: "performance.socket",
    severity: "note",
    because: "these keys live in `[performance.platform.socket]`.",
  },
  {
    path: "performance.batching",
    severity: "note",
    because: "these keys live in `[performance.platform.batch]`.",
  },
  {
    path: "performance.zerocopy",
    severity: "note",
    because: "these keys live in `[performance.platform.zero_copy]`.",
  },
  {
    path: "web",
    severity: "note",
    because: "this server has no web interface.",
  },
];

/** Whether `path` names a key of the schema. */
export function isKeyPath(path: string): path is KeyPath {
  return Object.hasOwn(keys, path);
}

/** Whether `path` names a table that repeats. */
export function isListPath(path: string): path is ListPath {
  return Object.hasOwn(lists, path);
}

/** The paths of all tables that repeat. */
export const listPaths: readonly ListPath[] = Object.keys(lists).filter(isListPath);

/** The paths of all keys outside of lists, in the order in which documents print them. */
export const keyPaths: readonly KeyPath[] = Object.keys(keys).filter(isKeyPath);

/** The table that a path lies in; `""` for the top of the file. */
export function tableOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}

/** The last part of a path: the key's own name. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
