// The keys of [files] (config layer): how a name that a client sent is found below the root. Each key lives here once;
// schema.ts joins the tables.

export const filesKeys = {
  "files.symlinks": {
    kind: "choice",
    values: ["none", "inside", "listed"],
    default: "inside",
    origin: "ours",
    about: [
      "Which symbolic links are followed in names that clients read, and on the way to names that they write: `none`; `inside`, those that stay below their root on the whole way and do not begin with `/`; or `listed`.",
      "`listed` follows a link that leads to somewhere below its own root or below a folder in `symlink_targets`, however it is written.",
      "A name that is a link itself is never written. A folder that is swapped for a link at that moment leads nowhere else either. Where the kernel has no openat2, `inside` follows no link.",
    ],
  },
  "files.symlink_targets": {
    kind: "texts",
    of: "absolute-path",
    default: [],
    origin: "ours",
    about: [
      'With `symlinks = "listed"`: the folders that links may lead into, as absolute paths spelled as the links spell them.',
      "Everything below them can be read through such a link, and where uploads are allowed written, and only what a link leads to.",
    ],
  },
  "files.case_insensitive": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Find a name that is not there in another case: `\\Boot\\bcd` finds `boot/BCD`. The letters A to Z count as the same, no others.",
      "A name that is there exactly wins. Of several that differ in case alone the first by its bytes is served, and the log says so.",
      "Rules see the name as it was asked: one that denies or allows by name needs `ignore_case` beside this.",
      "A folder of more than 4096 names, and a name more than 16 folders deep, is found exactly or not at all.",
    ],
  },
} as const;
