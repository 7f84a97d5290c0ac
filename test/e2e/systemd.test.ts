// The executable under a service manager: one that this test plays (NOTIFY_SOCKET, LISTEN_FDS), and systemd's own tool for
// sockets where it is installed.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeFd } from "#ffi/file.ts";
import { bindToInterface, readOption } from "#ffi/socket.ts";

import { DatagramService } from "../datagram-service.ts";
import { boundSockets, manager } from "./activated.ts";
import { fetchText, reload } from "./reloading.ts";
import { freePort, type Server, startServer, until } from "./server.ts";
import { openPeer, readRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "snow-owl-systemd-"));
const notifyPath = join(folder, "notify");
let service: DatagramService;
const said: string[] = [];

beforeAll(() => {
  service = new DatagramService(notifyPath);
});
afterAll(() => {
  service[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** Whether the manager has been told a line since the last time that this was cleared. */
function wasTold(line: string): boolean {
  said.push(...service.waiting().flatMap((text) => text.split("\n")));
  return said.some((each) => each.startsWith(line));
}

async function startWith(fds: readonly number[], port: number, names?: string): Promise<Server> {
  const variables = {
    LISTEN_FDS: String(fds.length),
    ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
  };
  // What is written as the address does not count.
  return startServer({ fds, port, variables, wrapper: manager });
}

/** Why a server did not start. */
async function faultOf(starting: Promise<Server>): Promise<string> {
  try {
    await (await starting).stop();
    return "it started";
  } catch (cause) {
    return String(cause);
  }
}

describe("the service manager", () => {
  test("is told when the server is ready, reloads, is well, and stops", async () => {
    const variables = { NOTIFY_SOCKET: notifyPath, WATCHDOG_USEC: "300000" };
    await using server = await startServer({ variables });
    await until(() => wasTold("READY=1"), "READY=1");
    expect(wasTold("STATUS=serving")).toBe(true);
    // With nobody asking for anything, every shard is asleep: it is woken to be seen.
    await until(() => wasTold("WATCHDOG=1"), "WATCHDOG=1");
    await reload(server);
    expect(wasTold("RELOADING=1")).toBe(true);
    expect(wasTold("MONOTONIC_USEC=")).toBe(true);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(wasTold("STOPPING=1")).toBe(true);
    expect(wasTold("EXTEND_TIMEOUT_USEC=")).toBe(true);
  });

  test("is told that an address is waited for, and to be patient", async () => {
    await using server = await startServer({
      // TEST-NET-1 (RFC 5737): no machine has it.
      bind: "192.0.2.1",
      variables: { NOTIFY_SOCKET: notifyPath },
      tables: ["[transfer]", "address_wait_secs = 1"],
      readyHost: undefined,
    });
    await until(() => wasTold("STATUS=cannot listen on 192.0.2.1:"), "the state");
    expect(wasTold("EXTEND_TIMEOUT_USEC=10000000")).toBe(true);
    expect(await server.exited).toBe(71);
  });
});

describe("sockets of the service manager", () => {
  test("are served, one worker for each", async () => {
    const { fds, port } = boundSockets(2);
    await using server = await startWith(fds, port);
    fds.forEach(closeFd);
    server.put("hello", "hello");
    for (let round = 0; round < 8; round += 1)
      expect(await fetchText(server, "hello")).toBe("hello");
    await until(() => server.log().includes(`on 127.0.0.1:${port} (UDP)`), "the banner");
    await until(() => server.log().includes("2 workers"), "the banner");
  });

  test("keep requests while the server restarts", async () => {
    const { fds, port } = boundSockets(1);
    using peer = await openPeer();
    peer.send(readRequest("missing"), port);
    await using server = await startServer({
      fds,
      port,
      variables: { LISTEN_FDS: "1" },
      wrapper: manager,
      readyHost: undefined,
    });
    fds.forEach(closeFd);
    expect((await peer.next()).text).toStartWith("ERROR 1");
    expect(server.log()).not.toContain("error:");
  });

  test("by the name of tftp are taken before others", async () => {
    const ours = boundSockets(1);
    const others = boundSockets(1);
    await using server = await startWith([...others.fds, ...ours.fds], ours.port, "status:tftp");
    [...ours.fds, ...others.fds].forEach(closeFd);
    server.put("hello", "hello");
    expect(await fetchText(server, "hello")).toBe("hello");
    await until(() => server.log().includes(`on 127.0.0.1:${ours.port} (UDP)`), "the banner");
  });

  test("that are none of ours stop the start, with a remedy", async () => {
    const fd = openSync("/dev/null", "r");
    const failing = startWith([fd], 9);
    expect(failing).rejects.toThrow(/is no UDP socket\nhelp: write ListenDatagram=/);
    await failing.catch(() => undefined);
    closeSync(fd);
  });

  test("of several addresses stop the start, with a remedy", async () => {
    const [one, other] = [boundSockets(1), boundSockets(1)];
    const failing = startWith([...one.fds, ...other.fds], one.port);
    expect(failing).rejects.toThrow(
      /sockets of several addresses: 127.*help: write one address.*FileDescriptorName=/s,
    );
    await failing.catch(() => undefined);
    [...one.fds, ...other.fds].forEach(closeFd);
  });

  test("go to listeners by name and by address, and what goes to none is told", async () => {
    const [named, bound, nobodys] = [boundSockets(2), boundSockets(2), boundSockets(1)];
    const sets = [named, bound, nobodys];
    const own = await freePort();
    const fds = sets.flatMap((set) => set.fds);
    const server = startServer({
      fds,
      port: own,
      variables: {
        LISTEN_FDS: String(fds.length),
        LISTEN_FDNAMES: "rack1:rack1:unit.socket:unit.socket:other",
      },
      wrapper: manager,
      // The first address at the start of a line is replaced. Sockets have the name of the second, so that its address does not count.
      configuration: `root_dir = ""
[[listener]]
bind_addr = ""
[[listener]]
name = "rack1"
bind_addr = "127.0.0.1:1"
[[listener]]
name = "rack2"
bind_addr = "127.0.0.1:${bound.port}"
`,
    });
    await using running = await server;
    fds.forEach(closeFd);
    running.put("hello", "hello");
    for (const port of [own, named.port, bound.port]) {
      for (let round = 0; round < 4; round += 1) {
        expect(await fetchText({ ...running, port }, "hello")).toBe("hello");
      }
    }
    await until(() => running.log().includes("2 workers"), "the banner");
    expect(running.log()).toContain(
      `warning: the service manager handed over a socket that no listener reads: other (127.0.0.1:${nobodys.port})\nhelp: write`,
    );
    expect(running.log().match(/no listener reads/g)).toHaveLength(1);
  });

  test("that are tied to their listener's interface are taken without a right to tie them, others are tied", async () => {
    const [tied, loose, plain] = [boundSockets(1), boundSockets(1), boundSockets(1)];
    const fds = [tied, loose, plain].flatMap((set) => set.fds);
    for (const fd of tied.fds) expect(bindToInterface(fd, "lo")).toBe(0);
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    await using server = await startServer({
      fds,
      port: plain.port,
      variables: { LISTEN_FDS: "3", LISTEN_FDNAMES: "tied:loose:plain" },
      wrapper: process.getuid?.() === 0 ? [...manager, ...nobody] : manager,
      configuration: `root_dir = ""
[[listener]]
name = "plain"
bind_addr = ""
[[listener]]
name = "tied"
bind_addr = "127.0.0.1:${tied.port}"
interface = "lo"
[[listener]]
name = "loose"
bind_addr = "127.0.0.1:${loose.port}"
interface = "lo"
`,
    });
    server.put("hello", "hello");
    for (const port of [tied.port, loose.port]) {
      expect(await fetchText({ ...server, port }, "hello")).toBe("hello");
    }
    // Sockets are the same in both processes.
    expect(loose.fds.map((fd) => readOption(fd, "SO_BINDTOIFINDEX"))).toEqual([1]);
    fds.forEach(closeFd);
  });

  test("in other numbers for one listener than for another, or than workers, stop the start", async () => {
    const [one, other] = [boundSockets(1), boundSockets(2)];
    const fds = [...one.fds, ...other.fds];
    const tables = [one, other].map(({ port }) => `[[listener]]\nbind_addr = "127.0.0.1:${port}"`);
    const options = {
      fds,
      port: 1,
      variables: { LISTEN_FDS: "3" },
      wrapper: manager,
      // The first `bind_addr` at the start of a line would be replaced.
      configuration: `root_dir = ""\n${tables.join("\n").replaceAll("bind_addr", " bind_addr")}`,
    };
    expect(await faultOf(startServer(options))).toMatch(
      /different numbers of sockets: 1 for listener 1, 2 for listener 2\nhelp: write ListenDatagram=/,
    );
    const pool = ["[performance.platform.worker_pool]", "worker_count = 1"];
    const fewer = startServer({
      fds: [...other.fds],
      port: other.port,
      variables: { LISTEN_FDS: "2" },
      wrapper: manager,
      tables: pool,
    });
    expect(await faultOf(fewer)).toContain("and there are 1 workers to read them\nhelp: write");
    fds.forEach(closeFd);
  });

  test("of another process are not taken", async () => {
    const variables = { LISTEN_FDS: "1", LISTEN_PID: "1" };
    await using server = await startServer({ variables });
    server.put("hello", "hello");
    expect(await fetchText(server, "hello")).toBe("hello");
  });

  const activate = Bun.which("systemd-socket-activate");
  if (activate === null)
    process.stdout.write("not tested here: there is no systemd-socket-activate\n");

  test.skipIf(activate === null)("are those of systemd's own tool", async () => {
    const { fds, port } = boundSockets(1);
    fds.forEach(closeFd);
    const wrapper = [
      activate ?? "",
      "--datagram",
      "--listen",
      `127.0.0.1:${port}`,
      "--fdname",
      "tftp",
    ];
    // It starts the server at the first datagram, which then waits in the socket.
    await using server = await startServer({ port, wrapper });
    server.put("hello", "hello");
    expect(await fetchText(server, "hello")).toBe("hello");
    await until(() => server.log().includes("1 worker;"), "the banner");
  });
});
