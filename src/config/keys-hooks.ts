// The keys of [[hook]] (config layer): what is called when something happened, and for what.
// Each key lives here once; schema.ts joins the tables.

export const hookKeys = {
  events: {
    kind: "texts",
    values: ["upload", "transfer_completed", "transfer_failed", "client_stuck"],
    default: [],
    origin: "ours",
    about: [
      "What calls the hook: `upload` is an upload that completed, `transfer_completed` a download that did, `transfer_failed` a transfer of either direction that broke off, `client_stuck` a client that asked and did not get on.",
      "What the client itself stopped has not failed.",
    ],
  },
  event: {
    kind: "choice",
    values: ["upload", "transfer_completed", "transfer_failed", "client_stuck"],
    default: "upload",
    origin: "ours",
    inherits: "events",
    about: ["The same for a hook with one event. A hook has one of the two."],
  },
  pattern: {
    kind: "name-pattern",
    default: "*",
    origin: "ours",
    about: [
      "The names that it is for, as clients write them; of a client that is stuck, the file that it is stuck on.",
    ],
  },
  command: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      "A program by its absolute path, and its arguments. No shell reads them.",
      "It learns of the event from its environment: `SNOW_OWL_EVENT`, `SNOW_OWL_FILE` and others.",
    ],
  },
  url: {
    kind: "http-url",
    default: "",
    origin: "ours",
    about: ["Instead of a command: where to POST a JSON object that describes the event."],
  },
  headers: {
    kind: "texts",
    of: "http-header",
    default: [],
    origin: "ours",
    about: ["Headers of the POST, such as `Authorization: Bearer secret`."],
  },
  secret_file: {
    kind: "path",
    default: "",
    origin: "ours",
    about: [
      "A file whose first line is a secret of 16 characters or more: each POST is signed with it (HMAC-SHA-256), in the header `X-Snow-Owl-Signature`.",
      "It is read again by every reload. Empty signs nothing.",
    ],
  },
  timeout_secs: {
    kind: "integer",
    default: 30,
    min: 1,
    max: 3600,
    unit: "s",
    origin: "ours",
    because: "a commit or a web request is done in less (a guess).",
    about: ["How long one attempt may take. A command that takes longer is ended."],
  },
  retries: {
    kind: "integer",
    default: 3,
    min: 0,
    max: 20,
    origin: "ours",
    because: "a service that restarts is back within seconds (a guess).",
    about: [
      "How often a failed attempt is repeated: after about 1, 2, 4 … seconds, at most a minute.",
    ],
  },
} as const;
