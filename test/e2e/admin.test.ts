// The commands that talk to a running server, by the executable over its admin socket: what they print, who may use them, and that
// `top` leaves the terminal as it was.

import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { skipBecause } from "./clients.ts";
import { boot, fillRack } from "./rack.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { ack, openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(60_000);

const NOBODY = 65_534;

test("a server is looked at, a transfer ended, a reload and a drain asked for", async () => {
  await using run = await startAdministered();
  const { server, ask } = run;
  fillRack(server);
  await boot(server, "127.0.1.17", "misses its initrd", () => true);
  using peer = await openPeer();
  peer.send(readRequest("images/vmlinuz"), server.port);
  const { port } = await peer.next();
  peer.send(ack(1), port);
  await peer.next();
  expect(await ask("status")).toEqual([
    0,
    expect.stringMatching(/^serving on 127\.0\.0\.1:\d+, .*\ntransfers  1 under way\n/s),
  ]);
  const [, listed] = await ask("transfers");
  const [, id = ""] = /^(\d+) +127\.0\.0\.1:\d+ .* images\/vmlinuz$/m.exec(listed) ?? [];
  const [, told] = await ask("clients", "127.0.1.17");
  expect(told).toMatch(/^127\.0\.1\.17: images\/initrd-node17\.img is not there/);
  expect(told).toMatch(/\n[\d:.]+ +refused \(not-found\) +pxelinux\.cfg\/7F000001\n/);
  const [, json] = await ask("clients", "--json");
  expect(JSON.parse(json)).toMatchObject({ total: 2 });
  const [, screen] = await ask("top");
  expect(screen).toContain(`${id} [                    ] 127.0.0.1:`);
  expect(await ask("kill", id)).toEqual([0, `transfer ${id} is ended\n`]);
  await until(
    () => peer.waiting().some(({ text }) => text === "ERROR 0 Ended by the administrator"),
    "the ERROR",
  );
  expect(await ask("kill", "999999")).toEqual([69, expect.stringContaining("there is none")]);
  expect((await ask("reload"))[0]).toBe(0);
  await until(() => /configuration_loaded .*generation=1/.test(server.log()), "the reload");
  expect((await ask("drain"))[0]).toBe(0);
  expect(await server.exited).toBe(0);
  expect(server.log()).toMatch(/admin_command request="POST \/api\/v1\/drain" uid=\d+ pid=\d+/);
  expect(existsSync(run.socket)).toBe(false);
  expect(await ask("status")).toEqual([69, expect.stringMatching(/ENOENT\nhelp: is it running/)]);
});

const isRoot = process.getuid?.() === 0;

if (isRoot) {
  test("another user is kept out, or may look where the socket's mode says so", async () => {
    await using run = await startAdministered();
    const { asNobody, socket } = run;
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect(await asNobody("status")).toEqual([
      69,
      expect.stringContaining("EACCES\nhelp: run it as root"),
    ]);
    chmodSync(socket, 0o666);
    expect((await asNobody("status"))[0]).toBe(0);
    for (const words of [["reload"], ["drain"], ["kill", "1"]]) {
      expect(await asNobody(...words)).toEqual([69, expect.stringContaining("only root")]);
    }
    expect((await run.ask("status"))[1]).toStartWith("serving");
  });
} else {
  skipBecause("another user is kept out", "only root can be another user");
}

test("a socket that a killed server has left behind is taken over, a live one is not", async () => {
  await using run = await startAdministered();
  const { server, socket } = run;
  const another = async (): Promise<string> => {
    const tables = ["[status]", `socket = "${socket}"`];
    await using second = await startServer({ tables, readyHost: undefined });
    await until(
      () => /another server listens|server_started|serving/.test(second.log()),
      "a start",
    );
    return second.log();
  };
  expect(await another()).toContain(`another server listens at ${socket}`);
  server.kill("SIGKILL");
  await server.exited;
  expect(existsSync(socket)).toBe(true);
  expect(await another()).not.toContain("another server");
});

const tmux = Bun.which("tmux");

if (tmux === null && process.env["CI"] === undefined) {
  skipBecause("top in a terminal", "apt-get install tmux");
} else {
  test("top draws who is stuck, and leaves the terminal as it was", async () => {
    await using run = await startAdministered();
    using peer = await openPeer("127.0.0.1", "127.0.1.17");
    // Who asks for the same again and again is stuck at once.
    for (let times = 0; times < 3; times += 1) {
      peer.send(readRequest("initrd.img"), run.server.port);
      await peer.next();
    }
    const name = `owl-top-${process.pid}`;
    const inTmux = (...words: readonly string[]): string =>
      Bun.spawnSync([tmux ?? "tmux", "-L", name, "-f", "/dev/null", ...words], {
        env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", LC_ALL: "C.UTF-8" },
      }).stdout.toString();
    const screen = (): string => inTmux("capture-pane", "-p");
    inTmux("new-session", "-d", "-x", "100", "-y", "20", "sh");
    try {
      inTmux(
        "send-keys",
        // On a line of its own, wherever the shell's prompt has come to stand.
        `${run.command.join(" ")} top --socket ${run.socket}; printf '\\nend=%s\\n' $?`,
        "Enter",
      );
      await until(() => /^snow-owl-tftp .*: serving on /.test(screen()), "the screen");
      await until(() => /^127\.0\.1\.17 .* is not there/m.test(screen()), "who is stuck");
      expect(screen()).toMatch(/^ {4}help: put it below the root folder/m);
      inTmux("send-keys", "q");
      await until(() => /^end=0$/m.test(screen()), "its end");
      expect(screen()).not.toContain("stuck   ");
    } finally {
      inTmux("kill-server");
    }
  });
}

interface Administered extends AsyncDisposable {
  readonly server: Server;
  readonly socket: string;
  /** The executable. */
  readonly command: readonly string[];
  /** Runs one of the commands. Resolves to its exit code and all that it printed. */
  readonly ask: (...words: readonly string[]) => Promise<readonly [number, string]>;
  readonly asNobody: (...words: readonly string[]) => Promise<readonly [number, string]>;
}

async function startAdministered(): Promise<Administered> {
  const folder = temporaryFolder();
  const socket = join(folder.path, "admin.sock");
  const configuration = join(folder.path, "tftp.toml");
  writeFileSync(configuration, `[status]\nsocket = "${socket}"\n`);
  const server = await startServer({ tables: ["[status]", `socket = "${socket}"`] });
  const command = [join(server.folder, "snow-owl-tftp")];
  const runAs = async (
    wrapper: readonly string[],
    words: readonly string[],
  ): Promise<readonly [number, string]> => {
    const child = Bun.spawn([...wrapper, ...command, ...words, "-c", configuration], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const printed = await Promise.all(
      [child.stdout, child.stderr].map(async (stream) => await new Response(stream).text()),
    );
    return [await child.exited, printed.join("")];
  };
  const nobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  chmodSync(server.folder, 0o755);
  return {
    server,
    socket,
    command,
    ask: async (...words) => await runAs([], words),
    asNobody: async (...words) => await runAs(nobody, words),
    async [Symbol.asyncDispose]() {
      await server.stop();
      folder[Symbol.dispose]();
    },
  };
}
