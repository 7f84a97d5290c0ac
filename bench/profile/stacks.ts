// What `perf script` prints, as stacks that can be counted (bench): one line of frames, outermost first, and how often it was seen.
// Pure. Frames without a name are those of the engine, which is stripped: neighbours among them become one frame.

/** What a frame belongs to: its color. */
export type Origin = "kernel" | "script" | "engine" | "library" | "thread";

/** One place in a stack. */
export interface Place {
  readonly name: string;
  readonly origin: Origin;
}

/** A stack, outermost place first, and in how many samples it was seen. */
export interface Stack {
  readonly places: readonly Place[];
  readonly samples: number;
}

/** `perf script -F comm,tid,ip,sym,dso`: samples are separated by empty lines, innermost frame first. */
export function stacksOf(script: string): readonly Stack[] {
  const seen = new Map<string, { places: readonly Place[]; samples: number }>();
  for (const sample of script.split(/\n\s*\n/)) {
    const [head = "", ...frames] = sample.split("\n").filter((line) => line.trim() !== "");
    if (head === "") continue;
    const places = placesOf(threadName(head), frames);
    const key = places.map(({ name }) => name).join(";");
    const stack = seen.get(key) ?? { places, samples: 0 };
    stack.samples += 1;
    seen.set(key, stack);
  }
  return [...seen.values()];
}

/** `Worker   375` without the number, which differs from run to run. */
function threadName(head: string): string {
  return head.trim().replace(/\s+\d+:?$/, "");
}

function placesOf(thread: string, frames: readonly string[]): readonly Place[] {
  const places: Place[] = [{ name: thread, origin: "thread" }];
  for (const frame of frames.toReversed()) {
    const place = placeOf(frame);
    if (place.origin === "engine" && places.at(-1)?.name === place.name) continue;
    places.push(place);
  }
  return places;
}

function placeOf(frame: string): Place {
  const match = /^\s*[\da-f]+ (.*) \((.*)\)$/.exec(frame);
  const [, symbol = "", file = ""] = match ?? [];
  const isNamed = symbol !== "" && symbol !== "[unknown]";
  if (file.startsWith("[kernel") || file.startsWith("[guest.kernel")) {
    return { name: isNamed ? symbol : "kernel", origin: "kernel" };
  }
  if (file.startsWith("/tmp/perf-")) {
    return { name: isNamed ? scriptName(symbol) : "compiled code", origin: "script" };
  }
  if (/\.so[\d.]*$/.test(file)) {
    const name = file.slice(file.lastIndexOf("/") + 1);
    return { name: isNamed ? symbol : name, origin: "library" };
  }
  return { name: isNamed ? symbol : "engine", origin: "engine" };
}

/** `JSC-DFG: #receive#B9VDzM` without the compiler and the hash of its code, which differ while a function gets hotter. */
function scriptName(symbol: string): string {
  const name = symbol.replace(/^JSC-\w+: /, "").replace(/#\w{6}$/, "");
  return name === "" ? "without a name" : name.replaceAll(";", ",");
}

/** In the form that flame graph tools read: `a;b;c 17`. */
export function foldedText(stacks: readonly Stack[]): string {
  return stacks
    .map(({ places, samples }) => `${places.map(({ name }) => name).join(";")} ${samples}\n`)
    .join("");
}

/** How much of all samples has its innermost frame in each origin, largest first. */
export function sharesOf(
  stacks: readonly Stack[],
): readonly (readonly [origin: Origin, share: number])[] {
  const total = stacks.reduce((sum, { samples }) => sum + samples, 0);
  const shares = new Map<Origin, number>();
  for (const { places, samples } of stacks) {
    const origin = places.at(-1)?.origin ?? "thread";
    shares.set(origin, (shares.get(origin) ?? 0) + samples / total);
  }
  return [...shares].toSorted(([, left], [, right]) => right - left);
}

/** The frames in which most samples were taken, themselves and not what they call: name and share, largest first. */
export function hottestOf(stacks: readonly Stack[], count: number): readonly Share[] {
  return largest(stacks, count, (places) => places.at(-1)?.name ?? "");
}

/** Our functions by what they cost with all that they call in the engine, in libraries and in the kernel, but not in one another. */
export function dearestOf(stacks: readonly Stack[], count: number): readonly Share[] {
  return largest(stacks, count, (places) => {
    const innermost = places.findLast(({ origin }) => origin === "script");
    return innermost?.name ?? `(no function: ${places[0]?.name})`;
  });
}

type Share = readonly [name: string, share: number];

function largest(
  stacks: readonly Stack[],
  count: number,
  nameOf: (places: readonly Place[]) => string,
): readonly Share[] {
  const total = stacks.reduce((sum, { samples }) => sum + samples, 0);
  const shares = new Map<string, number>();
  for (const { places, samples } of stacks) {
    const name = nameOf(places);
    shares.set(name, (shares.get(name) ?? 0) + samples / total);
  }
  return [...shares].toSorted(([, left], [, right]) => right - left).slice(0, count);
}
