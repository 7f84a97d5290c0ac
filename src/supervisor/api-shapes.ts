// What the API says (supervisor layer): the shape of every answer, as one table, from which come the types that the code is held
// to and the schemas of the OpenAPI document. Times are RFC 3339 in UTC; names end with their unit.

/** Every shape, by name. All the names of an object are always there. */
const table = {
  transfer: {
    id: { is: "integer", about: "What `POST /api/v1/transfers/{id}/kill` wants." },
    client: { is: "string", about: "Address and port, IPv6 in brackets." },
    file: { is: "string", about: "As the client asked for it, control characters escaped." },
    direction: { is: "word", of: ["read", "write"] },
    mode: { is: "word", of: ["octet", "netascii"] },
    shard: { is: "integer" },
    started: { is: "string" },
    bytes: {
      is: "integer",
      about: "Of the file, as far as its receiver has said that it has them.",
    },
    file_bytes: { is: "integer", isNullable: true, about: "Null: an upload that did not say." },
    bytes_per_second: { is: "number", about: "In the last few seconds." },
    silent_ms: { is: "integer", about: "How long nothing has moved." },
    has_answered: { is: "boolean", about: "Whether the client has acknowledged anything yet." },
    block_bytes: { is: "integer" },
    blocks_repeated: { is: "integer", about: "Sent again, or come again." },
    timeouts: { is: "integer" },
    rtt_us: { is: "integer", about: "Smoothed round trip; 0: not measured." },
  },
  step: {
    time: { is: "string", about: "When it was asked for." },
    file: { is: "string" },
    direction: { is: "word", of: ["read", "write"] },
    state: { is: "word", of: ["running", "complete", "stopped", "failed", "refused"] },
    because: {
      is: "string",
      about:
        "The outcome of the transfer or the cause of the refusal, as in metrics; empty while it runs.",
    },
    detail: { is: "string", about: "Why it was refused, as the log says it; empty otherwise." },
    bytes: { is: "integer" },
    file_bytes: { is: "integer", isNullable: true },
    duration_ms: { is: "integer" },
    bytes_per_second: { is: "number" },
    times: { is: "integer", about: "How often in a row the same was asked for, and ended so." },
  },
  client: {
    client: { is: "string", about: "The address." },
    mac: {
      is: "string",
      isNullable: true,
      about: "Where the kernel knows it: not behind a router.",
    },
    interface: { is: "string", isNullable: true },
    boot: { is: "string", about: "The `correlation_id` of its present boot in the audit events." },
    boots: { is: "integer", about: "How many were seen." },
    boot_started: { is: "string" },
    last_heard: { is: "string", about: "When it last asked, acknowledged or ended anything." },
    silent_ms: { is: "integer" },
    state: { is: "word", of: ["stuck", "loading", "idle"] },
    sentence: { is: "string", about: "What it is doing, or what it is stuck on, in plain words." },
    remedy: { is: "string", about: "What is likely to help; empty where nothing is wrong." },
    file: { is: "string", about: "The file of its last request." },
    bytes: { is: "integer", about: "Of all files of this boot." },
    files: { is: "integer", about: "Transfers of this boot that are complete." },
    misses: { is: "integer", about: "Requests of this boot that were refused." },
    failures: { is: "integer", about: "Transfers of this boot that failed." },
  },
  timeline: {
    client: { is: "object", of: "client" },
    steps: { is: "list", of: "step", about: "Oldest first." },
    steps_dropped: { is: "integer", about: "Older ones of this boot that are not kept." },
  },
  trouble: {
    time: { is: "string" },
    event: { is: "string", about: "The audit event's name." },
    severity: { is: "word", of: ["warn", "error"] },
    client: { is: "string", isNullable: true, about: "To whom it happened last." },
    sentence: { is: "string", about: "What happened, in plain words." },
    remedy: { is: "string", about: "What is likely to help." },
    times: { is: "integer", about: "How often it happened, to whomever." },
  },
  file: {
    file: { is: "string" },
    completed: { is: "integer" },
    failed: { is: "integer" },
    refused: { is: "integer" },
    bytes: { is: "integer" },
    last_asked: { is: "string" },
  },
  shard: {
    shard: { is: "integer" },
    transfers: { is: "integer" },
    transfers_max: { is: "integer" },
    waiting_to_send: { is: "integer", about: "Transfers that wait for their turn to send." },
    waiting_for_socket: { is: "integer", about: "Transfers that wait for room in a socket." },
    waiting_for_disk: { is: "integer", about: "Transfers that wait for the disk." },
    cache_bytes: { is: "integer" },
    cache_bytes_max: { is: "integer" },
    cache_hits: { is: "integer" },
    cache_misses: { is: "integer" },
    disk_jobs: { is: "integer" },
    turns: { is: "integer" },
    busy_seconds: { is: "number" },
    spin_seconds: { is: "number" },
    sent_datagrams: { is: "integer" },
    received_datagrams: { is: "integer" },
  },
  feature: {
    feature: { is: "string" },
    is_on: { is: "boolean" },
    because: { is: "string", about: "Why it is not; empty where it is." },
  },
  measure: {
    measure: { is: "string" },
    is_on: { is: "boolean", about: "Whether the server has given up what it is about." },
    because: { is: "string", about: "What is left to it, or why nothing was given up." },
  },
  history: {
    seconds: { is: "list", of: "integer", about: "Seconds since 1970, one for each sample." },
    sent_bytes: { is: "list", of: "integer", about: "UDP payload, in that second." },
    received_bytes: { is: "list", of: "integer" },
    requests: { is: "list", of: "integer" },
    refused: { is: "list", of: "integer" },
    transfers: { is: "list", of: "integer", about: "Under way." },
  },
  setting: {
    name: { is: "string" },
    value: { is: "string", about: "With the reason where there was a choice." },
  },
  status: {
    version: { is: "string" },
    started: { is: "string" },
    uptime_ms: { is: "integer" },
    state: { is: "word", of: ["starting", "serving", "impaired", "draining"] },
    because: { is: "string", about: "Why it is not serving; empty if it is." },
    address: { is: "string", about: "Where it listens; several are separated by commas." },
    root_dir: { is: "string" },
    workers: { is: "integer" },
    workers_replaced: { is: "integer" },
    transfers: { is: "integer", about: "Under way." },
    clients_stuck: { is: "integer" },
    clients_loading: { is: "integer" },
    clients_idle: { is: "integer" },
    sent_bytes_per_second: { is: "number" },
    received_bytes_per_second: { is: "number" },
    requests_per_second: { is: "number" },
    refused_per_second: { is: "number" },
    totals: {
      is: "map",
      of: "integer",
      about: "Since the start: what the last line of the log says.",
    },
  },
  transfers: {
    total: { is: "integer", about: "How many there are; as many as `limit` are listed." },
    transfers: { is: "list", of: "transfer", about: "Silent ones first." },
  },
  clients: {
    total: { is: "integer", about: "How many there are; as many as `limit` are listed." },
    clients: { is: "list", of: "client", about: "Stuck ones first." },
  },
  troubles: {
    errors: { is: "list", of: "trouble", about: "Newest first." },
  },
  files: {
    total: { is: "integer" },
    files: { is: "list", of: "file", about: "Most bytes first." },
  },
  shards: {
    shards: { is: "list", of: "shard" },
  },
  kernel: {
    features: { is: "list", of: "feature" },
    confinement: {
      is: "list",
      of: "measure",
      about: "What the process cannot do any more; empty where it was told to give up nothing.",
    },
  },
  configuration: {
    file: { is: "string", about: "The configuration file; empty if there is none." },
    settings: { is: "list", of: "setting" },
  },
  /** What goes out once a second to whoever listens: all that changes on a page. */
  snapshot: {
    status: { is: "object", of: "status" },
    transfers: { is: "object", of: "transfers" },
    clients: { is: "object", of: "clients" },
    errors: { is: "list", of: "trouble" },
  },
} as const;

