// The keys of what the server shows of itself (config layer): [status] and [metrics].
// Each key lives here once; schema.ts joins the tables.

export const statusKeys = {
  "status.bind_addr": {
    kind: "status-address",
    default: "",
    origin: "ours",
    needsRestart: true,
    because: "nobody who does not ask for it should find a web server on a TFTP server.",
    about: [
      "The address and the TCP port of the web server for the status page (`/`), its API (`/api/v1`), `/metrics`, `/healthz` and `/readyz`, such as `127.0.0.1:9069`. Empty is none.",
      "An address that others can reach needs `token_file` or `client_ca_file`.",
    ],
  },
  "status.token_file": {
    kind: "path",
    default: "",
    origin: "ours",
    about: [
      "A file whose first line is a secret of 16 characters or more. Whoever asks for anything but `/healthz`, `/readyz` and the empty page must show it: `Authorization: Bearer SECRET`.",
      "It is read again by every reload. Empty asks for none.",
    ],
  },
  "status.certificate_file": {
    kind: "path",
    default: "",
    origin: "ours",
    about: [
      "The certificate of the web server in PEM, with those between it and its root behind it: then it speaks HTTPS alone. It needs `key_file`.",
      "Both are read again by every reload, so that a renewed certificate comes into force.",
    ],
  },
  "status.key_file": {
    kind: "path",
    default: "",
    origin: "ours",
    about: ["The private key of that certificate in PEM, without a passphrase."],
  },
  "status.client_ca_file": {
    kind: "path",
    default: "",
    origin: "ours",
    about: [
      "One or more certificates in PEM. Only clients whose own certificate comes from one of them are answered, whatever they ask for.",
      "It serves instead of `token_file`, or besides it. It needs `certificate_file`.",
    ],
  },
  "status.socket": {
    kind: "path",
    default: "",
    origin: "ours",
    needsRestart: true,
    because: "its folder has to be made first, as systemd does with `RuntimeDirectory`.",
    about: [
      "The path of a Unix socket for `snow-owl-tftp top`, `status`, `transfers`, `clients`, `kill`, `reload` and `drain`, such as `/run/snow-owl-tftp/admin.sock`, where these look for it. Empty is none.",
      "Its mode is 0660. Whoever may open it may look; root and the server's user may act.",
    ],
  },
  "status.allow_changes": {
    kind: "boolean",
    default: false,
    origin: "ours",
    because: "who may look need not be who may act.",
    about: [
      "Whether the web server also ends transfers, reloads and drains when it is asked to (`POST`). It needs `token_file` or `client_ca_file`.",
    ],
  },
  "status.clients": {
    kind: "integer",
    default: 1000,
    min: 1,
    max: 10_000,
    unit: "clients",
    origin: "ours",
    because: "each takes up to some 20 KB of memory (a guess at how many a night has).",
    about: [
      "How many clients' boots are remembered for the status page; the one that was silent for longest goes.",
    ],
  },
  "metrics.client_addresses": {
    kind: "integer",
    default: 100,
    min: 0,
    max: 10_000,
    unit: "addresses",
    origin: "ours",
    because: "each is some series of its own in Prometheus, for ever (a guess).",
    about: [
      "How many addresses are named in `tftp_audit_events_total`. Those that come later are counted together as `other`.",
    ],
  },
  "metrics.snow_owl_names": {
    kind: "boolean",
    default: false,
    origin: "ours",
    because: "Prometheus's own check refuses names with a unit like `ms`.",
    about: [
      "Also show `tftp_transfer_duration_ms` and `tftp_avg_block_time_ms`, which Snow-Owl's dashboards ask for.",
    ],
  },
} as const;
