// One transfer between the real Sender and the reference receiver, as a seed decides. Runs in virtual time, and
// says all that happened.

import { Random } from "#base/random.ts";
import { type Outcome } from "#protocol/outcome.ts";
import { type SenderStatistics } from "#protocol/sender-counts.ts";

import { Receiver } from "./receiver.ts";
import { note, run } from "./run.ts";
import { fileOf, netasciiOf, type Scenario } from "./scenario.ts";
import { ServerEnd } from "./server-end.ts";
import { Wire } from "./wire.ts";

export interface PairResult {
  readonly outcome: Outcome;
  readonly received: "running" | "complete" | "failed";
  /** What should come, encoded as on the wire; and what came. */
  readonly expected: Uint8Array;
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly statistics: SenderStatistics;
  readonly wire: Wire["counts"];
  readonly endUs: number;
  /** Requests that arrived after the first, repeated by the client or by the wire. */
  readonly requests: number;
  /** The last lines of what was sent, for a failure to show. */
  readonly transcript: string;
}

/** Runs the transfer to its end. */
export function runPair(scenario: Scenario): PairResult {
  const { seed, mode, asks, dialect, faults, refusal } = scenario;
  const random = new Random(seed ^ 0x5eed);
  const file = fileOf(random, scenario.fileBytes, mode);
  const wire = new Wire(random, faults);
  const lines: string[] = [];
  let requests = -1;

  const server: ServerEnd = new ServerEnd({
    file,
    kernelTakes: () => !random.chance(refusal),
    send: (datagram, nowUs) => {
      note(lines, "→", datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) => receiver.handleDatagram(arrived, atUs));
    },
  });
  const receiver: Receiver = new Receiver({
    dialect,
    mode,
    asks,
    send: (datagram, nowUs) => {
      note(lines, "←", datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) => {
        if (arrived[1] === 1) requests++;
        server.handleDatagram(arrived, atUs);
      });
    },
  });

  receiver.request(0);
  const endUs = run(wire, [server, receiver]);
  const { outcome, statistics } = server.sender;
  return {
    outcome,
    received: receiver.outcome,
    expected: mode === "octet" ? file : netasciiOf(file),
    bytes: receiver.bytes,
    blockBytes: receiver.blockBytes,
    windowBlocks: receiver.windowBlocks,
    statistics,
    wire: wire.counts,
    endUs,
    requests,
    transcript: lines.slice(-60).join("\n"),
  };
}