export type ShapeName = keyof typeof table;
export type TransferView = Shaped<"transfer">;
export type StepView = Shaped<"step">;
export type ClientView = Shaped<"client">;
export type TimelineView = Shaped<"timeline">;
export type TroubleView = Shaped<"trouble">;
export type FileView = Shaped<"file">;
export type ShardView = Shaped<"shard">;
export type FeatureView = Shaped<"feature">;
export type MeasureView = Shaped<"measure">;
export type HistoryView = Shaped<"history">;
export type SettingView = Shaped<"setting">;
export type StatusView = Shaped<"status">;
export type SnapshotView = Shaped<"snapshot">;

/** The object of a shape. */
type Shaped<Name extends ShapeName> = {
  readonly [Key in keyof (typeof table)[Name]]: ValueOf<(typeof table)[Name][Key]>;
};

type ValueOf<Field> = Field extends { readonly isNullable: true }
  ? PlainOf<Field> | null
  : PlainOf<Field>;

type PlainOf<Field> = Field extends { readonly is: "word"; readonly of: readonly (infer Word)[] }
  ? Word
  : Field extends { readonly is: "object"; readonly of: infer Name extends ShapeName }
    ? Shaped<Name>
    : Field extends { readonly is: "list"; readonly of: infer Item }
      ? readonly ItemOf<Item>[]
      : Field extends { readonly is: "map"; readonly of: infer Item }
        ? Readonly<Record<string, ItemOf<Item>>>
        : Field extends { readonly is: infer Scalar extends keyof Scalars }
          ? Scalars[Scalar]
          : never;

type ItemOf<Item> = Item extends ShapeName
  ? Shaped<Item>
  : Item extends keyof Scalars
    ? Scalars[Item]
    : never;

interface Scalars {
  readonly integer: number;
  readonly number: number;
  readonly string: string;
  readonly boolean: boolean;
}

/** What a name of a shape holds. `of` of lists, maps and objects names a scalar or another shape. */
export interface Field {
  readonly is: keyof Scalars | "word" | "object" | "list" | "map";
  readonly of?: string | readonly string[];
  /** One or two sentences. */
  readonly about?: string;
  /** Whether it may be null: not known, or not so. */
  readonly isNullable?: true;
}

export const shapes: Readonly<Record<ShapeName, Readonly<Record<string, Field>>>> = table;
