// Worlds one after the other, each from the next seed: what the command line and the tests run. Where a law is broken, the error says
// what was said in that world, and the one line that makes it again.

import { Broken } from "./laws.ts";
import { NOBODY } from "./log.ts";
import { type Report, World } from "./world.ts";

export interface Total extends Report {
  readonly worlds: number;
}

/** Runs worlds from seed `first` on, at least one, as long as `goesOn`. */
export function runWorlds(first: number, goesOn: (total: Total) => boolean): Total {
  let total: Total = { worlds: 0, transfers: 0, complete: 0, turns: 0 };
  do {
    const { transfers, complete, turns } = runWorld((first + total.worlds) >>> 0);
    total = {
      worlds: total.worlds + 1,
      transfers: total.transfers + transfers,
      complete: total.complete + complete,
      turns: total.turns + turns,
    };
  } while (goesOn(total));
  return total;
}

function runWorld(seed: number): Report {
  const world = new World(seed);
  try {
    return world.run();
  } catch (cause) {
    const station = cause instanceof Broken ? cause.station : NOBODY;
    const transcript = world.log.transcript(station);
    const why = cause instanceof Error ? cause.message : String(cause);
    const again = `again: bun run sim --seed ${seed} --minutes 0`;
    throw new Error(`${transcript}\n\n${why}\n\n${again}`, { cause });
  }
}
