// One client machine of a simulation: an address and a port, the path to the server, and what it asks for, one after the other.

import { u8 } from "#base/bytes.ts";

import type { Agenda } from "./agenda.ts";
import type { Fetch } from "./fetch.ts";
import type { Path, PathCounts } from "./path.ts";
import type { Put } from "./put.ts";

/** Of a sockaddr_in. */
const V4_BYTES = 16;

export type Attempt = Fetch | Put;

export class Station {
  /** The raw sockaddr_in or sockaddr_in6. */
  readonly name: Uint8Array;
  readonly path: Path;
  /** What it is at, or was at last. */
  attempt: Attempt | undefined;
  /** DATA packets that the server has sent it in this attempt. */
  dataReceived = 0;
  /** What its path had done, and what had been wrong with the server, when this attempt began. */
  damageBefore: PathCounts = { lost: 0, duplicated: 0, late: 0, garbled: 0 };
  troublesBefore = 0;
  /** Whether this attempt has the port of the one before it. */
  reusesPort = false;
  startUs = 0;
  endUs = 0;
  readonly #agenda: Agenda;
  readonly #ended: () => void;
  #wakeUs = Infinity;

  /** `ended` is called when an attempt has. */
  constructor(agenda: Agenda, name: Uint8Array, path: Path, ended: () => void) {
    this.#agenda = agenda;
    this.name = name;
    this.path = path;
    this.#ended = ended;
  }

  begin(attempt: Attempt): void {
    this.attempt = attempt;
    this.dataReceived = 0;
    this.startUs = this.#agenda.nowUs;
    attempt.start(this.startUs);
    this.after();
  }

  handleDatagram(bytes: Uint8Array, fd: number): void {
    const { attempt } = this;
    if (attempt === undefined) return;
    const wasRunning = attempt.ending === "running";
    attempt.handleDatagram(bytes, fd, this.#agenda.nowUs);
    this.after(wasRunning);
  }

  /** Something has happened to the attempt: it has ended, or it wants to be woken at another time. */
  after(wasRunning: boolean = true): void {
    const { attempt } = this;
    if (attempt === undefined) return;
    if (attempt.ending !== "running") {
      if (!wasRunning) return;
      this.endUs = this.#agenda.nowUs;
      this.#ended();
      return;
    }
    this.#wakeAt(attempt.deadlineUs);
  }

  /** Armed lazily: an event that comes too early plans the next one. */
  #wakeAt(atUs: number): void {
    if (atUs >= this.#wakeUs || atUs === Infinity) return;
    this.#wakeUs = atUs;
    this.#agenda.at(atUs, () => {
      if (this.#wakeUs !== atUs) return;
      this.#wakeUs = Infinity;
      if (this.attempt?.ending !== "running") return;
      this.attempt.handleTimeout(this.#agenda.nowUs);
      this.after();
    });
  }
}

/** A number that tells `name` from all other addresses and ports that are made here: quicker to find than a text. */
export function keyOf(name: Uint8Array): number {
  const port = u8(name, 2) * 256 + u8(name, 3);
  if (name.length > V4_BYTES) return port * 256 + u8(name, 23);
  const network = (u8(name, 4) * 256 + u8(name, 5)) * 256 + u8(name, 6);
  return ((1 + network) * 256 + u8(name, 7)) * 65_536 + port;
}

/** 198.51.100.`number`, port 1024, as a raw sockaddr_in. */
export function v4Name(number: number): Uint8Array {
  return Uint8Array.of(2, 0, 4, 0, 198, 51, 100, number, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** fe80::`number` of interface 1, port 1024, as a raw sockaddr_in6. */
export function v6Name(number: number): Uint8Array {
  const name = new Uint8Array(28);
  name.set([10, 0, 4, 0, 0, 0, 0, 0, 0xfe, 0x80]);
  name[23] = number;
  name[24] = 1;
  return name;
}
