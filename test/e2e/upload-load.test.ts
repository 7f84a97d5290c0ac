// Five hundred uploads at once of which half die (end-to-end): the others arrive byte for byte, nothing is left of the dead, and the
// server is as it was before: no descriptor more, and no memory but its buffers'.

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bytesOf } from "./bytes.ts";
import { contentStart, isDying, putArgs, type PutPlan, type PutResult } from "./dying-uploads.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { compareFile, everythingIn, uploadTables } from "./uploading.ts";

const clients = 500;
const fileBytes = 200_000;
const dieEvery = 2;
const loadPath: string = join(import.meta.dir, "dying-uploads.ts");
/** What a process may grow by: 64 MiB of write buffers in each of two workers, all touched, and room for the engine (a guess). */
const GROWTH_BYTES_MAX = (2 * 64 + 48) * 1024 * 1024;

/** One round each. */
const windows = [16, 1];
/** How long those that die are waited for: longer than the load leaves a living client alone on a busy machine. */
const patienceSecs = 10;

test("500 uploads at once of which half die, again and again", async () => {
  using content = temporaryFolder();
  const bytes = bytesOf(contentStart(clients) + fileBytes, 51);
  writeFileSync(join(content.path, "content"), bytes);
  // Two workers, because one takes 384 uploads.
  const workers = ["[performance.platform.worker_pool]", "worker_count = 2"];
  const tables = [...uploadTables([`patience_secs = ${patienceSecs}`]), ...workers];
  await using server = await startServer({ tables });
  const folder = join(server.root, "in");
  const files = filesOpenIn(server);
  const memoryBytes = residentBytesOf(server);
  for (const [round, windowBlocks] of windows.entries()) {
    mkdirSync(folder);
    const result = await runLoad({
      port: server.port,
      clients,
      content: join(content.path, "content"),
      fileBytes,
      prefix: "in/",
      blockBytes: 1428,
      windowBlocks,
      dieEvery,
    });
    expect(result).toMatchObject({ completed: clients / 2, failed: 0 });
    const deaths = ((round + 1) * clients) / 2;
    // On a busy machine a client's repeated request may be read after its death, and comes to nothing too.
    await until(() => failedIn(server) >= deaths, "the end of those that died");
    for (let index = 0; index < clients; index += 1) {
      if (isDying(index, dieEvery)) continue;
      const expected = bytes.subarray(contentStart(index), contentStart(index) + fileBytes);
      expect(compareFile(join(folder, String(index)), expected)).toBe("identical");
    }
    expect(everythingIn(folder).length).toBe(clients / 2);
    // The last descriptor goes after the last line.
    await until(() => filesOpenIn(server).length === files.length, "the end of what was open");
    expect(filesOpenIn(server)).toEqual(files);
    expect(residentBytesOf(server) - memoryBytes).toBeLessThan(GROWTH_BYTES_MAX);
    rmSync(folder, { recursive: true });
  }
}, 120_000);

async function runLoad(plan: PutPlan): Promise<PutResult> {
  const command = [process.execPath, loadPath, ...putArgs(plan)];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text()) as PutResult;
}

/** Uploads that the log says have come to nothing. */
function failedIn(server: Server): number {
  return server.log().match(/(?:failed|stopped) to receive in\//g)?.length ?? 0;
}

/** What the server has open in the served folder, files without a name included. */
function filesOpenIn({ pid, root }: Server): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((path) => path.startsWith(root))
    .toSorted();
}

function residentBytesOf({ pid }: Server): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}
