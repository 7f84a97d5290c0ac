// What samples were spent on (bench): in the kernel, by the system call that went there; in our functions; or in the engine, and there for what.
// Pure. The engine has no names for its own functions: what it does is told by the thread, and by our function that it does it for.

import type { Stack } from "./stacks.ts";

/** `engine` is what is left of it, with libc: calls between our functions and its own, allocation, code that runs before it is compiled. */
export type Kind =
  "kernel" | "our code" | "compiling" | "collecting" | "passing records" | "engine";

export const KINDS: readonly Kind[] = [
  "kernel",
  "our code",
  "compiling",
  "collecting",
  "passing records",
  "engine",
];

const COMPILERS = /^JITWorker/;
/** The names are cut off in front, to 15 characters. JSCWarmUp helps the collector after the start, and does nothing else. */
const COLLECTORS = /ollector Thread$|^HeapHelper|^JSCWarmUp/;
const MAIN_THREAD = "bun";
/** In src/io/garbage.ts. */
const COLLECTING: ReadonlySet<string> = new Set(["collect", "collectGarbage"]);
/** Between a worker and the main thread: src/server/records.ts and src/server/worker.ts. */
const PASSING: ReadonlySet<string> = new Set(["flush", "deliver", "say", "received"]);

export function kindOf({ places }: Stack): Kind {
  const origin = places.at(-1)?.origin;
  if (origin === "kernel") return "kernel";
  if (origin === "script") return "our code";
  const thread = places[0]?.name ?? "";
  if (COMPILERS.test(thread)) return "compiling";
  if (COLLECTORS.test(thread)) return "collecting";
  const name = places.findLast((place) => place.origin === "script")?.name;
  // The main thread is called for what the workers say, and for nothing else that is frequent.
  if (name === undefined) return thread === MAIN_THREAD ? "passing records" : "engine";
  if (COLLECTING.has(name)) return "collecting";
  return PASSING.has(name) ? "passing records" : "engine";
}

/** No call: page faults, interrupts, threads that are switched. */
export const NO_CALL = "no call";

/** The system call in which a sample of the kernel was taken; undefined of one that was taken elsewhere. */
export function callOf({ places }: Stack): string | undefined {
  if (places.at(-1)?.origin !== "kernel") return undefined;
  for (const { name, origin } of places) {
    const call = origin === "kernel" ? /^__(?:x64|arm64|se)_sys_(\w+)/.exec(name)?.[1] : undefined;
    // One is the other with finer time-outs: the server waits by it, the floor by the plain one.
    if (call !== undefined) return call === "epoll_pwait2" ? "epoll_wait" : call;
  }
  return NO_CALL;
}

/** How much of all samples each name has that `nameOf` gives; what it gives none to has none. */
export function sharesBy(
  stacks: readonly Stack[],
  nameOf: (stack: Stack) => string | undefined,
): ReadonlyMap<string, number> {
  const total = samplesIn(stacks);
  const shares = new Map<string, number>();
  for (const stack of stacks) {
    const name = nameOf(stack);
    if (name === undefined) continue;
    shares.set(name, (shares.get(name) ?? 0) + stack.samples / total);
  }
  return shares;
}

export function samplesIn(stacks: readonly Stack[]): number {
  return stacks.reduce((sum, { samples }) => sum + samples, 0);
}

/** Whether it was taken in the thread that starts and hears the workers, logs and counts. */
export function isOfMainThread({ places }: Stack): boolean {
  return places[0]?.name === MAIN_THREAD;
}
