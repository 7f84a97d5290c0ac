// Hooks of the executable, confined as it is by default: a web service hears of what completes, breaks off and stands still, can trust
// what it hears, and slows nothing when it does not answer. Secrets show nowhere.

import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { placeBinary } from "./binary.ts";
import { bytesOf } from "./bytes.ts";
import { fetchText, reload } from "./reloading.ts";
import { freePort, startServer, temporaryFolder, until } from "./server.ts";
import { upload, uploadTables } from "./uploading.ts";
import { openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(60_000);

const SECRET = "a-secret-of-some-length";
const isRoot = process.getuid?.() === 0;
const asNobody = ["[process]", ...(isRoot ? ['user = "nobody"'] : [])];

type Told = Readonly<Record<string, unknown>>;

test("a service hears of every event, signed, and each event comes once", async () => {
  using folder = temporaryFolder();
  const secretFile = join(folder.path, "secret");
  writeFileSync(secretFile, `${SECRET}\n`);
  chmodSync(secretFile, 0o644);
  const told: Told[] = [];
  const forged: string[] = [];
  using service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.text();
      if (!isGenuine(request.headers.get("X-Snow-Owl-Signature") ?? "", body)) forged.push(body);
      told.push(JSON.parse(body) as Told);
      return new Response();
    },
  });
  const tables = [
    "[transfer]",
    "patience_secs = 1",
    "retransmit_timeout_ms = 100",
    ...uploadTables(),
    "[[hook]]",
    'events = ["upload", "transfer_completed", "transfer_failed", "client_stuck"]',
    // By a name, which a confined server has to look up.
    `url = "http://localhost:${service.port}/hook?token=not-to-be-told"`,
    `secret_file = ${JSON.stringify(secretFile)}`,
    ...asNobody,
  ];
  await using server = await startServer({ tables, readyHost: undefined });
  if (isRoot) chmodSync(server.root, 0o777);
  await until(() => server.log().includes("serving"), "the banner");
  server.put("pxelinux.0", bytesOf(3000, 1));
  server.put("note", "hello");
  expect(await fetchText(server, "note")).toBe("hello");
  expect(await upload(server.port, "in/sw1.cfg", bytesOf(700, 2))).toBe("ACK 2");
  using lost = await openPeer();
  lost.send(readRequest("pxelinux.0"), server.port, "127.0.0.1");
  await lost.next();
  const named = (name: string): readonly Told[] => told.filter(({ event }) => event === name);
  await until(() => named("client_stuck").length > 0, "the call about the client");
  // The same client: what it did last is what it is stuck on.
  expect(named("client_stuck")).toMatchObject([
    { address: "127.0.0.1", peer: null, file: "pxelinux.0", failures: 1, files: 2, misses: 0 },
  ]);
  expect(named("transfer_completed")).toMatchObject([{ file: "note", size: 5, direction: "read" }]);
  expect(named("upload")).toMatchObject([
    { file: "in/sw1.cfg", size: 700, path: join(server.root, "in/sw1.cfg"), replaced: false },
  ]);
  expect(named("transfer_failed")).toMatchObject([
    { file: "pxelinux.0", because: "never-answered", file_size: 3000, direction: "read" },
  ]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  expect(new Set(told.map(({ boot }) => boot)).size).toBe(1);
  expect(forged).toEqual([]);
  // The next reload signs with what the file holds then.
  writeFileSync(secretFile, "another-secret-of-some-length");
  server.kill("SIGHUP");
  await until(() => server.log().includes("generation=1"), "the reload");
  expect(await fetchText(server, "note")).toBe("hello");
  await until(() => forged.length === 1, "a call with the other secret");
  for (const hidden of [SECRET, "another-secret", "not-to-be-told"]) {
    expect(server.log()).not.toContain(hidden);
  }
});

test("a service that does not answer slows nothing, and what is too much is dropped and counted", async () => {
  // It takes connections, and says nothing.
  const silent = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  silent.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : 0;
  const tables = [
    "[[hook]]",
    'events = ["transfer_completed"]',
    `url = "http://127.0.0.1:${port}/"`,
    "[transfer]",
    "drain_secs = 1",
  ];
  await using server = await startServer({ tables });
  server.put("note", "hello");
  using peer = await openPeer();
  const files = 1010;
  for (let count = 0; count < files; count += 1) {
    peer.send(readRequest("note"), server.port, "127.0.0.1");
    const { bytes, port: from } = await peer.next(20_000);
    expect(bytes.length).toBe(9);
    peer.send(new Uint8Array([0, 4, 0, 1]), from, "127.0.0.1");
  }
  // Four run, and a thousand wait.
  await until(() => server.log().includes("hook_queue_full"), "the full queue's line");
  await reload(server);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  const [, dropped = ""] = /hook_calls_dropped .*calls=(\d+)/.exec(server.log()) ?? [];
  expect(Number(dropped)).toBeGreaterThanOrEqual(1000);
  expect(server.log().match(/sent note 5 B/g)?.length).toBe(files);
  silent.close();
});

test("a secret that is missing or too short stops the start, and check does not show one", async () => {
  using folder = temporaryFolder();
  const secretFile = join(folder.path, "secret");
  const configuration = join(folder.path, "tftp.toml");
  const port = await freePort();
  writeFileSync(
    configuration,
    `root_dir = "${folder.path}"\nbind_addr = "127.0.0.1:${port}"\n[[hook]]\nevents = ["client_stuck"]
url = "http://127.0.0.1:9/"\nsecret_file = "${secretFile}"\n`,
  );
  const binary = placeBinary(folder.path);
  const run = (...words: string[]): string => {
    const { stdout, stderr } = Bun.spawnSync([binary, ...words, "--config", configuration], {
      cwd: folder.path,
    });
    return stdout.toString() + stderr.toString();
  };
  expect(run()).toMatch(/secret_file = .*\n.*\^.*\nhelp: create it: head -c 24/);
  writeFileSync(secretFile, "short\n");
  expect(run()).toContain(
    `error: the first line of ${secretFile} is no secret that is long enough\nhelp: write a secret of 16`,
  );
  writeFileSync(secretFile, SECRET);
  const checked = run("check");
  expect(checked).toContain("client_stuck of *: POST to http://127.0.0.1:9/, signed");
  expect(checked).not.toContain(SECRET);
});

/** What the operations page tells receivers to do. */
function isGenuine(signature: string, body: string): boolean {
  const said = new Map(signature.split(",").map((part) => part.split("=", 2) as [string, string]));
  const [time = "", digits = ""] = [said.get("t"), said.get("v1")];
  const hmac = new Bun.CryptoHasher("sha256", SECRET).update(`${time}.${body}`).digest("hex");
  return hmac === digits && Math.abs(Date.now() / 1000 - Number(time)) < 300;
}
