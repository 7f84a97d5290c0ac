// Which command writes which part of docs/performance.md (bench): what bench:peers runs, one after the other. A test compares this list with the page's markers.
// Repeats are as many as leave the whole at less than three quarters of an hour.

/** The page's own markers; bench:peers writes how long everything took. */
export const ALL = "bench-all";

export interface Section {
  /** As on the page. */
  readonly title: string;
  /** What is run: the words of a command line in the project's folder. */
  readonly command: readonly string[];
  /** The markers between which it writes. */
  readonly marks: readonly string[];
}

/** The older executable that today's is compared with: before limits, pacing, metrics, replaceable workers, confinement, hand-over and multicast. */
const BEFORE = "5048d46";

export const sections: readonly Section[] = [
  {
    title: "Beside other servers",
    command: ["bun", "bench/peers/main.ts", "--write"],
    marks: ["peers-envelope", "peers-targets", "peers-wins", "peers"],
  },
  // Of what the comparison has just written.
  {
    title: "Where targets are missed",
    command: ["bun", "run", "profile", "--missed", "--repeats=2", "--write"],
    marks: ["profile-missed"],
  },
  {
    title: "What GSO, batching and spinning are worth",
    command: ["bun", "run", "bench", "--repeats=2", "--write"],
    marks: ["bench"],
  },
  {
    title: "Before and after",
    command: ["bun", "run", "bench", `--before=${BEFORE}`, "--repeats=4", "--write"],
    marks: ["bench-before"],
  },
  {
    title: "Beside others at their limits",
    command: ["bun", "bench/limits.ts", "--write"],
    marks: ["bench-limits"],
  },
  {
    title: "When a worker dies",
    command: ["bun", "bench/deaths.ts", "--write"],
    marks: ["bench-deaths"],
  },
  { title: "Parts", command: ["bun", "bench/micro.ts", "--write"], marks: ["bench-micro"] },
  { title: "Rules", command: ["bun", "bench/rules.ts", "--write"], marks: ["bench-rules"] },
  {
    title: "Allocation",
    command: ["bun", "bench/allocation.ts", "--write"],
    marks: ["bench-allocation"],
  },
  {
    title: "Scrapes",
    command: ["bun", "run", "bench", "--scrapes", "--repeats=7", "--write"],
    marks: ["bench-scrapes"],
  },
  {
    title: "What was tried",
    command: ["bun", "bench/trials.ts", "--repeats=2", "--write"],
    marks: ["bench-trials"],
  },
];
