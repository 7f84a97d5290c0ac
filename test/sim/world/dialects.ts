// How real clients read: what they ask for, when they repeat themselves, and how they end. From their sources and from captures;
// what is drawn at random is what differs between their versions. What the usual version asks for is the load generator's table.

import type { Random } from "#base/random.ts";
import { dialectAsks } from "#client/dialects.ts";

import { pick } from "../scenario.ts";

export interface Dialect {
  readonly name: string;
  readonly asks: (random: Random) => Readonly<Record<string, string>>;
  /** What else it asks first, from another port, to end with ERROR 8 when the OACK has told it the size. */
  readonly probes?: Readonly<Record<string, string>>;
  /** It asks again after so long without any answer; each time the wait is doubled where it `backsOff`. */
  readonly requestAgainUs: number;
  readonly requestsMax: number;
  readonly backsOff: boolean;
  /** It repeats its last ACK after so long a silence. */
  readonly silenceUs: number;
  /** It gives up after so many silences in a row, or after so long without progress where it never speaks on its own. */
  readonly silencesMax: number;
  readonly patienceUs: number;
  /** What a block that is ahead is answered with: the last ACK. */
  readonly gap: "once" | "each" | "never";
  /** Whether a block that it has is acknowledged again but once, and from then on only after its own silence. */
  readonly repeatsOnce: boolean;
  /** What it does when it has everything. `skips`: it knows the size, and waits for no empty last block. */
  readonly ending: "ack" | "ack-and-error" | "skips";
  /** Whether its port stays open for a while, and acknowledges a last block that is repeated. */
  readonly dallies: boolean;
  /** Whether it wants what the OACK says to be exactly what it asked for. */
  readonly needsOack: boolean;
}

const second = 1_000_000;

const usual: Omit<Dialect, "name" | "asks"> = {
  requestAgainUs: second,
  requestsMax: 8,
  backsOff: false,
  silenceUs: second,
  silencesMax: 12,
  patienceUs: 120 * second,
  gap: "once",
  repeatsOnce: false,
  ending: "ack",
  dallies: true,
  needsOack: false,
};

export const dialects: readonly Dialect[] = [
  {
    ...usual,
    name: "ipxe",
    asks: () => dialectAsks.ipxe,
    requestAgainUs: second / 4,
    backsOff: true,
    silenceUs: second / 2,
    silencesMax: 24,
  },
  {
    ...usual,
    name: "edk2",
    asks: () => dialectAsks.edk2,
    probes: { tsize: "0", ...dialectAsks.edk2 },
    requestAgainUs: 4 * second,
    silenceUs: 4 * second,
    silencesMax: 6,
    gap: "each",
    dallies: false,
  },
  {
    ...usual,
    name: "grub",
    asks: () => dialectAsks.grub,
    silenceUs: Infinity,
    gap: "never",
    ending: "ack-and-error",
    needsOack: true,
  },
  {
    ...usual,
    name: "u-boot",
    asks: (random) => ({
      ...dialectAsks["u-boot"],
      blksize: pick(random, ["1468", "512"]),
      ...(random.chance(0.5) ? { windowsize: pick(random, ["2", "8", "32"]) } : {}),
    }),
    requestAgainUs: 5 * second,
    silenceUs: 5 * second,
    silencesMax: 10,
    dallies: false,
  },
  {
    ...usual,
    name: "pxelinux",
    asks: () => dialectAsks.pxelinux,
    silenceUs: second / 2,
    silencesMax: 24,
    ending: "skips",
  },
  { ...usual, name: "raspberry-pi", asks: () => dialectAsks["raspberry-pi"], dallies: false },
  {
    ...usual,
    name: "atftp",
    asks: (random) => ({
      ...dialectAsks.atftp,
      blksize: pick(random, ["1428", "8192", "16"]),
      windowsize: pick(random, ["1", "16", "64"]),
      ...(random.chance(0.3) ? { timeout: "2" } : {}),
    }),
    requestAgainUs: 5 * second,
    silenceUs: 5 * second,
    repeatsOnce: true,
  },
  {
    ...usual,
    name: "tftp-hpa",
    asks: () => dialectAsks["tftp-hpa"],
    silenceUs: 5 * second,
    requestAgainUs: 5 * second,
  },
  {
    ...usual,
    name: "curl",
    asks: () => dialectAsks.curl,
    requestAgainUs: 6 * second,
    silenceUs: 6 * second,
    dallies: false,
  },
  { ...usual, name: "slof", asks: () => dialectAsks.slof },
  {
    ...usual,
    name: "windows",
    asks: () => dialectAsks.windows,
  },
  {
    ...usual,
    name: "lockstep",
    asks: (random) => ({ blksize: pick(random, ["8", "512"]), rollover: pick(random, ["0", "1"]) }),
    silenceUs: Infinity,
  },
];
