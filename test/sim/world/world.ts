// A world in virtual time that one seed decides: a real shard, a network, disks, files that change, and a few dozen clients who
// speak as real ones do. It runs until nothing more can happen, and holds the server to its laws all the while.

import { Random } from "#base/random.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { Counter } from "#server/measures.ts";

import type { Datagram } from "../kernel.ts";
import { Agenda } from "./agenda.ts";
import { SimulatedDisk, soundDisk } from "./disk.ts";
import { Fetch } from "./fetch.ts";
import { Heckler } from "./heckler.ts";
import { Broken, checkBytes, checkCost, checkPremises, checkService, checkUpload } from "./laws.ts";
import { Log } from "./log.ts";
import { descriptorsClosedTwice } from "./memory.ts";
import { cleanPath, damageBetween, Path } from "./path.ts";
import { Population } from "./population.ts";
import { Premises } from "./premises.ts";
import { Put } from "./put.ts";
import { ServedFiles } from "./served-files.ts";
import { Server, SERVICE_FD } from "./server.ts";
import { keyOf, Station, v4Name, v6Name } from "./station.ts";
import { type KernelFaults, type Weather, weatherOf } from "./weather.ts";

/** What a world came to. */
export interface Report {
  /** Attempts that were made, and those among them that ended with the whole file where it belongs. */
  readonly transfers: number;
  readonly complete: number;
  readonly turns: number;
}

/** Longer than every patience of clients and server, one after the other. */
const LONGEST_US = 12 * 3_600_000_000;
/** Turns in a row in which a server that does not sleep has found nothing to do. */
const IDLE_TURNS_MAX = 300;
/** Clients that are served at once when all is over, to see that everything came back. */
const ROLL_CALL = 24;
const TRANSFER_SOCKETS = 3;
const IPV6_SHARE = 0.3;
const CLOSED_TWICE = "a descriptor was closed twice";

