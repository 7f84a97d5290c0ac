// The keys of [[listener]] (config layer): where requests come in, if that is more than one place. Each key lives here once;
// schema.ts joins the tables.

export const listenerKeys = {
  name: {
    kind: "text",
    default: "",
    origin: "ours",
    needsRestart: true,
    about: ["What rules, `check` and the log call it. Empty is `listener` and its number."],
  },
  bind_addr: {
    kind: "socket-address",
    default: "192.0.2.1:69",
    origin: "ours",
    isRequired: true,
    needsRestart: true,
    about: [
      "The address and the port to listen on, as at the top of the file.",
      "Where a request suits several listeners the most exact one gets it: one address before `0.0.0.0`, on an interface or not, and that before `[::]`.",
    ],
  },
  interface: {
    kind: "text",
    default: "",
    origin: "ours",
    needsRestart: true,
    about: [
      "The interface that requests come in by and replies leave by, such as `eth1`; others are not heard. The start waits for it as for an address (`transfer.address_wait_secs`).",
      "Empty is any. Listeners on different interfaces may have the same address and port.",
    ],
  },
  single_port: {
    kind: "boolean",
    default: false,
    origin: "ours",
    inherits: "transfer.single_port",
    needsRestart: true,
    about: ["Answer from this listener's own port instead of a port per transfer."],
  },
  port_range: {
    kind: "port-range",
    default: "",
    origin: "ours",
    inherits: "transfer.port_range",
    needsRestart: true,
    about: [
      "The ports that its transfers may use. Listeners that name the same range share it evenly.",
    ],
  },
  roots: {
    kind: "texts",
    default: [],
    origin: "ours",
    inherits: "roots",
    about: [
      "The folders in which a name is looked up for requests that come in here, written as the `roots` at the top of the file. A rule's `roots` count before these.",
      "Uploads go where they go from every listener, to the folder for uploads.",
    ],
  },
} as const;
