// `bun bench/peers/main.ts --quick` (end-to-end): the comparison gets Debian's servers, runs them and ours under one load each way, and prints its tables.
// What the figures are is not looked at: CI's machine is no place to measure.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type { RowFigures } from "../../bench/peers/figures.ts";
import { hasGroups } from "../../bench/peers/group.ts";
import { placeBinary } from "./binary.ts";
import { skipBecause } from "./clients.ts";

setDefaultTimeout(120_000);

const project: string = resolve(import.meta.dir, "../..");
const title = "every server completes a download and an upload";

if (hasGroups()) test(title, compareOnce);
else skipBecause(title, "control groups need root");

async function compareOnce(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-peers-"));
  try {
    const bench = [process.execPath, "bench/peers/main.ts", "--quick", "--json"];
    const child = Bun.spawn([...bench, "--only=blksize 8192", "--only=onto a disk, ours"], {
      cwd: project,
      env: { ...process.env, SNOW_OWL_TFTP: placeBinary(folder) },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, error] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect({ exitCode: await child.exited, error }).toMatchObject({ exitCode: 0 });
    const rows = JSON.parse(out) as RowFigures[];
    expect(rows.map(({ row }) => row.kind)).toEqual(["get", "put"]);
    for (const { ours, peers } of rows) {
      expect([ours, ...peers].filter(({ failed }) => failed > 0)).toEqual([]);
    }
    expect(rows.map(({ peers }) => peers.map(({ server }) => server))).toEqual([
      ["in.tftpd", "atftpd", "dnsmasq"],
      ["in.tftpd", "atftpd"],
    ]);
    expect(rows[0]?.floor?.failed).toBe(0);
    // The table of progress: a line for each server of each row.
    expect(error.split("\n").filter((line) => line.startsWith("| "))).toHaveLength(5 + 3);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
