// The API (supervisor layer): one table of routes, from which requests are answered and the OpenAPI document is made. It knows no
// HTTP and no socket: a method, a path and a query come in, a status and a value go out.

import type {
  FeatureView,
  FileView,
  HistoryView,
  MeasureView,
  SettingView,
  ShapeName,
  ShardView,
  SnapshotView,
  StatusView,
  TimelineView,
  TroubleView,
} from "./api-shapes.ts";

/** What the routes read, and what they can have done. */
export interface ApiSource {
  status(): StatusView;
  transfers(limit: number): SnapshotView["transfers"];
  clients(limit: number): SnapshotView["clients"];
  /** Undefined of a client that is not remembered. */
  timeline(address: string): TimelineView | undefined;
  files(limit: number): { readonly total: number; readonly files: readonly FileView[] };
  errors(limit: number): readonly TroubleView[];
  shards(): readonly ShardView[];
  kernel(): readonly FeatureView[];
  confinement(): readonly MeasureView[];
  history(): HistoryView;
  configuration(): { readonly file: string; readonly settings: readonly SettingView[] };
  snapshot(): SnapshotView;
  /** Ends a transfer. False: there is none of that number. */
  kill(transferId: number): boolean;
  reload(): void;
  drain(): void;
}

/** An answer: what HTTP calls its status, and a value for JSON. */
export interface Answer {
  readonly status: number;
  readonly value: unknown;
}

/** What a request says besides its path. */
interface Ask {
  /** The one part of the path that is not fixed; empty where there is none. */
  readonly part: string;
  readonly limit: number;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** With at most one part in braces. */
  readonly path: string;
  readonly about: string;
  /** What is answered; `live` and `events` are streams, which the web server makes. */
  readonly answer: ShapeName | "accepted" | "live" | "events";
  /** Whether `?limit=` says how many are listed. */
  readonly hasLimit?: true;
  /** Undefined: there is no such thing. */
  readonly read?: (source: ApiSource, ask: Ask) => unknown;
}

/** Where all paths begin. */
export const API = "/api/v1";

/** How many are listed if nobody says; what a page shows. */
const LIMIT = 100;
/** A few megabytes of JSON. */
export const LIMIT_MAX = 10_000;

export const routes: readonly Route[] = [
  {
    method: "GET",
    path: `${API}/status`,
    about: "How the server is, in one object.",
    answer: "status",
    read: (source) => source.status(),
  },
  {
    method: "GET",
    path: `${API}/transfers`,
    about: "Transfers under way, with how far they are.",
    answer: "transfers",
    hasLimit: true,
    read: (source, { limit }) => source.transfers(limit),
  },
  {
    method: "POST",
    path: `${API}/transfers/{id}/kill`,
    about: "Ends a transfer; its client is told so.",
    answer: "accepted",
    read: (source, { part }) => (source.kill(Number(part)) ? accepted : undefined),
  },
  {
    method: "GET",
    path: `${API}/clients`,
    about: "Clients with what each is doing or stuck on, in a sentence with a remedy.",
    answer: "clients",
    hasLimit: true,
    read: (source, { limit }) => source.clients(limit),
  },
  {
    method: "GET",
    path: `${API}/clients/{address}`,
    about: "The boot of one client: what it asked for, in order, misses included.",
    answer: "timeline",
    read: (source, { part }) => source.timeline(part),
  },
  {
    method: "GET",
    path: `${API}/files`,
    about: "What is asked for most.",
    answer: "files",
    hasLimit: true,
    read: (source, { limit }) => source.files(limit),
  },
  {
    method: "GET",
    path: `${API}/errors`,
    about: "What went wrong lately, in plain words with the likely remedy.",
    answer: "troubles",
    hasLimit: true,
    read: (source, { limit }) => ({ errors: source.errors(limit) }),
  },
  {
    method: "GET",
    path: `${API}/shards`,
    about: "The workers, their caches and queues.",
    answer: "shards",
    read: (source) => ({ shards: source.shards() }),
  },
  {
    method: "GET",
    path: `${API}/kernel`,
    about: "Which features of the kernel are used, and what the process has given up.",
    answer: "kernel",
    read: (source) => ({ features: source.kernel(), confinement: source.confinement() }),
  },
  {
    method: "GET",
    path: `${API}/history`,
    about: "The last five minutes, second by second.",
    answer: "history",
    read: (source) => source.history(),
  },
  {
    method: "GET",
    path: `${API}/configuration`,
    about: "What the configuration in force comes to on this machine, as `check` says it.",
    answer: "configuration",
    read: (source) => source.configuration(),
  },
  {
    method: "GET",
    path: `${API}/snapshot`,
    about: "All that changes: what `/live` says once a second.",
    answer: "snapshot",
    read: (source) => source.snapshot(),
  },
  {
    method: "GET",
    path: `${API}/live`,
    about: "Server-sent events: once a second `snapshot`, with all that changes.",
    answer: "live",
  },
  {
    method: "GET",
    path: `${API}/events`,
    about: "Server-sent events: each audit event as `audit`, whatever is written to logs.",
    answer: "events",
  },
  {
    method: "POST",
    path: `${API}/reload`,
    about: "Reads the configuration again, as SIGHUP does; the log says what came of it.",
    answer: "accepted",
    read: (source) => done(source.reload()),
  },
  {
    method: "POST",
    path: `${API}/drain`,
    about: "Takes no new requests, and ends when the last transfer has, as SIGTERM does.",
    answer: "accepted",
    read: (source) => done(source.drain()),
  },
];

const accepted = { accepted: true } as const;

function done(_nothing: void): typeof accepted {
  return accepted;
}

/** The route of a path, and the part of it that is not fixed; undefined where there is none. */
export function routeOf(
  method: string,
  path: string,
): { readonly route: Route; readonly part: string } | "other method" | undefined {
  let isKnown = false;
  for (const route of routes) {
    const part = partOf(route.path, path);
    if (part === undefined) continue;
    if (route.method === method || (method === "HEAD" && route.method === "GET")) {
      return { route, part };
    }
    isKnown = true;
  }
  return isKnown ? "other method" : undefined;
}

/** Answers what is no stream. */
export function answer(
  source: ApiSource,
  { read }: Route,
  part: string,
  query: URLSearchParams,
): Answer {
  const limit = limitOf(query.get("limit"));
  if (limit === undefined) return fault(400, `limit is a number from 1 to ${LIMIT_MAX}`);
  const value = read?.(source, { part, limit });
  return value === undefined ? fault(404, "there is none") : { status: 200, value };
}

export function fault(status: number, error: string): Answer {
  return { status, value: { error } };
}

/** What stands in `path` where `pattern` has braces; empty where it has none. Undefined: they do not fit. */
function partOf(pattern: string, path: string): string | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  let part = "";
  for (const [index, segment] of wanted.entries()) {
    const found = given[index] ?? "";
    if (!segment.startsWith("{")) {
      if (segment !== found) return undefined;
      continue;
    }
    const decoded = segmentText(found);
    if (decoded === undefined || decoded === "") return undefined;
    part = decoded;
  }
  return part;
}

/** Undefined of what is not encoded as it should be. */
function segmentText(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function limitOf(text: string | null): number | undefined {
  if (text === null) return LIMIT;
  const limit = Number(text);
  return /^\d+$/.test(text) && limit >= 1 && limit <= LIMIT_MAX ? limit : undefined;
}
