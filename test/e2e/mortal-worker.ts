// A shard's thread that can be killed (end-to-end tests): the real worker, but for requests whose name begins with `die-`, which do
// to it what the rest of the name says. Production has no such way.

import { dlopen } from "bun:ffi";

import { Reception } from "#server/reception.ts";

const libc = dlopen("libc.so.6", { system: { args: ["cstring"], returns: "i32" } }).symbols;
const decideAlive = Reflect.get(Reception.prototype, "decide");

Reception.prototype.decide = function decide(bytes, length, arrival) {
  const name = Buffer.from(bytes).toString("latin1", 2, bytes.indexOf(0, 2));
  if (name === "die-throwing") throw new TypeError("poisoned");
  if (name === "die-looping") for (;;);
  // It waits for its child whatever signals come, as a call into a file system does that does not answer.
  if (name === "die-waiting") libc.system(Buffer.from("exec sleep 30 >/dev/null 2>&1\0"));
  return Reflect.apply(decideAlive, this, [bytes, length, arrival]);
};

await import("#server/worker.ts");
