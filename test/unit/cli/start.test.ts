// Start-up as its user sees it: src/main.ts as a process, its exit code and what it prints.

import { afterAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "start-"));
afterAll(() => rmSync(folder, { recursive: true }));

const main = join(import.meta.dir, "../../../src/main.ts");

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly error: string;
}

function run(...args: string[]): Outcome {
  const child = Bun.spawnSync([process.execPath, main, ...args], { cwd: folder });
  return {
    exitCode: child.exitCode,
    out: child.stdout.toString(),
    error: child.stderr.toString(),
  };
}

test("--version, --help and help", () => {
  expect(run("--version").out).toMatch(/^snow-owl-tftp \d+\.\d+\.\d+ \(.+\), bun /);
  expect(run("--help").out).toContain("exit codes:");
  expect(run("help").out).toBe(run("-h").out);
});

test("a mistyped flag is a usage error", () => {
  expect(run("--bnd", "[::]:69")).toEqual({
    exitCode: 2,
    out: "",
    error: "error: unknown flag --bnd\nhelp: did you mean --bind?\n",
  });
});

test("a named file that is missing is an error, with a remedy", () => {
  const { exitCode, error } = run("-c", "missing.toml");
  expect(exitCode).toBe(1);
  expect(error).toContain("cannot read the configuration file missing.toml: ENOENT");
  expect(error).toContain("help: ");
});

test("a wrong value points to its place", () => {
  writeFileSync(join(folder, "wrong.toml"), 'root_dir = "/tmp"\nbind_addr = 69\n');
  const { exitCode, error } = run("check", "-c", "wrong.toml");
  expect(exitCode).toBe(1);
  expect(error).toMatch(/wrong\.toml:2:\d+: error: /);
  expect(error).toContain("^^");
});

test("a missing root says how to make one, and --create-root-dir makes it", () => {
  const { exitCode, error } = run("check", "--root-dir", "made");
  expect(exitCode).toBe(1);
  expect(error).toContain("mkdir -p");
  const made = run("--check-config", "--root-dir", "made", "--create-root-dir");
  expect(made.exitCode).toBe(0);
  expect(made.out).toContain(join(folder, "made"));
  expect(existsSync(join(folder, "made"))).toBe(true);
});

test("--create-root-dir makes the folder for uploads as well, once there are uploads", () => {
  const uploads = join(folder, "new/uploads");
  const text = (isEnabled: boolean): string =>
    `[write_config]\nenabled = ${isEnabled}\nallowed_patterns = ["a/*"]\n[uploads]\nroot_dir = "${uploads}"\n`;
  const check = ["check", "-c", "uploads.toml", "--root-dir", ".", "--create-root-dir"];
  writeFileSync(join(folder, "uploads.toml"), text(false));
  expect(run(...check).exitCode).toBe(0);
  expect(existsSync(uploads)).toBe(false);
  writeFileSync(join(folder, "uploads.toml"), text(true));
  const made = run(...check);
  expect(made).toMatchObject({ exitCode: 0, error: "" });
  expect(made.out).toContain(`a/* into ${uploads}`);
  expect(existsSync(uploads)).toBe(true);
});

test("--init-config writes a file that check accepts, and never writes over one", () => {
  expect(run("--init-config", "--config", "new.toml").exitCode).toBe(0);
  const text = readFileSync(join(folder, "new.toml"), "utf8");
  expect(run("check", "-c", "new.toml", "--root-dir", ".")).toMatchObject({
    exitCode: 0,
    error: "",
  });
  expect(run("--init-config", "--config", "new.toml").exitCode).toBe(1);
  expect(readFileSync(join(folder, "new.toml"), "utf8")).toBe(text);
  expect(run("--init-config", "--config", "-").out.trimEnd()).toBe(text.trimEnd());
});

test("--init-config into a folder that is not there says what to do, naming the path once", () => {
  expect(run("--init-config", "--config", "no/such.toml")).toEqual({
    exitCode: 71,
    out: "",
    error:
      "error: cannot write no/such.toml: ENOENT\n" +
      "help: create its folder, or give another name with --config FILE\n",
  });
});

test("a port in use is a system error that names the command to find its owner", async () => {
  const socket = createSocket("udp4");
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.bind(17_321, "127.0.0.1", resolve);
  await promise;
  const { exitCode, error } = run("--root-dir", ".", "--bind", "127.0.0.1:17321");
  socket.close();
  expect(exitCode).toBe(71);
  expect(error).toContain("cannot listen on 127.0.0.1:17321: another program has that port");
  expect(error).toContain("`ss -ulpn sport = :17321`");
});

test("an address of another machine is a system error", () => {
  const file = join(folder, "elsewhere.toml");
  writeFileSync(file, "[transfer]\naddress_wait_secs = 0\n");
  const place = ["--root-dir", ".", "--bind", "192.0.2.1:17322"];
  const { exitCode, error } = run("--config", file, ...place);
  expect(exitCode).toBe(71);
  expect(error).toContain("EADDRNOTAVAIL");
  expect(error).toContain("ip address");
});

test("probe names every feature once", () => {
  const { exitCode, out } = run("probe");
  expect(exitCode).toBe(0);
  expect(out.match(/^UDP_SEGMENT /gm)).toHaveLength(1);
});
