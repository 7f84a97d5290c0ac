// An upload in a process of its own, which stops for ever before one of its system calls: upload-child.ts ROOT WAY CALL.

import { writeSync } from "node:fs";

import { O_TMPFILE } from "#ffi/abi.ts";
import { libc } from "#ffi/libc.ts";

import { UploadRig } from "./upload-rig.ts";
import { content, ways } from "./upload-ways.ts";

const [root = "", way = "0", stop = "0"] = process.argv.slice(2);
const { plan, isUnnamed } = ways[Number(way)] ?? { plan: {}, isUnnamed: true };
if (!isUnnamed) {
  // As on a file system that knows no files without a name: the call fails, here because its folder is none.
  const { openat } = libc;
  libc.openat = (folder = -1, ...values) => {
    const isUnnamedWanted = ((values[1] ?? 0) & O_TMPFILE) === O_TMPFILE;
    return openat(isUnnamedWanted ? -1 : folder, ...values);
  };
}
const rig = new UploadRig(root);
rig.queue.fault = (_, index) => {
  if (index !== Number(stop)) return undefined;
  writeSync(1, "stopped");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return undefined;
};
writeSync(1, rig.put(content, plan, 8192) === 0 ? "done" : "failed");
