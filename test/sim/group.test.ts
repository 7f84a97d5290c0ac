// Several GroupReceivers against a reference server, over a bad wire, for many seeds. Each law is one thing that must hold whatever
// the wire does and whoever is killed; a failure names the seed and shows the end of the exchange.

import { describe, expect, test } from "bun:test";

import { marksOf } from "#base/mark.ts";

import { type GroupResult, type GroupScenario, groupScenarioOf, runGroup } from "./group.ts";
import { forEachSeed } from "./seed.ts";

const thisFile = "test/sim/group.test.ts";

type Law = (result: GroupResult, scenario: GroupScenario) => boolean;

const laws: Readonly<Record<string, Law>> = {
  "what is published is the file": ({ ends, file }) =>
    ends.every((end) => end?.published === undefined || Buffer.compare(end.published, file) === 0),

  "it is published where it is complete, and nowhere else": ({ ends }) =>
    ends.every(
      (end) =>
        end === undefined ||
        end.receiver.outcome === "running" ||
        (end.receiver.outcome === "complete") === (end.published !== undefined),
    ),

  "everybody who lives has the whole file, or knows that it must be got without multicast": (
    { ends },
    { clients, faults },
  ) =>
    clients.every(({ deathUs }, index) => {
      const outcome = ends[index]?.receiver.outcome;
      // Behind a dead one, or one whose last ACK was lost, there is no block to hear; and atftpd repeats one every 5 s.
      const mayBeAlone = faults.loss > 0 || clients.some((each) => each.deathUs < Infinity);
      const isAlone = outcome === "unheard" || outcome === "gave-up";
      return deathUs < Infinity || outcome === "complete" || (isAlone && mayBeAlone);
    }),

  "it ends": ({ endUs, ends }, { clients }) =>
    endUs < 600_000_000 &&
    clients.every(
      ({ deathUs }, index) => deathUs < Infinity || ends[index]?.receiver.outcome !== "running",
    ),

  "no server waits for who has gone with a whole file, on a wire that loses nothing": (
    { server, wire },
    { clients },
  ) =>
    wire.lost + wire.late + wire.duplicated > 0 ||
    clients.some(({ deathUs }) => deathUs < Infinity) ||
    server.done.size + server.lost.size === clients.length,

  "on a faultless wire clients that come together get each block once": (
    { server, file, wire },
    { clients, blockBytes, refusal },
  ) =>
    wire.lost + wire.late + wire.duplicated > 0 ||
    refusal > 0 ||
    clients.some(({ joinUs, deathUs }) => joinUs > 0 || deathUs < Infinity) ||
    server.blocksSent === Math.floor(file.length / blockBytes) + 1,
};

describe("a multicast", () => {
  test("keeps its laws, whatever the seed", () => {
    forEachSeed(thisFile, 100, (seed) => {
      const scenario = groupScenarioOf(seed);
      const result = runGroup(scenario);
      for (const [law, holds] of Object.entries(laws)) {
        if (!holds(result, scenario)) throw new Error(`${law}\n${result.transcript}`);
      }
    });
  });

  test("asks, listens, and takes turns at being the master", () => {
    const marks = new Set<string>();
    for (let seed = 1; seed <= 60; seed++) {
      for (const mark of marksOf(() => runGroup(groupScenarioOf(seed)))) marks.add(mark);
    }
    expect([...marks]).toEqual(
      expect.arrayContaining([
        "group-master-asks-for-first-missing",
        "group-listener-is-silent",
        "group-listener-asks-in-silence",
        "group-master-asks-again",
        "group-repetition-acknowledged",
      ]),
    );
  });
});
