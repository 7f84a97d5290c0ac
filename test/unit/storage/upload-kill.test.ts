// SIGKILL at every step of an upload, in a process of its own: the name holds the old bytes or the new ones, whole, and the next
// start's sweep removes the rest.

import { afterEach, expect, test } from "bun:test";

import { closeFd, openRoot } from "#ffi/file.ts";
import { sweepUploads } from "#storage/upload-sweep.ts";

import { afterwards, cleanUp, temporaryFolder } from "./rig.ts";
import { hasHidden, treeOf, UploadRig } from "./upload-rig.ts";
import { content, mixtureIn, prepareRoot, type Way, ways } from "./upload-ways.ts";

afterEach(cleanUp);

const child = new URL("upload-child.ts", import.meta.url).pathname;
/** How often a process was killed; all ways together must reach what is asked of us. */
let kills = 0;

test.each(ways)(
  "killed at each of its calls: $way",
  async (way) => {
    for (let call = 0; ; call += 1) {
      const root = temporaryFolder();
      prepareRoot(root, way);
      const said = await killAt(root, ways.indexOf(way), call);
      expectSwept(root, way);
      cleanUp();
      if (said === "done") break;
      expect(said).toBe("stopped");
      kills += 1;
    }
  },
  60_000,
);

test("at fifty points at least", () => {
  expect(kills).toBeGreaterThanOrEqual(50);
});

/** Runs the upload until it is about to make its `call`-th system call, and kills it there. What it has said. */
async function killAt(root: string, way: number, call: number): Promise<string> {
  const process_ = Bun.spawn([process.execPath, child, root, String(way), String(call)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = process_.stdout.getReader();
  const { value } = await reader.read();
  process_.kill("SIGKILL");
  await process_.exited;
  return Buffer.from(value ?? new Uint8Array()).toString();
}

function expectSwept(root: string, way: Way): void {
  const rootFd = openRoot(root);
  afterwards(() => closeFd(rootFd));
  const swept = sweepUploads(rootFd);
  // A file without a name needs no sweep; one that was about to replace another has a name for a moment.
  expect(swept.removed).toBeLessThanOrEqual(2);
  expect(hasHidden(root)).toBe(false);
  expect(mixtureIn(treeOf(root), way.plan)).toBe("");
  // And the next upload of the name goes as if nothing had been, unless this one was published.
  const isThere = treeOf(root)[way.plan.path ?? "file"] !== undefined;
  const plan = { ...way.plan, mayOverwrite: way.plan.mayOverwrite ?? isThere };
  expect(new UploadRig(root).put(content, plan, 65_464)).toBe(0);
}
