// Upgrades without a lost request: SIGUSR2 has the server start what stands at its path, which takes over while the old one finishes
// its transfers; and when that does not work, nothing changes.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeFd } from "#ffi/file.ts";

import { DatagramService } from "../datagram-service.ts";
import { boundSockets, manager } from "./activated.ts";
import { bytesOf, compare } from "./bytes.ts";
import { curl, hpa, run } from "./clients.ts";
import { countOf, crowdDuring, fetchOnce, replaceExecutable, startLine } from "./handing-over.ts";
import { allow, configuration, fdsTo, fetchText } from "./reloading.ts";
import { freeTcpPort, until } from "./server.ts";
import { dataPacket, openPeer, writeRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(120_000);

/** UPGRADES=50 is the long run. */
const upgrades = Number(process.env["UPGRADES"] ?? 2);
const isRoot = process.geteuid?.() === 0;
if (!isRoot) process.stdout.write("not tested here: only root can become another user\n");

const folder = mkdtempSync(join(tmpdir(), "snow-owl-handover-"));
chmodSync(folder, 0o777);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = bytesOf(400, 1);
/** Takes longer than a hand-over at a pause of some milliseconds for each block. */
const large = bytesOf(30_000, 2);
const twoWorkers = ["[performance.platform.worker_pool]", "worker_count = 2"];
const asNobody = ["[process]", 'user = "nobody"'];
const longDrain = ["[transfer]", "drain_secs = 60"];

const kinds = [
  {
    name: "by ports of their own, as nobody",
    tables: [...longDrain, ...asNobody],
    needsRoot: true,
  },
  {
    name: "by a single port, as nobody",
    tables: [...longDrain, "single_port = true", ...asNobody],
    needsRoot: true,
  },
  {
    name: "by ports of their own, without rights",
    tables: longDrain,
    wrapper: isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [],
    needsRoot: false,
  },
];

describe("upgrades under load", () => {
  const possible = kinds.filter(({ needsRoot }) => isRoot || !needsRoot);
  test.each(possible)("lose nothing $name", async ({ tables, wrapper = [] }) => {
    await using line = await startLine({ wrapper, tables: [...tables, ...twoWorkers] });
    const { server } = line;
    const { port } = server;
    server.put("small", small);
    server.put("large", large);
    let count = 0;
    const client = async (): Promise<string> => {
      count += 1;
      // One in a hundred is slow enough to be there before and after.
      const isSlow = count % 100 === 1;
      const got = await fetchOnce(port, isSlow ? "large" : "small", isSlow ? 10 : 0);
      const verdict = compare(got, isSlow ? large : small);
      return verdict === "identical" ? "" : verdict;
    };
    const work = async (): Promise<void> => {
      for (let upgrade = 0; upgrade < upgrades; upgrade += 1) {
        await line.upgrade();
        for (const each of [curl, hpa].filter(({ program }) => Bun.which(program) !== null)) {
          const { bytes, printed } = await run(each, { port, name: "small" });
          expect(`${compare(bytes, small)} ${printed}`).toStartWith("identical");
        }
      }
    };
    const crowd = await crowdDuring(work(), 500, client);
    expect(crowd.faults).toEqual([]);
    expect(crowd.asked).toBeGreaterThan(50 * upgrades);
    // Each has ended by itself, and had cut nobody off.
    await until(() => countOf(server, "server_shutdown") === upgrades, "the ends of the old");
    expect(countOf(server, "cut off")).toBe(0);
    expect(countOf(server, "handover_failed")).toBe(0);
    expect(countOf(server, "failed large")).toBe(0);
  });

  test("a signal for the service lets the old server finish what it has", async () => {
    await using line = await startLine({ tables: longDrain });
    const { server } = line;
    server.put("large", large);
    const fetching = fetchOnce(server.port, "large", 20);
    // Before its answer the request could still come to the second.
    await until(() => fdsTo(server, join(server.root, "large")).length > 0, "the first answer");
    await line.upgrade();
    server.kill("SIGTERM");
    expect(compare(await fetching, large)).toBe("identical");
    expect(await server.exited).toBe(0);
  });

  test.each(["of its own", "of the service manager"])(
    "an upload by the single port %s goes on in the server where it began",
    async (opener) => {
      const uploads = mkdtempSync(join(folder, "up-"));
      chmodSync(uploads, 0o777);
      const single = ["[transfer]", "single_port = true", "drain_secs = 60"];
      // A server that gives nothing up starts once, and hands over all the same.
      const unconfined = ["[process]", "landlock = false", "seccomp = false"];
      const tables = [...single, ...unconfined, ...allow("*.cfg", uploads)];
      const given = opener === "of its own" ? undefined : boundSockets(1);
      const variables = { LISTEN_FDS: "1" };
      const options = given === undefined ? {} : { ...given, variables, wrapper: manager };
      await using line = await startLine({ tables, ...options });
      given?.fds.forEach(closeFd);
      const { port } = line.server;
      using peer = await openPeer();
      const content = bytesOf(4 * 512 + 10, 3);
      peer.send(writeRequest("a.cfg"), port);
      expect((await peer.next()).text).toBe("ACK 0");
      for (let block = 1; block <= 5; block += 1) {
        // From here on it goes past two servers, the second of which has ended, to the third.
        if (block === 2 || block === 4) await line.upgrade();
        peer.send(dataPacket(block, content.subarray((block - 1) * 512, block * 512)), port);
        let answer = await peer.next(20_000);
        // The server repeats its word while it waits for the next block.
        while (answer.text === `ACK ${block - 1}`) answer = await peer.next(20_000);
        expect(answer.text).toBe(`ACK ${block}`);
        expect(answer.port).toBe(port);
      }
      expect(compare(readFileSync(join(uploads, "a.cfg")), content)).toBe("identical");
    },
  );
});

describe("what watches the server", () => {
  test("finds it ready throughout, and its successor at the same places", async () => {
    const port = await freeTcpPort();
    const socket = join(folder, "admin.sock");
    const tables = ["[status]", `bind_addr = "127.0.0.1:${port}"`, `socket = "${socket}"`];
    await using line = await startLine({ tables });
    const answers: number[] = [];
    const pids = new Set<number>();
    const ask = (): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/readyz`, { headers: { Connection: "close" } });
    const probe = async (): Promise<string> => {
      // A connection that nobody had accepted when the old server left is reset by the kernel.
      answers.push((await ask().catch(ask)).status);
      const said = Bun.spawnSync([
        join(line.server.folder, "snow-owl-tftp"),
        "status",
        "--socket",
        socket,
      ]);
      return said.exitCode === 0 ? "" : said.stderr.toString();
    };
    const work = (async () => {
      for (let upgrade = 0; upgrade < 2; upgrade += 1) {
        pids.add(line.pid());
        await line.upgrade();
      }
    })();
    const crowd = await crowdDuring(work, 10, probe);
    expect(crowd.faults).toEqual([]);
    expect(new Set(answers)).toEqual(new Set([200]));
    expect(pids.size).toBe(2);
    expect(await probe()).toBe("");
    process.kill(line.pid(), "SIGTERM");
    await until(() => !existsSync(socket), "the end of the last");
  });

  test("the service manager is told who is the service, and hears of no end", async () => {
    const path = join(folder, "notify");
    using manager = new DatagramService(path);
    const variables = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "300000" };
    await using line = await startLine({ variables });
    const first = line.server.pid;
    await until(() => manager.waiting().join("\n").includes("READY=1"), "READY=1");
    await line.upgrade();
    const said: string[] = [];
    await until(() => {
      said.push(...manager.waiting());
      const ready = indexOf(said, "READY=1");
      return ready >= 0 && said.lastIndexOf("WATCHDOG=1") > ready;
    }, "WATCHDOG=1 of the successor");
    expect(line.pid()).not.toBe(first);
    expect(indexOf(said, `MAINPID=${line.pid()}`)).toBeGreaterThanOrEqual(0);
    expect(indexOf(said, "READY=1")).toBeGreaterThan(indexOf(said, `MAINPID=${line.pid()}`));
    expect(indexOf(said, "STOPPING=1")).toBe(-1);
  });
});

function indexOf(said: readonly string[], line: string): number {
  return said.findIndex((text) => text.split("\n").includes(line));
}

describe("a hand-over that fails changes nothing:", () => {
  test("a program that ends, one that takes too long, and one that does not understand its file", async () => {
    await using line = await startLine({ tables: ["[process]", "handover_secs = 5"] });
    const { server } = line;
    server.put("hello", "hello");
    const executable = readFileSync(join(server.folder, "snow-owl-tftp"));
    replaceExecutable(server, "exit 3");
    line.ask();
    await until(() => countOf(server, "handover_failed") === 1, "the end of the first");
    expect(server.log()).toContain("it ended before it was ready");
    expect(await fetchText(server, "hello")).toBe("hello");

    replaceExecutable(server, `echo $$ > ${folder}/sleeper; exec sleep 600`);
    line.ask();
    await until(() => countOf(server, "handover_started") === 2, "its beginning");
    line.ask();
    await until(() => server.log().includes("a hand-over is under way"), "the refusal");
    await until(() => server.log().includes("it was not ready within 5 s"), "the end of patience");
    line.ask();
    await until(() => server.log().includes("has not ended yet"), "the second refusal");
    expect(await fetchText(server, "hello")).toBe("hello");
    process.kill(Number(readFileSync(join(folder, "sleeper"), "utf8")), "SIGKILL");

    replaceExecutable(server, "exit 3");
    await Bun.write(join(server.folder, "snow-owl-tftp.new"), executable);
    chmodSync(join(server.folder, "snow-owl-tftp.new"), 0o755);
    Bun.spawnSync([
      "mv",
      join(server.folder, "snow-owl-tftp.new"),
      join(server.folder, "snow-owl-tftp"),
    ]);
    server.configure("root_dir = 1\n");
    await until(() => {
      if (countOf(server, "handover_started") < 3) line.ask();
      return countOf(server, "handover_failed") === 3;
    }, "the end of the third");
    expect(server.log()).toMatch(/handover_failed attempt=3\n.*`root_dir` must be a string/);
    expect(await fetchText(server, "hello")).toBe("hello");

    server.configure(configuration(server));
    await line.upgrade();
    expect(await fetchText(server, "hello")).toBe("hello");
  });

  const mayUnshare = Bun.spawnSync(["unshare", "--pid", "--fork", "true"]).exitCode === 0;
  if (!mayUnshare) process.stdout.write("not tested here: no namespace for processes\n");

  test.skipIf(!mayUnshare)("one of the first process of a container is refused", async () => {
    const wrapper = ["unshare", "--pid", "--fork", "--kill-child"];
    await using line = await startLine({ wrapper });
    const { pid } = line.server;
    const inside = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    process.kill(inside, "SIGUSR2");
    await until(() => line.server.log().includes("handover_refused"), "the refusal");
    expect(line.server.log()).toContain("the first process of its container");
  });

  test("one that is off is refused, and no process keeps the rights of the start", async () => {
    await using line = await startLine({ tables: ["[process]", "handover_secs = 0"] });
    line.ask();
    await until(() => line.server.log().includes("handover_refused"), "the refusal");
    expect(line.server.log()).toContain("process.handover_secs was 0");
    expect(readFileSync(`/proc/${line.pid()}/task/${line.pid()}/children`, "utf8")).toBe("");
  });
});
