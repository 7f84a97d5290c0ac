// How this server comes after one that still runs (supervisor layer): it tells when it could serve, and reads requests when it is
// told to, or when that server has gone.

import { hear, say } from "#io/pair.ts";

import type { Predecessor } from "./bequest.ts";
import { type Successor, Word } from "./handover.ts";

/** How often it is looked whether the word has come: requests wait meanwhile. */
const TICK_MS = 1;
/** What fits into a message with room to spare. */
const REFUSAL_CHARACTERS_MAX = 1000;

/** Tells that this server could serve. Resolves to whether it shall: not if it was given up. */
export async function shallTake(predecessor: Predecessor, successor: Successor): Promise<boolean> {
  tell(predecessor, `${Word.ready} ${JSON.stringify(successor)}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const { attempt, channelFd } = predecessor;
  const ticking = setInterval(() => {
    const message = hear(channelFd);
    if (message === `${attempt} ${Word.giveUp}`) resolve(false);
    // Empty: it has died, and nobody reads its sockets.
    else if (message === `${attempt} ${Word.take}` || message === "") resolve(true);
  }, TICK_MS);
  const answer = await promise;
  clearInterval(ticking);
  return answer;
}

/** Tells that requests are read here. */
export function tellTaken(predecessor: Predecessor): void {
  tell(predecessor, Word.took);
}

/** Tells why this server cannot come after it. */
export function tellRefusal(predecessor: Predecessor, because: string): void {
  tell(predecessor, `${Word.refused} ${because.slice(0, REFUSAL_CHARACTERS_MAX)}`);
}

function tell({ attempt, channelFd }: Predecessor, text: string): void {
  say(channelFd, `${attempt} ${text}`);
}