export class World {
  readonly log: Log = new Log();
  readonly #seed: number;
  readonly #agenda: Agenda = new Agenda();
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #premises: Premises;
  readonly #files: ServedFiles;
  readonly #population: Population;
  readonly #disk: SimulatedDisk;
  readonly #server: Server;
  readonly #stations: Station[] = [];
  readonly #byName: Map<number, number> = new Map();
  readonly #hecklers: Heckler[] = [];
  /** What was sent under each name. */
  readonly #sent: Map<string, Uint8Array[]> = new Map();
  readonly #closedTwiceBefore: number = descriptorsClosedTwice();
  #kernelFaults: KernelFaults;
  #fullUntilUs = 0;
  /** How often the server was not well. */
  #troubles = 0;
  #attempts = 0;
  #complete = 0;
  #begun = 0;
  #over = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#weather = weatherOf(this.#fork());
    this.#kernelFaults = this.#weather.kernel;
    this.#premises = new Premises(this.#fork());
    const { nowUs } = this.#agenda;
    const { hasLongFile } = this.#weather;
    this.#files = new ServedFiles(this.#premises.served, this.#fork(), nowUs, hasLongFile);
    this.#population = new Population(this.#fork(), this.#weather, this.#files.files);
    const ring = (): void => this.#server.ring();
    this.#disk = new SimulatedDisk(this.#agenda, this.#fork(), this.#weather.disk, ring);
    this.#server = this.#createServer();
  }

  /** Runs it to its end. Throws where a law is broken. */
  run(): Report {
    try {
      this.#plan();
      this.#untilQuiet();
      this.#callTheRoll();
      checkPremises({
        premises: this.#premises,
        sent: this.#sent,
        mappings: this.#server.mappingsMore,
        isGarbled: this.#stations.some(({ path }) => path.counts.garbled > 0),
        hasDied: this.#server.deaths > 0,
      });
      if (descriptorsClosedTwice() > this.#closedTwiceBefore) throw new Broken(CLOSED_TWICE);
      const { turns } = this.#server;
      return { transfers: this.#attempts, complete: this.#complete, turns };
    } finally {
      this.#server.end();
      for (const fd of this.#premises.openFds()) closeFd(fd);
      this.#premises.remove();
    }
  }

  /** A stream of numbers of its own, so that one part of the world does not shift what another draws. */
  #fork(): Random {
    return new Random(this.#random.uint32());
  }

  #createServer(): Server {
    const random = this.#fork();
    const isSegmenting = random.chance(0.8);
    const server = new Server(this.#agenda, {
      terms: this.#premises.terms,
      transferSockets: random.chance(0.2) ? 0 : TRANSFER_SOCKETS,
      isBatching: random.chance(0.8),
      isSegmenting,
      disk: this.#disk,
      send: (datagram) => this.#handleSent(datagram),
      handleDeath: () => this.#handleDeath(),
      record: (record) => {
        if (record.kind === "request" || record.kind === "upload-request") this.#begun += 1;
        if (record.kind === "transfer" || record.kind === "upload") this.#over += 1;
      },
    });
    server.kernel.refusal = (_, segments) => this.#refusal(random, segments);
    server.kernel.receiveMax = this.#weather.kernel.receiveMax;
    server.kernel.isWritable = () => this.#agenda.nowUs >= this.#fullUntilUs;
    return server;
  }

  #refusal(random: Random, segments: number): number {
    const { full, fullUs, refused, uncuttable } = this.#kernelFaults;
    if (this.#agenda.nowUs < this.#fullUntilUs) return -Errno.EAGAIN;
    if (full > 0 && random.chance(full)) {
      this.#troubles += 1;
      this.#fullUntilUs = this.#agenda.nowUs + fullUs;
      this.#agenda.at(this.#fullUntilUs, () => {
        this.#troubles += 1;
        this.#server.wake();
      });
      return -Errno.EAGAIN;
    }
    if (refused > 0 && random.chance(refused)) {
      this.#troubles += 1;
      return -Errno.EPERM;
    }
    if (segments > 1 && uncuttable > 0 && random.chance(uncuttable)) {
      // A single block behind it may have gone ahead, and goes again.
      this.#troubles += 1;
      return random.chance(0.5) ? -Errno.EINVAL : -Errno.EIO;
    }
    return 0;
  }

  /** Plans the arrival of every station, and what happens to the server meanwhile. */
  #plan(): void {
    const random = this.#fork();
    const { stations, spreadUs, badPaths, pathOf, events } = this.#weather;
    for (let index = 0; index < stations; index += 1) {
      const isBad = random.chance(badPaths);
      const path = new Path(this.#agenda, this.#fork(), isBad ? pathOf(random) : cleanPath);
      const attempts = 1 + random.below(this.#weather.attemptsMax);
      const station = this.#settle(path, attempts);
      this.#agenda.after(random.below(spreadUs + 1), () => this.#next(station));
    }
    for (let index = 0; index < events.hecklers; index += 1) this.#plantHeckler(index);
    const spanUs = spreadUs + 3_000_000;
    const often = (times: number, happen: () => void): void => {
      for (let time = 0; time < times; time += 1) this.#agenda.after(random.below(spanUs), happen);
    };
    often(events.reloads, () => {
      this.log.event(this.#agenda.nowUs, "reload");
      this.#server.reload(this.#premises.settings(), random.chance(0.8));
      this.#troubles += 1;
    });
    often(events.deaths, () => this.#server.doom());
    often(events.pauses, () => {
      this.log.event(this.#agenda.nowUs, `pause of ${events.pauseUs} µs`);
      this.#server.pause(events.pauseUs);
      this.#troubles += 1;
      this.#agenda.after(events.pauseUs, () => (this.#troubles += 1));
    });
    often(events.changes, () => this.#changeFile(random));
  }

  #changeFile(random: Random): void {
    const { nowUs } = this.#agenda;
    const kind = random.below(4);
    const name =
      kind < 2
        ? this.#files.replace(nowUs)
        : kind === 2
          ? this.#files.change(nowUs)
          : this.#files.truncate(nowUs);
    this.log.event(nowUs, `${["replaced", "replaced", "changed", "truncated"][kind]} ${name}`);
  }

  /** A station at an address of its own, with so many attempts. Its number. */
  #settle(path: Path, attempts: number): number {
    const number = this.#stations.length;
    const name = this.#random.chance(IPV6_SHARE) ? v6Name(number) : v4Name(number);
    let left = attempts - 1;
    const station = new Station(this.#agenda, name, path, () => {
      this.#handleAttemptEnd(number);
      if (left <= 0) return;
      left -= 1;
      // Many clients ask for their next file at once, and some from the same port: those to whom no answer can still be coming.
      const { attempt } = station;
      const isSettled = attempt instanceof Fetch && attempt.ending === "complete";
      const mayStay = isSettled && attempt.repeats === 0 && path.counts.duplicated === 0;
      station.reusesPort = mayStay && this.#random.chance(0.3);
      if (!station.reusesPort) this.#movePort(station, number);
      this.#agenda.after(this.#random.below(2) * 1000, () => this.#next(number));
    });
    this.#stations.push(station);
    this.#byName.set(keyOf(name), number);
    return number;
  }

  #movePort(station: Station, number: number): void {
    this.#byName.delete(keyOf(station.name));
    station.name[3] = ((station.name[3] ?? 0) + 1) % 256;
    this.#byName.set(keyOf(station.name), number);
  }

  #next(number: number, isPlain: boolean = false): void {
    const station = this.#stations[number];
    if (station === undefined) return;
    this.#attempts += 1;
    const name = station.name.slice();
    const send = (bytes: Uint8Array, fd: number = SERVICE_FD): void =>
      this.#sendToServer(number, { fd, name, bytes });
    const later = (delayUs: number, happen: () => void): void =>
      this.#agenda.after(delayUs, () => {
        const wasRunning = station.attempt?.ending === "running";
        happen();
        station.after(wasRunning);
      });
    const attempt = isPlain
      ? this.#population.plainFetch(send, later)
      : this.#population.attempt(station.path, station.reusesPort, send, later);
    if (attempt instanceof Put) {
      const { name: file, bytes } = attempt.options;
      this.#sent.set(file, [...(this.#sent.get(file) ?? []), bytes]);
    }
    station.damageBefore = { ...station.path.counts };
    station.troublesBefore = this.#troublesNow();
    station.begin(attempt);
  }

  #sendToServer(number: number, datagram: Datagram): void {
    const { path } = this.#at(number);
    const { nowUs } = this.#agenda;
    const lostBefore = path.counts.lost;
    path.toServer(datagram.bytes, (bytes) => {
      if (this.#server.arrive({ ...datagram, bytes })) return;
      this.#troubles += 1;
      this.log.datagram(this.#agenda.nowUs, number, "←", bytes, "the server's queue is full");
    });
    const text = path.counts.lost > lostBefore ? "lost" : "";
    this.log.datagram(nowUs, number, "←", datagram.bytes, text);
  }

  /** A datagram leaves the server. */
  #handleSent({ fd, name, bytes }: Datagram): void {
    const { nowUs } = this.#agenda;
    const number = this.#byName.get(keyOf(name));
    if (number === undefined) {
      this.#hecklers.find((heckler) => heckler.isNamed(name))?.handleReply(nowUs);
      return;
    }
    const station = this.#at(number);
    if (bytes[1] === 3) station.dataReceived += 1;
    const lostBefore = station.path.counts.lost;
    const { attempt } = station;
    station.path.toClient(bytes, (arrived) => {
      // What comes for an earlier attempt on another port finds nobody.
      if (station.attempt === attempt) station.handleDatagram(arrived, fd);
    });
    const text = station.path.counts.lost > lostBefore ? "lost" : "";
    this.log.datagram(nowUs, number, "→", bytes, text);
  }

  #handleDeath(): void {
    this.log.event(this.#agenda.nowUs, "the worker dies");
    this.#troubles += 1;
  }

  #troublesNow(): number {
    return this.#troubles + this.#disk.faults;
  }

  #handleAttemptEnd(number: number): void {
    const station = this.#at(number);
    const { attempt, startUs, endUs, path, dataReceived, damageBefore } = station;
    if (attempt === undefined) return;
    this.log.event(endUs, `#${number} ${attempt.ending} ${attempt.errorText}`, number);
    if (attempt.ending === "complete") this.#complete += 1;
    const damage = damageBetween(damageBefore, path.counts);
    if (attempt instanceof Put) {
      const { name } = attempt.options;
      checkUpload(
        number,
        attempt,
        damage,
        this.#premises.uploaded(name),
        this.#sent.get(name) ?? [],
      );
      return;
    }
    const { name } = attempt.options;
    const ended = {
      station: number,
      fetch: attempt,
      file: this.#files.files.find((file) => file.name === name),
      startUs,
      endUs,
      dataReceived,
      path,
      damage,
      troubles: this.#troublesNow() - station.troublesBefore,
      hasDied: this.#server.deaths > 0,
    };
    checkBytes(ended);
    checkCost(ended);
    checkService(ended, this.#hasRoomForAll());
  }

  /** Whether there are slots and chunks of cache for everybody at once. */
  #hasRoomForAll(): boolean {
    const { transfersMax, cacheBytesMax, cacheChunkBytes } = this.#server.settings;
    const most = 2 * this.#stations.length;
    return transfersMax > most && cacheBytesMax / cacheChunkBytes > most;
  }

  #plantHeckler(index: number): void {
    const name = Uint8Array.of(2, 0, 4, 0, 203, 0, 113, index, 0, 0, 0, 0, 0, 0, 0, 0);
    const heckler = new Heckler(name, this.#fork());
    this.#hecklers.push(heckler);
    const say = (): void => {
      const fd = SERVICE_FD + heckler.random.below(this.#server.sockets);
      this.#server.arrive({ fd, name, bytes: heckler.datagram() });
      if (heckler.isTired) return;
      this.#agenda.after(heckler.random.below(50_000), say);
    };
    this.#agenda.after(heckler.random.below(1_000_000), say);
  }

  /** Whatever happens next, happens, until nothing is left that could. */
  #untilQuiet(): void {
    const untilUs = this.#agenda.nowUs + LONGEST_US;
    while (this.#agenda.step()) {
      if (this.#server.idleTurns > IDLE_TURNS_MAX) throw new Broken("the server turns in circles");
      if (this.#agenda.nowUs > untilUs) throw new Broken("something never ends");
    }
    const active = this.#server.counter(Counter.transfersActive);
    if (active > 0) throw new Broken(`${active} transfers never end`);
    if (this.#server.deaths === 0 && this.#begun !== this.#over) {
      throw new Broken(`${this.#begun} transfers were granted, and ${this.#over} have ended`);
    }
    this.#hecklers.forEach((heckler) => heckler.check(this.#server.deaths));
  }

  /** In fair weather everybody is served again. */
  #callTheRoll(): void {
    this.#kernelFaults = { full: 0, fullUs: 0, refused: 0, uncuttable: 0, receiveMax: 4096 };
    this.#server.kernel.receiveMax = 4096;
    this.#disk.calm(soundDisk);
    this.log.event(this.#agenda.nowUs, "all is over; the roll is called");
    const { transfersMax } = this.#server.settings;
    const count = Math.min(ROLL_CALL, transfersMax);
    const first = this.#stations.length;
    for (let index = 0; index < count; index += 1) {
      const number = this.#settle(new Path(this.#agenda, this.#fork(), cleanPath), 1);
      this.#agenda.after(1, () => this.#next(number, true));
    }
    this.#untilQuiet();
    this.#stations.slice(first).forEach(({ attempt }, index) => {
      if (attempt instanceof Fetch && attempt.ending === "complete") return;
      const how = `${attempt?.ending} ${attempt?.errorText}`;
      throw new Broken(`in fair weather afterwards a client is not served: ${how}`, first + index);
    });
  }

  #at(number: number): Station {
    const station = this.#stations[number];
    if (station === undefined) throw new Error(`no station ${number} in world ${this.#seed}`);
    return station;
  }
}
