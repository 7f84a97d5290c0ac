// The usher (io layer): a shell that is started with the rights of the start and waits, so that a server that has given all of them up
// can still be followed by another one. It can do one thing, which is laid down when it is started: start that program again.

import type { StartFault } from "./start.ts";

/** What the usher starts, each time that it is told to. */
export interface Successor {
  /** The executable file, whatever stands there by then. */
  readonly path: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** It finds these open from {@link FIRST_FD} on, in this order; the first is also where the usher says that a successor has ended. */
  readonly fds: readonly number[];
}

/** The number of {@link Successor.fds}' first: the standard streams and the usher's orders stand before. */
export const FIRST_FD = 4;
/** The variable that tells a successor which attempt it is. */
export const ATTEMPT_VARIABLE = "SNOW_OWL_ATTEMPT";

/** Starts an usher, which ends when the other end of `ordersFd` is closed by its last owner. Source: sh(1). */
export function startUsher(
  ordersFd: number,
  { path, words, environment, fds }: Successor,
): StartFault | undefined {
  try {
    const usher = Bun.spawn([SHELL, "-c", SCRIPT, "snow-owl-usher", path, ...words], {
      env: { ...environment },
      stdio: ["ignore", "inherit", "inherit", ordersFd, ...fds],
    });
    usher.unref();
    return undefined;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return { fault: `${SHELL} cannot be started: ${code}`, remedy: "install a shell, and restart" };
  }
}

/** The order to start a successor, or to see whether it is still there. */
export function usherOrder(kind: "start" | "look", attempt: number): string {
  return `${kind} ${attempt}\n`;
}

/** What the usher says of a successor that has ended. */
export function endedMessage(attempt: number): string {
  return `${attempt} ended`;
}

const SHELL = "/bin/sh";

/**
 * Signals that are for the server may come to the whole group. `jobs` has the shell take note of children that have ended: before,
 * they can still be signalled. A successor keeps no way to give the usher orders.
 */
const SCRIPT = `trap '' HUP INT USR2
while read -r order attempt <&3; do
  case $order in
    start) ${ATTEMPT_VARIABLE}=$attempt "$@" 3<&- & started=$! ;;
  esac
  jobs >/dev/null
  kill -0 "$started" 2>/dev/null || echo "$attempt ended" >&${FIRST_FD}
done`;
