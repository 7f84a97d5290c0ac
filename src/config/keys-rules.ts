// The keys that say who gets what (config layer): `roots`, [names], [access], [[rule]], [[host]] and [[template]]. Each key
// lives here once; schema.ts joins the tables. What their values mean is src/policy's to say.

export const policyKeys = {
  roots: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      'The folders in which a name is looked up, the first that has it serves it: `["clients/{mac_dash}", "groups/{group}", "common"]`.',
      'A relative one lies below `root_dir`, and `""` is `root_dir` itself; an absolute one is a root of its own.',
      "A folder whose variable has no value for the client is passed over. Empty is `root_dir` alone.",
    ],
  },
  "names.junk": {
    kind: "choice",
    values: ["ff", "unprintable", "keep"],
    default: "ff",
    origin: "ours",
    because:
      "HP firmware has sent 0xFF and garbage behind the name, and no UTF-8 text holds that byte.",
    about: [
      "Where a name ends early: at the first byte 0xFF, at the first byte that is not printable ASCII, or nowhere.",
    ],
  },
  "names.as_sent": {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: [
      "Show rules the name as the client sent it, as tftpd-hpa does.",
      "`false` shows it with `/` for `\\`, without drive letter, leading slash, empty segments and the path of `root_dir`. Either way the result is cleaned so before it is looked up.",
    ],
  },
  "access.default": {
    kind: "choice",
    values: ["allow", "deny"],
    default: "allow",
    origin: "ours",
    about: ["What becomes of a request that no rule allows or denies. `deny` answers ERROR 2."],
  },
} as const;

/** Who may have what lies in one folder. */
export const accessRootKeys = {
  folder: {
    kind: "text",
    default: "lab",
    origin: "ours",
    isRequired: true,
    about: [
      'The folder: its path below `root_dir`, `""` for `root_dir` itself, or an absolute path, spelled as `roots` spell it.',
      "It may be one of `roots`, a folder in one, one around several, or the folder for uploads; it has no variables.",
    ],
  },
  allow: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      "Clients that may have what lies in it, as addresses or networks. If it names any, all others may not.",
    ],
  },
  deny: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      "Clients that may not. Where networks overlap, the longer one counts: `10.9.0.0/16` before `10.0.0.0/8`.",
    ],
  },
} as const;

/** How a pattern of names is written, wherever there is one. */
const patternKeys = {
  glob: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "Names, as a pattern for the whole of them: `*` matches anything, `/` too, `?` one character, `[a-z]` one of several. Each wildcard is a capture: `{1}`, `{2}` and so on.",
    ],
  },
  regex: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "Names, as a regular expression in Perl's style for any part of them; `^` and `$` make it all of them. Single quotes spare the backslashes. Groups are captures.",
      "It takes linear time, so there are no references back and no looking ahead.",
    ],
  },
  ere: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "Names, as a POSIX extended regular expression: as egrep and the map files of tftpd-hpa have it. The longest match counts.",
    ],
  },
  ignore_case: {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: ["Let the pattern match upper and lower case alike, ASCII letters that is."],
  },
} as const;

/** What a rule asks, besides its pattern. */
const conditionKeys = {
  name: {
    kind: "text",
    default: "",
    origin: "ours",
    about: ["What logs and `go_to` call the rule. Empty is its number."],
  },
  listener: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: ["Names of the `[[listener]]` tables that the request came in by."],
  },
  client: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      "Clients, as addresses or networks: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`. An IPv4 client is one on every socket.",
    ],
  },
  local: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: ["The server's addresses that were asked, as addresses or networks."],
  },
  interface: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: ["Names of the interfaces that the request came in by."],
  },
  mac: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: [
      "Hardware addresses, or their first bytes: `b8:27:eb`. They are known of clients in the same network alone.",
    ],
  },
  request: {
    kind: "choice",
    values: ["any", "read", "write"],
    default: "any",
    origin: "ours",
    about: ["Downloads, uploads or both."],
  },
  mode: {
    kind: "choice",
    values: ["any", "octet", "netascii"],
    default: "any",
    origin: "ours",
    about: ["The mode of the transfer."],
  },
} as const;

