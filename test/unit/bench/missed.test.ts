// What `bun run profile --missed` makes of the page and of profiles: which targets were missed, and where the difference between ours and the floor goes.
// What is left over after everything with a name must be nothing: the columns add up.

import { expect, test } from "bun:test";

import { rowName } from "../../../bench/peers/rows.ts";
import { callOf, kindOf } from "../../../bench/profile/kinds.ts";
import { missedIn, missedTables } from "../../../bench/profile/missed.ts";
import { type Origin, type Stack } from "../../../bench/profile/stacks.ts";

const LOCKSTEP = "64 × 16 MiB, blksize 1428, lockstep";
const MISSES = "10000 requests for what is not there, 200 at a time";
const page = `prose | a | b | c | **no** |
<!-- peers-targets: begin -->

| load | target | measured | the floor | met |
| ---- | ------ | -------- | --------- | --- |
| ${LOCKSTEP} | CPU: ≥ 1.5 × less than the best peer | 1.2 × less than dnsmasq | 1.2 × | **no** |
|  | CPU: ≤ 1.1 × the floor | 1.01 × | – | yes |
| 1000 × 1 MiB, blksize 1428, windowsize 8 | all complete | 0 failed | – | yes |
| ${MISSES} | CPU: ≥ 1.5 × less than dnsmasq | 0.8 × less than dnsmasq | 1.0 × | **no** |
|  | CPU: ≤ 1.1 × the floor | 1.29 × | – | **no** |

<!-- peers-targets: end -->
`;

test("the missed targets are those of which the page says no, each with its load", () => {
  const missed = missedIn(page);
  expect(missed.map(({ row, targets }) => [rowName(row), targets])).toEqual([
    [
      LOCKSTEP,
      ["CPU: ≥ 1.5 × less than the best peer: 1.2 × less than dnsmasq (the floor: 1.2 ×)"],
    ],
    [
      MISSES,
      [
        "CPU: ≥ 1.5 × less than dnsmasq: 0.8 × less than dnsmasq (the floor: 1.0 ×)",
        "CPU: ≤ 1.1 × the floor: 1.29 ×",
      ],
    ],
  ]);
  expect(missed[0]?.row.fileBytes).toBe(16 * 1024 * 1024);
  expect(() => missedIn(page.replace(MISSES, "a load that was renamed"))).toThrow("no load");
});

/** Frames as `kernel:udp_sendmsg`, outermost first, below the thread's name. */
function stack(samples: number, thread: string, ...frames: readonly string[]): Stack {
  const places = frames.map((frame) => {
    const [origin = "", name = ""] = frame.split(":");
    return { name, origin: origin as Origin };
  });
  return { places: [{ name: thread, origin: "thread" }, ...places], samples };
}

const sending = ["script:flush", "kernel:do_syscall_64", "kernel:__x64_sys_sendmmsg"] as const;

test.each([
  ["kernel", "sendmmsg", stack(1, "Worker", ...sending, "kernel:skb_copy")],
  ["kernel", "no call", stack(1, "Worker", "engine:engine", "kernel:asm_exc_page_fault")],
  ["kernel", "epoll_wait", stack(1, "Worker", "kernel:__x64_sys_epoll_pwait2", "kernel:nap")],
  ["our code", undefined, stack(1, "Worker", "engine:engine", "script:turn")],
  ["compiling", undefined, stack(1, "JITWorker", "engine:engine")],
  ["collecting", undefined, stack(1, "ollector Thread", "engine:engine")],
  ["collecting", undefined, stack(1, "Worker", "script:collect", "engine:engine")],
  ["passing records", undefined, stack(1, "Worker", "script:flush", "engine:engine")],
  ["passing records", undefined, stack(1, "bun", "library:main", "engine:engine")],
  ["engine", undefined, stack(1, "bun", "script:note", "library:memmove")],
  ["engine", undefined, stack(1, "Worker", "script:clientOf", "engine:engine")],
] as const)("a sample of %s is told (%s)", (kind, call, each) => {
  expect<string>(kindOf(each)).toBe(kind);
  expect(callOf(each)).toBe(call);
});

test("what ours costs beyond the floor is told by what it is spent on, and adds up", () => {
  const [row] = missedIn(page)
    .slice(1)
    .map((each) => each.row);
  if (row === undefined) throw new Error("the page has a second load");
  const ours = {
    cost: 20,
    waits: 3,
    preemptions: 5,
    stacks: [
      stack(4, "Worker", ...sending),
      stack(2, "Worker", "script:openNamed", "kernel:__x64_sys_openat2", "kernel:lookup"),
      stack(1, "Worker", "script:turn"),
      stack(1, "JITWorker", "engine:engine"),
      stack(2, "bun", "engine:engine"),
    ],
  };
  const floor = {
    cost: 10,
    waits: 0,
    preemptions: 0,
    stacks: [stack(9, "bun", ...sending), stack(1, "bun", "script:run")],
  };
  const text = missedTables([{ row, targets: ["CPU"], ours, floor }]);
  const cells = text
    .split("\n")
    .filter((line) => line.startsWith("| 10000"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(cells[0]?.slice(1)).toEqual([
    "CPU",
    "60.0 %",
    "10.0 %",
    "30.0 %",
    "10.0 %",
    "0.0 %",
    "20.0 %",
    "20.0 %",
    "3",
    "5",
    "10",
  ]);
  expect(cells[1]?.slice(1, 5)).toEqual(["µs/transfer", "20.00", "10.00", "+10.00"]);
  const parts = (cells[1] ?? []).slice(5).map((cell) => Number(cell.replace("−", "-")));
  expect(parts).toEqual([-1, 4, 0, 1, 2, 0, 4, 0]);
  expect(parts.reduce((sum, part) => sum + part, 0)).toBe(10);
  expect(cells[2]?.[1]).toBe("sendmmsg 8.00, 9.00; openat2 4.00, 0.00");
  const alone = missedTables([{ row, targets: ["CPU"], ours, floor: undefined }]);
  expect(alone).toContain("| none | +20.00 | 0.00 |");
});
