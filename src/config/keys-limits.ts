// The keys that say how much anybody may have (config layer): [limits] and [[rate_class]]. Each key lives here once;
// schema.ts joins the tables. What transfers are granted one by one is in keys-transfer.ts.

export const limitKeys = {
  "limits.transfers": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: "transfers",
    origin: "ours",
    about: [
      "Transfers at a time, of all clients together. 0 is no limit but `transfer.max_transfers`, which is one for each worker.",
    ],
  },
  "limits.transfers_per_client": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: "transfers",
    origin: "ours",
    about: ["Transfers at a time of one client address. 0 is unlimited."],
  },
  "limits.transfers_per_network": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: "transfers",
    origin: "ours",
    about: ["Transfers at a time of one network of clients. 0 is unlimited."],
  },
  "limits.half_open_per_network": {
    kind: "integer",
    default: 1024,
    min: 0,
    max: 1_000_000,
    unit: "transfers",
    origin: "ours",
    because: "more machines do not begin to boot within one round trip in one network (a guess).",
    about: [
      "Transfers of one network whose client has not acknowledged anything yet. It bounds what forged requests can have sent to their victim.",
      "A request beyond it is dropped, whatever `at_limit` says: its client asks again. 0 is unlimited.",
    ],
  },
  "limits.requests_per_second": {
    kind: "decimal",
    default: 0,
    min: 0,
    max: 1_000_000,
    origin: "ours",
    about: [
      "Requests of one network of clients in a second, over time; repeated ones and malformed ones count. 0 is unlimited.",
    ],
  },
  "limits.request_burst": {
    kind: "integer",
    default: 100,
    min: 1,
    max: 1_000_000,
    unit: "requests",
    origin: "ours",
    because: "a client that boots asks for some 35 files in a row (GRUB).",
    about: ["Requests of one network that may come at once, before `requests_per_second` counts."],
  },
  "limits.network_bits_v4": {
    kind: "integer",
    default: 24,
    min: 1,
    max: 32,
    unit: "bits",
    origin: "ours",
    about: ["What a network is: IPv4 clients whose addresses begin with the same bits."],
  },
  "limits.network_bits_v6": {
    kind: "integer",
    default: 64,
    min: 1,
    max: 128,
    unit: "bits",
    origin: "ours",
    because: "a network of IPv6 is a /64, in which a client can have any address.",
    about: ["The same for IPv6."],
  },
  "limits.unanswered_bytes": {
    kind: "integer",
    default: 1600,
    min: 0,
    max: 1_000_000,
    unit: "bytes",
    origin: "ours",
    because: "three blocks of 512 bytes, or any OACK six times.",
    about: [
      "The most that the timer sends to a client that has not acknowledged anything: a first reply is not repeated beyond it. A client that asks again is answered once more each time.",
      "0 sends the first reply once.",
    ],
  },
  "limits.at_limit": {
    kind: "choice",
    values: ["error", "drop"],
    default: "error",
    origin: "ours",
    about: [
      "What becomes of a request beyond a limit: `error` answers ERROR 0, at which most clients give up; `drop` says nothing, at which they ask again.",
    ],
  },
  "limits.memory_mb": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    origin: "ours",
    needsRestart: true,
    about: [
      "The most that the file cache (`cache.size_mb`) and the buffers of uploads (`uploads.memory_mb`) take together, in all workers. What has no size of its own gets what is left: uploads half of it at the most, the cache the rest.",
      "0 is no limit but theirs. Everything else is small: some MiB for each worker.",
    ],
  },
  "limits.mbit_per_second": {
    kind: "decimal",
    default: 0,
    min: 0,
    max: 1_000_000,
    origin: "ours",
    about: [
      "What all transfers together may send and receive, in millions of bits a second. 0 is unlimited.",
      "UDP payloads count; headers come on top. Clients share it alike, however many transfers they have.",
    ],
  },
  "limits.client_mbit_per_second": {
    kind: "decimal",
    default: 0,
    min: 0,
    max: 1_000_000,
    origin: "ours",
    about: [
      "What the transfers of one client address may send and receive together, in millions of bits a second. 0 is unlimited.",
    ],
  },
} as const;

export const rateClassKeys = {
  name: {
    kind: "text",
    default: "bulk",
    origin: "ours",
    isRequired: true,
    about: ["What the `rate_class` of a rule calls it."],
  },
  mbit_per_second: {
    kind: "decimal",
    default: 0,
    min: 0,
    max: 1_000_000,
    origin: "ours",
    about: [
      "What all transfers of the class may send and receive together, in millions of bits a second. 0 is unlimited.",
    ],
  },
  client_mbit_per_second: {
    kind: "decimal",
    default: 0,
    min: 0,
    max: 1_000_000,
    origin: "ours",
    inherits: "limits.client_mbit_per_second",
    about: [
      "What one client's transfers of the class may send and receive together. 0 is unlimited.",
    ],
  },
} as const;
