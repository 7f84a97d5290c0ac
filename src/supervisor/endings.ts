// How the server may end (supervisor layer): by a signal or a hand-over, which is good, or by what nobody in the process can help, with
// a remedy for whoever reads it.

import { OUT_OF_MEMORY } from "#io/memory.ts";

import type { StuckTurn } from "./shard-watch.ts";

/** How the server ended: a fault to show, if any. */
export interface Ending {
  readonly isFailure: boolean;
  readonly fault: string;
  readonly remedy: string;
}

export const givenUpEnding: Ending = {
  isFailure: true,
  fault: "the server before this one gave up waiting for it",
  remedy: "see what took so long, or raise process.handover_secs, and send SIGUSR2 again",
};

export const GOOD_ENDING: Ending = { isFailure: false, fault: "", remedy: "" };

export function unendingEnding(shard: number, { lastedMs, doing }: StuckTurn): Ending {
  return {
    isFailure: true,
    fault: `worker ${shard} was stuck in one turn for ${lastedMs / 1000} s (${doing}) and cannot be ended`,
    remedy:
      "a disk or a network file system that does not answer is the usual cause (state D); " +
      "performance.platform.worker_pool.stuck_secs says how long to wait for it",
  };
}
export function hopelessEnding(error: string): Ending {
  if (error.includes(OUT_OF_MEMORY)) {
    return {
      isFailure: true,
      fault: `a worker has no memory: ${error}`,
      remedy:
        "lower cache.size_mb or worker_count, or raise the limit (ulimit -v, LimitAS= in the unit); " +
        "with vm.overcommit_memory = 2 raise vm.overcommit_ratio",
    };
  }
  return {
    isFailure: true,
    fault: `workers die again and again, the last of: ${error}`,
    remedy: "this is a bug in snow-owl-tftp; please report the line above with your configuration",
  };
}
