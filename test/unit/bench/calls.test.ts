// What `bun run bench` reads from strace's table: the sum of the calls, whether or not some of them failed.
// The tables are as strace 6 prints them.

import { expect, test } from "bun:test";

import { totalIn } from "../../../bench/calls.ts";

const head = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------`;

test("the calls are those of the last line", () => {
  const line = " 61.20    0.834112           8    102931       310 recvmmsg";
  const total = "100.00    1.362928           9    143017       310 total";
  expect(totalIn(`${head}\n${line}\n------ -----------\n${total}\n`)).toBe(143_017);
});

test("so are they where none failed", () => {
  const total = "100.00    1.362928           9    143017           total";
  expect(totalIn(`${head}\n${total}\n`)).toBe(143_017);
});

test("nothing counted is no number", () => {
  expect(() => totalIn(head)).toThrow("strace counted nothing");
});
