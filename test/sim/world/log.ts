// What was said in a simulated world, kept so that a failure can be read: lines as of tcpdump, with virtual times.

import { printPacket } from "#protocol/print.ts";

interface Entry {
  readonly atUs: number;
  readonly station: number;
  /** `→` from the server, `←` to it, `×` what the network has lost on the way. Empty: `text` is an event. */
  readonly arrow: string;
  readonly bytes: Uint8Array | undefined;
  readonly text: string;
}

const ENTRIES_MAX = 60_000;
const LINES_MAX = 120;

/** Instead of a station, where something happens to the server. */
export const NOBODY = -1;

export class Log {
  readonly #entries: Entry[] = [];

  datagram(atUs: number, station: number, arrow: string, bytes: Uint8Array, text: string): void {
    this.#add({ atUs, station, arrow, bytes, text });
  }

  event(atUs: number, text: string, station: number = NOBODY): void {
    this.#add({ atUs, station, arrow: "", bytes: undefined, text });
  }

  /** The last lines that concern `station`, what happened to the server among them; all of the last lines for {@link NOBODY}. */
  transcript(station: number): string {
    const concerns = (entry: Entry): boolean =>
      station === NOBODY || entry.station === station || entry.station === NOBODY;
    return this.#entries.filter(concerns).slice(-LINES_MAX).map(lineOf).join("\n");
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length > ENTRIES_MAX) this.#entries.splice(0, ENTRIES_MAX / 2);
  }
}

function lineOf({ atUs, station, arrow, bytes, text }: Entry): string {
  const time = (atUs / 1e6).toFixed(6).padStart(12);
  if (bytes === undefined) return `${time}  ${text}`;
  return `${time}  #${station} ${arrow} ${printPacket(bytes)}${text === "" ? "" : `  (${text})`}`;
}