/** What a rule does. */
const actionKeys = {
  not: {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: ["Let the rule hold where the pattern does not match."],
  },
  rewrite: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "What replaces the part of the name that the pattern matched, or all of it without a pattern. Left out, nothing is replaced; empty, it is cut out.",
      "Variables: `{ip}`, `{ip_hex}`, `{mac}`, `{mac_dash}`, `{serial}`, `{name}`, `{host}`, `{group}`, `{local}`, `{interface}`, those of a `[[host]]`, and the captures `{0}` to `{9}`; `{1:lower}` and `{1:upper}` change case, `{{` is a brace.",
      "A rule whose text has a variable without a value for this client rewrites nothing.",
    ],
  },
  repeat: {
    kind: "boolean",
    default: false,
    origin: "ours",
    about: ["Rewrite again until the pattern matches no more."],
  },
  fallback: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "Like `rewrite`, but the result is looked up only if the name itself is missing everywhere.",
    ],
  },
  roots: {
    kind: "texts",
    default: [],
    origin: "ours",
    about: ["The folders to look in, in place of the `roots` at the top of the file."],
  },
  refuse_options: {
    kind: "texts",
    values: ["blksize", "blksize2", "tsize", "timeout", "utimeout", "windowsize", "rollover"],
    default: [],
    origin: "ours",
    about: ["Options to ignore, besides those in `[transfer]`."],
  },
  max_block_size: {
    kind: "integer",
    default: 65_464,
    min: 8,
    max: 65_464,
    unit: "bytes",
    origin: "ours",
    about: ["The largest block size that is granted, if `[transfer]` allows as much."],
  },
  max_windowsize: {
    kind: "integer",
    default: 65_535,
    min: 1,
    max: 65_535,
    unit: "blocks",
    origin: "ours",
    about: ["The largest window that is granted, if `[transfer]` allows as much."],
  },
  burst_blocks: {
    kind: "integer",
    default: 65_535,
    min: 1,
    max: 65_535,
    unit: "blocks",
    origin: "ours",
    about: [
      "The most blocks of a window that are sent in one burst; the next follows a millisecond later. The window that is granted stays the same.",
      "For clients that lose the end of a longer burst: U-Boot's virtio driver stops after some 35 packets.",
    ],
  },
  rate_class: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "The `[[rate_class]]` whose bandwidth the transfer shares. The last rule that names one counts.",
    ],
  },
  action: {
    kind: "choice",
    values: ["next", "stop", "allow", "deny"],
    default: "next",
    origin: "ours",
    about: [
      "What then: go on with the next rule, end the rules and leave it to `access.default`, allow the request, or deny it.",
    ],
  },
  go_to: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "The `name` of the rule to go on with instead of the next. A request that goes round in circles is denied.",
    ],
  },
  code: {
    kind: "integer",
    default: 2,
    min: 0,
    max: 8,
    origin: "ours",
    because: "2 is an access violation (RFC 1350), and U-Boot gives up a file on 1 and 2 alone.",
    about: ["The code of the ERROR that a client is denied with. 1 is `File not found`."],
  },
} as const;

export const ruleKeys: typeof conditionKeys & typeof patternKeys & typeof actionKeys = {
  ...conditionKeys,
  ...patternKeys,
  ...actionKeys,
};

export const hostKeys = {
  name: {
    kind: "text",
    default: "node7",
    origin: "ours",
    isRequired: true,
    about: ["Its name: `{host}`."],
  },
  mac: {
    kind: "text",
    default: "",
    origin: "ours",
    about: ["Its hardware address. A host is found by this, or else by `ip`, or else by `serial`."],
  },
  ip: {
    kind: "text",
    default: "",
    origin: "ours",
    about: ["Its IP address."],
  },
  serial: {
    kind: "text",
    default: "",
    origin: "ours",
    about: [
      "Its serial number, as in the names that a Raspberry Pi asks for: `{serial}`, where the name has none.",
    ],
  },
  group: {
    kind: "text",
    default: "",
    origin: "ours",
    about: ["The group it belongs to: `{group}`."],
  },
  vars: {
    kind: "variables",
    default: {},
    origin: "ours",
    about: [
      'Variables of its own: `{ kernel = "vmlinuz-6.1" }`. Any text may name what some host has.',
    ],
  },
} as const;

const answerKeys = {
  text: {
    kind: "text",
    default: "kernel {kernel}\n",
    origin: "ours",
    isRequired: true,
    about: [
      "What such a name is answered with, whatever files there are. It may have the variables that `rewrite` may have, with the captures of the pattern; the `${…}` of shells, GRUB and iPXE stays as it is.",
      "Where a variable has no value for the client, the template is passed over.",
    ],
  },
} as const;

export const templateKeys: typeof patternKeys & typeof answerKeys = {
  ...patternKeys,
  ...answerKeys,
};
