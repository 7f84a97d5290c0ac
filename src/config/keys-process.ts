// The keys of [process] (config layer): as whom the server runs, and what it gives up before the first request. Each key lives
// here once; schema.ts joins the tables.

export const processKeys = {
  "process.user": {
    kind: "account",
    default: "",
    origin: "ours",
    needsRestart: true,
    about: [
      "The user that the server becomes when its sockets are open, by name or number. It needs to be started as root for that, and keeps none of root's capabilities.",
      "Empty keeps the user that it was started as. Started as root it then remains root, with no capabilities but those over files.",
    ],
  },
  "process.group": {
    kind: "account",
    default: "",
    origin: "ours",
    needsRestart: true,
    about: ["The group that goes with `user`. Empty is that user's own group in `/etc/passwd`."],
  },
  "process.supplementary_groups": {
    kind: "texts",
    of: "account",
    default: [],
    origin: "ours",
    needsRestart: true,
    about: [
      "More groups that go with `user`. What `/etc/group` says of that user does not count: these are all.",
    ],
  },
  "process.landlock": {
    kind: "boolean",
    default: true,
    origin: "ours",
    needsRestart: true,
    about: [
      "Have the kernel let the server open nothing but what the configuration names, the system's libraries and a few files of the runtime (Landlock).",
      "The served folders can be read; folders for uploads and of log files can be written. A reload cannot go beyond what the start has named.",
    ],
  },
  "process.seccomp": {
    kind: "boolean",
    default: true,
    origin: "ours",
    needsRestart: true,
    about: [
      "Have the kernel refuse every system call that the server has no use for (seccomp). Programs can be started only if there is a hook with a `command` at the start.",
    ],
  },
  "process.read_folders": {
    kind: "texts",
    of: "absolute-path",
    default: [],
    origin: "ours",
    needsRestart: true,
    about: [
      "Folders that may be read besides: those that a later reload shall serve, or the folder above one that is replaced under its name; and what hooks read.",
    ],
  },
  "process.write_folders": {
    kind: "texts",
    of: "absolute-path",
    default: [],
    origin: "ours",
    needsRestart: true,
    about: [
      "Folders that may be written besides: those for uploads and logs that a later reload shall use, and what hooks write, such as `/tmp`.",
    ],
  },
  "process.umask": {
    kind: "file-mode",
    default: "0022",
    origin: "ours",
    needsRestart: true,
    about: [
      "The permissions that files do not get when the server or a hook creates them. Uploads have `uploads.file_mode` whatever is written here.",
    ],
  },
  "process.open_files": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_048_576,
    unit: "files",
    origin: "ours",
    needsRestart: true,
    about: [
      "How many files and sockets may be open. 0 is what `transfer.max_transfers` needs, or as many as the system allows.",
    ],
  },
  "process.pid_file": {
    kind: "path",
    default: "",
    origin: "ours",
    needsRestart: true,
    because: "a service manager knows its service; the file is for scripts that do not ask one.",
    about: [
      "The path of a file that holds the number of the server's process, such as `/run/snow-owl-tftp.pid`. It is written with the rights of the start, before the first request, and is a successor's after a hand-over. Empty is none.",
      "At the end it is removed, or emptied where its folder may not be written by `user`. One that is left behind is no hindrance.",
    ],
  },
  "process.handover_secs": {
    kind: "integer",
    default: 30,
    min: 0,
    max: 600,
    unit: "s",
    origin: "ours",
    needsRestart: true,
    about: [
      "How long the server that SIGUSR2 starts in this one's place may take until it is ready; then this one goes on as if nothing had happened.",
      "0 is no hand-over: then no process keeps the rights of the start.",
    ],
  },
} as const;
