// The keys of uploads that Snow-Owl does not have (config layer): [uploads] and [[uploads.pattern]].
// [write_config] says whether and which names; these say where to, how much and what happens then.

export const uploadKeys = {
  "uploads.root_dir": {
    kind: "path",
    default: "",
    origin: "ours",
    about: [
      "The folder that uploads go to: an absolute path to a folder that the server may write.",
      "Empty is the `root_dir` of the server, where what was uploaded is served again.",
      "A folder outside that one is the safest: no client can read it.",
    ],
  },
  "uploads.create_folders": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Create the folders that an uploaded name asks for. `false` refuses names in folders that do not exist.",
    ],
  },
  "uploads.overwrite": {
    kind: "boolean",
    default: false,
    origin: "ours",
    inherits: "write_config.allow_overwrite",
    about: [
      "Let an upload replace a file that exists: whole, at its very end, and never by half.",
      "`false` answers ERROR 6.",
    ],
  },
  "uploads.max_file_size_bytes": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 9_007_199_254_740_991,
    unit: "bytes",
    origin: "ours",
    about: [
      "Larger uploads end with ERROR 3: before they begin if the client announces the size (`tsize`), else when they reach it.",
      "0 is unlimited. The `max_file_size_bytes` at the top of the file holds for uploads as well.",
    ],
  },
  "uploads.root_quota_mb": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_073_741_824,
    unit: "MiB",
    origin: "ours",
    about: [
      "The most that all files in the folder for uploads may hold together, kept versions and files of other origin included.",
      "0 is unlimited.",
    ],
  },
  "uploads.client_quota_mb": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_073_741_824,
    unit: "MiB",
    origin: "ours",
    about: [
      "The most that one client address may upload within `client_quota_secs`. 0 is unlimited.",
    ],
  },
  "uploads.client_quota_secs": {
    kind: "integer",
    default: 86_400,
    min: 60,
    max: 31_536_000,
    unit: "s",
    origin: "ours",
    because: "devices save their configuration once a night.",
    about: [
      "The time that `client_quota_mb` looks back on; it moves along with the clock.",
      "What a client had uploaded is forgotten when the server restarts.",
    ],
  },
  "uploads.min_free_space_mb": {
    kind: "integer",
    default: 64,
    min: 0,
    max: 1_073_741_824,
    unit: "MiB",
    origin: "ours",
    because: "logs and the system itself need room on the same disk (a guess).",
    about: ["Uploads that would leave less free space on their disk end with ERROR 3."],
  },
  "uploads.file_mode": {
    kind: "file-mode",
    default: "0644",
    origin: "ours",
    about: ["The permissions of uploaded files, in octal digits. The umask does not change them."],
  },
  "uploads.folder_mode": {
    kind: "file-mode",
    default: "0755",
    origin: "ours",
    about: ["The permissions of folders that are created, in octal digits."],
  },
  "uploads.owner": {
    kind: "account",
    default: "",
    origin: "ours",
    about: [
      "The user that owns uploaded files: a number, or a name from /etc/passwd. Empty is the server's own user.",
      "Another user than that needs the capability CAP_CHOWN.",
    ],
  },
  "uploads.group": {
    kind: "account",
    default: "",
    origin: "ours",
    about: [
      "The group of uploaded files: a number, or a name from /etc/group. Empty is the server's own group.",
    ],
  },
  "uploads.keep_versions": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1000,
    unit: "versions",
    origin: "ours",
    about: [
      "How many previous contents of a file that is replaced are kept: `name.~1~` is the latest, `name.~2~` the one before, and so on.",
      "0 keeps none.",
    ],
  },
  "uploads.versions_folder": {
    kind: "file-name",
    default: "",
    origin: "ours",
    about: [
      "The name of a folder beside each file that its kept versions go to, such as `.versions`; it is created.",
      "A name that begins with a dot is never served. Empty keeps versions beside the file, under names that are.",
    ],
  },
  "uploads.quarantine_folder": {
    kind: "folder-below",
    default: "",
    origin: "ours",
    about: [
      "Where completed uploads wait until someone moves them, as a folder of the folder for uploads, such as `.quarantine`; folders are created in it.",
      "Nothing in it is served. Empty puts uploads at their names at once.",
    ],
  },
  "uploads.write_only": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "A drop box: what may be uploaded cannot be read through this server.",
      "It concerns an upload folder inside the served one: there, names that `allowed_patterns` allows are refused to readers with ERROR 2.",
    ],
  },
  "uploads.fsync": {
    kind: "boolean",
    default: true,
    origin: "ours",
    about: [
      "Have the disk keep each upload, and its name, before the last ACK: `fsync`, for the file and for its folder.",
      "`false` is cheaper, and what was acknowledged within the last half a minute or so may be missing, empty or cut off after a power failure.",
    ],
  },
  "uploads.verify": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Read each upload back from the disk and compare its SHA-256 before it is published. It costs the reading.",
    ],
  },
  "uploads.sha256": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Compute the SHA-256 of each upload, for the log and for hooks. `verify = true` does so as well.",
    ],
  },
  "uploads.concurrent_writers": {
    kind: "choice",
    values: ["refuse", "last-complete-wins"],
    default: "refuse",
    origin: "ours",
    about: [
      "What a second upload of a name meets while the first is under way: `refuse` answers ERROR 6; with `last-complete-wins` each is a file of its own, and the one that completes last stays.",
      "They never mix.",
    ],
  },
  "uploads.patience_secs": {
    kind: "integer",
    default: 60,
    min: 1,
    max: 3600,
    unit: "s",
    origin: "ours",
    because: "switches pause while they read their flash (a guess).",
    about: ["The silence after which an upload is given up, and nothing of it stays."],
  },
  "uploads.memory_mb": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    origin: "ours",
    needsRestart: true,
    about: [
      "Memory of all workers together for what was received and is not written yet: 128 KiB for each upload, and a third more. It is taken when it is used.",
      "0 is 64 MiB for each worker: 384 uploads at a time. An upload for which there is none is answered with ERROR 0.",
    ],
  },
  "uploads.disk_threads": {
    kind: "integer",
    default: 2,
    min: 1,
    max: 16,
    unit: "threads",
    origin: "ours",
    needsRestart: true,
    because: "one may wait for an fsync while another writes (a guess).",
    about: [
      "Threads per worker that wait for the disk, so that the worker itself never does: uploads, and files that are not in memory.",
    ],
  },
} as const;

export const uploadPatternKeys = {
  pattern: {
    kind: "name-pattern",
    default: "backups/*",
    origin: "ours",
    isRequired: true,
    about: ["The names that this table is for."],
  },
  overwrite: {
    kind: "boolean",
    default: false,
    origin: "ours",
    inherits: "uploads.overwrite",
    about: ["Let an upload replace a file that exists."],
  },
  max_file_size_bytes: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 9_007_199_254_740_991,
    unit: "bytes",
    origin: "ours",
    inherits: "uploads.max_file_size_bytes",
    about: ["The largest upload. 0 is unlimited."],
  },
  keep_versions: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1000,
    unit: "versions",
    origin: "ours",
    inherits: "uploads.keep_versions",
    about: ["How many previous contents are kept."],
  },
} as const;
