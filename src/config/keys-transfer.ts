// The keys that Snow-Owl does not have (config layer): [transfer], how one transfer behaves and how many
// there may be, and [cache]. Each key lives here once; schema.ts joins the tables.

export const transferKeys = {
  "transfer.single_port": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Answer from the service port itself instead of a port per transfer.",
      "For clients behind NAT, in containers and behind load balancers, which lose replies from other ports.",
    ],
  },
  "transfer.port_range": {
    kind: "port-range",
    default: "",
    origin: "ours",
    about: [
      "The ports that transfers may use, such as `40000-40099`, for firewalls that must know them.",
      "Empty lets the kernel choose. Every worker needs at least one port of its own.",
    ],
  },
  "transfer.max_block_size": {
    kind: "integer",
    default: 65_464,
    min: 8,
    max: 65_464,
    unit: "bytes",
    origin: "ours",
    about: [
      "The largest block size that is granted (RFC 2348). A client never gets more than it asked for.",
      "1428 keeps each block within one Ethernet frame, over IPv6 too.",
    ],
  },
  "transfer.mtu_clamp": {
    kind: "choice",
    values: ["off", "interface"],
    default: "off",
    origin: "ours",
    about: [
      "`interface` grants no block that needs more than one packet on the interface where the request came in: at most its MTU less 32 bytes, or 52 over IPv6.",
      "It is for clients that cannot put fragments together. `off` leaves block sizes as the other keys have them, so that a file from Snow-Owl grants what it did.",
      "The path beyond that interface is not measured: for a smaller MTU there, write `max_block_size`.",
    ],
  },
  "transfer.max_windowsize": {
    kind: "integer",
    default: 512,
    min: 1,
    max: 65_535,
    unit: "blocks",
    origin: "ours",
    because: "boot ROMs ask for 4 to 64, and larger bursts overrun receivers (a guess).",
    about: [
      "The largest window that is granted (RFC 7440). A client never gets more than it asked for.",
      "1 turns windows off.",
    ],
  },
  "transfer.max_window_bytes": {
    kind: "integer",
    default: 4_194_304,
    min: 512,
    max: 1_073_741_824,
    unit: "bytes",
    origin: "ours",
    because: "it holds 64 blocks of any size (a guess).",
    about: ["The largest window in bytes: a window of large blocks is granted fewer of them."],
  },
  "transfer.refuse_options": {
    kind: "texts",
    values: ["blksize", "blksize2", "tsize", "timeout", "utimeout", "windowsize", "rollover"],
    default: [],
    origin: "ours",
    about: [
      "Options to ignore, for clients that ask for what they cannot take: `blksize`, `windowsize` and so on.",
      "A client that relies on an answer suffers: GRUB waits for its `blksize` and `tsize`.",
    ],
  },
  "transfer.retransmit_timeout_ms": {
    kind: "integer",
    default: 1000,
    min: 10,
    max: 60_000,
    unit: "ms",
    origin: "ours",
    because: "RFC 6298 section 2.1 starts at one second.",
    about: [
      "The silence after which the first packet is sent again; later ones follow the measured round trip.",
      "A client that asks for the `timeout` option (RFC 2349) sets its own.",
    ],
  },
  "transfer.patience_secs": {
    kind: "integer",
    default: 30,
    min: 1,
    max: 3600,
    unit: "s",
    origin: "ours",
    because:
      "a client that pauses, as U-Boot does for its timeout of five seconds, tries again well within it (a guess).",
    about: ["The silence after which a transfer is given up."],
  },
  "transfer.drain_secs": {
    kind: "integer",
    default: 10,
    min: 0,
    max: 3600,
    unit: "s",
    origin: "ours",
    about: [
      "On SIGTERM or SIGINT, how long running transfers may take to finish. A second signal stops at once.",
    ],
  },
  "transfer.max_transfers": {
    kind: "integer",
    default: 4096,
    min: 1,
    max: 65_536,
    unit: "transfers",
    origin: "ours",
    because: "several racks may boot at once (a guess).",
    about: [
      "Transfers that one worker carries at once. Requests beyond it are answered with ERROR 0.",
    ],
  },
  "transfer.sockets_per_worker": {
    kind: "integer",
    default: 4,
    min: 1,
    max: 64,
    unit: "sockets",
    origin: "ours",
    because: "a client that starts again at once gets another port than before (a guess).",
    about: ["Sockets that the transfers of one worker share; each is one port."],
  },
  "cache.size_mb": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    origin: "ours",
    about: [
      "Memory for file contents, for all workers together.",
      "0 is an eighth of the machine's memory, at most 1 GiB.",
    ],
  },
} as const;
