// One multicast as a seed decides: several clients with the real GroupReceiver, of which some come late and some are killed, and a
// server that shares no code with them; each packet of a group is lost, repeated or delayed for each of them alone.

import { Random } from "#base/random.ts";

import { GroupEnd, type GroupEndOptions, isMasterBy } from "./group-end.ts";
import { GroupServer } from "./group-server.ts";
import { note, run, type Timed } from "./run.ts";
import { Wire, type WireFaults } from "./wire.ts";

export interface GroupScenario {
  readonly seed: number;
  readonly blockBytes: number;
  readonly fileBytes: number;
  readonly isAtftpd: boolean;
  readonly timeoutUs: number;
  readonly faults: WireFaults;
  /** How often a kernel takes no message. */
  readonly refusal: number;
  readonly clients: readonly GroupClient[];
}

interface GroupClient {
  /** When it asks first. */
  readonly joinUs: number;
  /** When it is killed; Infinity if it is not. */
  readonly deathUs: number;
  /** How long its disk takes over the whole file. */
  readonly holdUs: number;
}

export interface GroupResult {
  readonly file: Uint8Array;
  readonly ends: readonly (GroupEnd | undefined)[];
  readonly server: GroupServer;
  readonly wire: Wire["counts"];
  readonly endUs: number;
  readonly transcript: string;
}

/** Draws a scenario. */
export function groupScenarioOf(seed: number): GroupScenario {
  const random = new Random(seed ^ 0x2090);
  const blockBytes = 8 + random.below(600);
  const isBad = random.chance(0.7);
  const clients = Array.from({ length: 1 + random.below(5) }, () => ({
    joinUs: random.chance(0.5) ? random.below(1000) : random.below(2_000_000),
    deathUs: random.chance(0.15) ? random.below(3_000_000) : Infinity,
    holdUs: random.chance(0.5) ? 0 : random.below(200_000),
  }));
  return {
    seed,
    blockBytes,
    fileBytes: random.below(300) * blockBytes + random.below(blockBytes),
    isAtftpd: random.chance(0.5),
    // 5 s is what atftpd has, and the longest that a client waits by itself.
    timeoutUs: random.chance(0.3) ? 5_000_000 : 500_000 + random.below(1_500_000),
    faults: {
      loss: isBad ? random.below(10) / 100 : 0,
      duplicate: isBad ? random.below(5) / 100 : 0,
      late: isBad ? random.below(20) / 100 : 0,
      lateUs: 1 + random.below(20_000),
      delayUs: random.below(5_000),
    },
    refusal: isBad && random.chance(0.3) ? 0.05 : 0,
    clients,
  };
}

/** Runs it to its end. */
export function runGroup(scenario: GroupScenario): GroupResult {
  const { seed, faults, blockBytes, fileBytes, isAtftpd, timeoutUs, refusal } = scenario;
  const random = new Random(seed ^ 0x5eed);
  const file = Uint8Array.from({ length: fileBytes }, () => random.below(256));
  const wire = new Wire(random, faults);
  const lines: string[] = [];

  const server: GroupServer = new GroupServer({
    file,
    blockBytes,
    isAtftpd,
    timeoutUs,
    // As the RFC leaves it to a server: atftpd says each time where the multicast is.
    oack: (mc, isFirst) => oackOf(isFirst || isAtftpd ? "239.255.0.1,1758" : ",", mc),
    send: (client, datagram, nowUs) => {
      note(lines, `→ ${client}`, datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) =>
        stations[client]?.handleDatagram(arrived, atUs),
      );
    },
    multicast: (datagram, nowUs) => {
      note(lines, "→ *", datagram, nowUs);
      for (const station of stations) {
        wire.send(datagram, nowUs, (arrived, atUs) => station.handleDatagram(arrived, atUs));
      }
    },
  });
  const stations = scenario.clients.map(
    (client, index) =>
      new Station(client, {
        fileBytes,
        blockBytes,
        kernelTakes: () => !random.chance(refusal),
        request: (nowUs) => wire.send(REQUEST, nowUs, (_, atUs) => server.request(index, atUs)),
        send: (datagram, nowUs) => {
          note(lines, `← ${index}`, datagram, nowUs);
          wire.send(datagram, nowUs, (arrived, atUs) =>
            server.handleDatagram(index, arrived, atUs),
          );
        },
      }),
  );
  const endUs = run(wire, [server, ...stations]);
  return {
    file,
    ends: stations.map(({ end }) => end),
    server,
    wire: wire.counts,
    endUs,
    transcript: lines.slice(-80).join("\n"),
  };
}

function oackOf(place: string, mc: 0 | 1): Uint8Array {
  return Buffer.from(`\x00\x06multicast\x00${place},${mc}\x00`, "latin1");
}

const REQUEST: Uint8Array = Uint8Array.of(0, 1);
/** As the client's own: a request is sent again after so long, and so often. */
const requestAgainUs = 1_000_000;
const requestsMax = 6;

/** What a client stands on. */
interface Surroundings extends Omit<GroupEndOptions, "patienceUs" | "holdUs"> {
  readonly request: (nowUs: number) => void;
}

/** One client from its first request on. */
class Station implements Timed {
  end: GroupEnd | undefined;
  readonly #client: GroupClient;
  readonly #surroundings: Surroundings;
  #requestUs: number;
  #requests = 0;

  constructor(client: GroupClient, surroundings: Surroundings) {
    this.#client = client;
    this.#surroundings = surroundings;
    this.#requestUs = client.joinUs;
  }

  get deadlineUs(): number {
    const nextUs = this.end?.deadlineUs ?? this.#requestUs;
    return nextUs < this.#client.deathUs ? nextUs : Infinity;
  }

  handleTimeout(nowUs: number): void {
    if (this.end !== undefined) {
      this.end.handleTimeout(nowUs);
      return;
    }
    this.#requests += 1;
    this.#requestUs = this.#requests < requestsMax ? nowUs + requestAgainUs : Infinity;
    this.#surroundings.request(nowUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    if (nowUs >= this.#client.deathUs) return;
    const [, opcode] = datagram;
    if (this.end !== undefined) this.end.handleDatagram(datagram, nowUs);
    // The group is joined when the OACK is read.
    else if (opcode === 6) this.end = this.#begin(isMasterBy(datagram), nowUs);
  }

  #begin(isMaster: boolean, nowUs: number): GroupEnd {
    const { holdUs } = this.#client;
    return new GroupEnd({ ...this.#surroundings, patienceUs: 22_000_000, holdUs }, isMaster, nowUs);
  }
}
