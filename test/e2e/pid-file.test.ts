// The PID file: written before the rights of the start are gone, another's after a hand-over, and gone at the end.

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startLine } from "./handing-over.ts";
import { startServer, until } from "./server.ts";

setDefaultTimeout(60_000);

const isRoot = process.geteuid?.() === 0;
if (!isRoot) process.stdout.write("not tested here: only root can become another user\n");
// Root's: a server that becomes nobody may not write in it.
const folder = mkdtempSync(join(tmpdir(), "snow-owl-pid-"));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keysFor(file: string): readonly string[] {
  return ["[process]", `pid_file = "${file}"`];
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}

test("it holds the number of the server, whatever was there before, and goes with the last one", async () => {
  const file = join(folder, "server.pid");
  writeFileSync(file, "4194304 and more, from a server that was killed\n");
  await using line = await startLine({ tables: keysFor(file) });
  expect(read(file)).toBe(`${line.server.pid}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(readdirSync(folder)).toEqual(["server.pid"]);
  await line.upgrade();
  expect(line.pid()).not.toBe(line.server.pid);
  expect(read(file)).toBe(`${line.pid()}\n`);
  // The first has ended, and left it.
  expect(await line.server.exited).toBe(0);
  expect(read(file)).toBe(`${line.pid()}\n`);
  process.kill(line.pid(), "SIGTERM");
  await until(() => !existsSync(file), "the end of the file");
});

test.skipIf(!isRoot)(
  "a server that has become nobody goes on writing it, and empties it at the end",
  async () => {
    const file = join(folder, "nobody.pid");
    await using line = await startLine({ tables: [...keysFor(file), 'user = "nobody"'] });
    expect(read(file)).toBe(`${line.server.pid}\n`);
    await line.upgrade();
    expect(read(file)).toBe(`${line.pid()}\n`);
    process.kill(line.pid(), "SIGTERM");
    await until(() => read(file) === "", "the empty file");
  },
);

test("a folder that is not there stops the start, with a remedy", async () => {
  const failing = startServer({ tables: keysFor("/nowhere/server.pid") });
  expect(failing).rejects.toThrow(/PID file \/nowhere\/server\.pid: ENOENT\nhelp: choose another/);
  await failing.catch(() => undefined);
});
