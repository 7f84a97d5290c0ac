// get and put against a server that is played by hand (end-to-end), for what no good server does: packets that are lost, come
// twice or from strangers, answers that mean nothing, silence, and a client that is killed.

import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { Random } from "#base/random.ts";

import { bytesOf, compare } from "./bytes.ts";
import { asked, goodbye, oack, strings } from "./client-asked.ts";
import { type ClientFolder, clientFolder, type ClientRun } from "./client-rig.ts";
import { type Server, startServer } from "./server.ts";
import { compareFile, uploadTables } from "./uploading.ts";
import {
  ack,
  type Datagram,
  dataPacket,
  errorPacket,
  openPeer,
  payload,
  type Peer,
} from "./wire.ts";

let folder: ClientFolder | undefined;

afterEach(() => {
  folder?.[Symbol.dispose]();
  folder = undefined;
  goodbye();
});

describe("asking", () => {
  test("is repeated with back-off, and given up", async () => {
    const { client, peer, request } = await asked("get", "x", "-t", "1", "--retries", "1");
    expect((await peer.next(20_000)).bytes).toEqual(request.bytes);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(69);
    expect(error).toContain("no answer, asked 2 times");
  }, 30_000);

  test("asks for what the command line says, and for nothing that RFC 1350 gives anyway", async () => {
    const first = await asked("get", "a b", "-w", "1", "-b", "512");
    expect(strings(first.request)).toEqual(["a b", "octet", "tsize", "0"]);
    first.client.kill("SIGKILL");
    const second = await asked("get", "x", "-w", "8", "-b", "1000", "-t", "3", "-m", "netascii");
    expect(strings(second.request)).toEqual([
      "x",
      "netascii",
      "blksize",
      "1000",
      "timeout",
      "3",
      "windowsize",
      "8",
    ]);
    second.client.kill("SIGKILL");
  });

  test("goes on without options where the server refuses them with ERROR 8", async () => {
    const { client, folder, peer, request } = await asked("get", "x");
    peer.send(errorPacket(8, "no options"), request.port);
    const again = await peer.next();
    expect(strings(again)).toEqual(["x", "octet"]);
    peer.send(dataPacket(1, Buffer.from("hello")), again.port);
    expect((await peer.next()).text).toBe("ACK 1");
    expect((await client.ended).exitCode).toBe(0);
    expect(Buffer.from(folder.bytesOf("x") ?? []).toString()).toBe("hello");
  });
});

describe("an OACK", () => {
  test.each([
    ["that answers what was not asked", oack("tsize", "5", "multicast", "224.0.0.1,1,1")],
    ["with a larger block", oack("blksize", "513")],
    ["with a larger window", oack("windowsize", "3")],
    ["with another timeout", oack("timeout", "4")],
    ["with a size that is no number", oack("tsize", "many")],
  ])("%s is refused with ERROR 8", async (_what, answer) => {
    const { client, folder, peer, request } = await asked(
      "get",
      "x",
      "-b",
      "511",
      "-w",
      "2",
      "-t",
      "3",
    );
    peer.send(answer, request.port);
    expect((await peer.next()).text).toBe("ERROR 8 Option refused");
    const { exitCode, error } = await client.ended;
    expect({ exitCode, error }).toMatchObject({ exitCode: 76 });
    expect(folder.names()).toEqual([]);
  });

  test("that comes again is acknowledged again", async () => {
    const { client, peer, request } = await asked("get", "x");
    peer.send(oack("tsize", "1"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(oack("tsize", "1"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(dataPacket(1, Buffer.from("y")), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    expect((await client.ended).exitCode).toBe(0);
  });
});

describe("what comes", () => {
  test("from a stranger gets ERROR 5 and disturbs nothing", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    using stranger = await openPeer();
    stranger.send(dataPacket(2, Buffer.from("false")), request.port);
    expect((await stranger.next()).text).toBe("ERROR 5 Unknown transfer ID");
    stranger.send(errorPacket(0, "end"), request.port);
    peer.send(dataPacket(2, Buffer.from("true")), request.port);
    expect((await peer.next()).text).toBe("ACK 2");
    expect((await client.ended).exitCode).toBe(0);
    expect(folder.bytesOf("x")?.length).toBe(516);
    expect(stranger.waiting()).toEqual([]);
  });

  test("twice is written once, and a lost last ACK is repeated", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    // As late as a server's timer would be.
    await Bun.sleep(300);
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    peer.send(dataPacket(2, Buffer.from("end")), request.port);
    expect((await peer.next()).text).toBe("ACK 2");
    // Longer than the round trip that was seen, and well before the client stops listening.
    await Bun.sleep(700);
    peer.send(dataPacket(2, Buffer.from("end")), request.port);
    expect((await peer.next()).text).toBe("ACK 2");
    expect((await client.ended).exitCode).toBe(0);
    expect(compare(folder.bytesOf("x"), Buffer.concat([bytesOf(512), Buffer.from("end")]))).toBe(
      "identical",
    );
  });

  test("longer than a block gets ERROR 4", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    peer.send(dataPacket(1, bytesOf(513)), request.port);
    expect((await peer.next()).text).toBe("ERROR 4 Illegal TFTP operation");
    expect((await client.ended).exitCode).toBe(76);
    expect(folder.names()).toEqual([]);
  });

  test("shorter than was announced leaves no file", async () => {
    const { client, folder, peer, request } = await asked("get", "x");
    peer.send(oack("tsize", "700"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(dataPacket(1, Buffer.from("short")), request.port);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(65);
    expect(error).toContain("5 bytes came where 700 were announced");
    expect(folder.names()).toEqual([]);
  });

  test("as an ERROR in the middle leaves no file, and its text obeys the terminal", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    peer.send(errorPacket(0, "bad\u001B[31m\nluck"), request.port);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(77);
    expect(error).toContain(String.raw`it says: bad\x1b[31m\x0aluck (ERROR 0)`);
    expect(folder.names()).toEqual([]);
    expect(peer.waiting()).toEqual([]);
  });

  test("no more, for good, leaves no file and tells the server", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "-t", "1", "--retries", "1");
    peer.send(oack("timeout", "1"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    const heard: string[] = [];
    while (!heard.at(-1)?.startsWith("ERROR")) heard.push((await peer.next(20_000)).text);
    expect(heard.at(-1)).toBe("ERROR 0 Timed out");
    expect(heard.filter((text) => text === "ACK 1").length).toBeGreaterThanOrEqual(2);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(69);
    expect(error).toContain("it stopped sending");
    expect(folder.names()).toEqual([]);
  }, 30_000);

  test("no more, because its port is closed, is told at once", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    peer.close();
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(69);
    expect(error).toContain("it is gone: nothing listens on that port (ECONNREFUSED)");
    expect(folder.names()).toEqual([]);
  }, 30_000);
});

describe("a client that is ended", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s tells the server, and leaves what was there", async (signal, code) => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    folder.put("x", "old");
    peer.send(dataPacket(1, bytesOf(512)), request.port);
    expect((await peer.next()).text).toBe("ACK 1");
    client.kill(signal);
    expect((await peer.next()).text).toBe("ERROR 0 Cancelled by the client");
    expect((await client.ended).exitCode).toBe(code);
    expect(Buffer.from(folder.bytesOf("x") ?? []).toString()).toBe("old");
    expect(folder.names()).toEqual(["x"]);
  });

  test("by SIGKILL leaves no half file, hidden or not", async () => {
    const { client, folder, peer, request } = await asked("get", "x", "--plain");
    for (let block = 1; block <= 1000; block += 1) {
      peer.send(dataPacket(block, bytesOf(512)), request.port);
      expect((await peer.next()).text).toBe(`ACK ${block}`);
    }
    client.kill("SIGKILL");
    await client.ended;
    expect(folder.names()).toEqual([]);
  }, 20_000);
});

describe("put", () => {
  test("repeats a block that is not acknowledged, and ignores an old ACK", async () => {
    folder = clientFolder();
    folder.put("f", bytesOf(700));
    using us = await openPeer();
    const client = folder.start("put", "-s", `127.0.0.1:${us.port}`, "f", "--plain");
    const request = await us.next(20_000);
    expect(strings(request)).toEqual(["f", "octet"]);
    us.send(ack(0), request.port);
    const first = await us.next();
    expect(first.text).toBe("DATA 1 512");
    // Nobody answers: it comes again, and is the same.
    expect((await us.next(20_000)).bytes).toEqual(first.bytes);
    us.send(ack(1), request.port);
    const second = await us.next();
    expect(second.text).toBe("DATA 2 188");
    us.send(ack(1), request.port);
    us.send(ack(2), request.port);
    expect((await client.ended).exitCode).toBe(0);
    expect(compare(Buffer.concat([payload(first), payload(second)]), bytesOf(700))).toBe(
      "identical",
    );
  }, 30_000);
});

describe("over a path that loses one packet in thirty, repeats some and swaps others", () => {
  const bytes = bytesOf(200_000, 9);

  test.each([
    ["lockstep", ["-w", "1", "-b", "1428"]],
    ["in windows of 16", ["-w", "16", "-b", "512"]],
  ] as const)(
    "%s, a file comes and goes whole",
    async (_name, flags) => {
      await using server = await startServer({ tables: uploadTables() });
      server.put("big", bytes);
      folder = clientFolder();
      folder.put("out", bytes);
      using path = await badPath(server, 7);
      const at = `tftp://127.0.0.1:${path.port}`;
      const got = await folder.run("get", `${at}/big`, ...flags);
      expect(got).toMatchObject({ exitCode: 0 } satisfies Partial<ClientRun>);
      expect(compare(folder.bytesOf("big"), bytes)).toBe("identical");
      const put = await folder.run("put", "out", `${at}/in/out`, ...flags);
      expect(put).toMatchObject({ exitCode: 0 });
      expect(compareFile(join(server.root, "in/out"), bytes)).toBe("identical");
      expect(path.lost()).toBeGreaterThan(5);
    },
    60_000,
  );
});

interface BadPath extends Disposable {
  readonly port: number;
  /** Packets that it has lost. */
  lost(): number;
}

/** A relay to `server`: each client's socket gets one of the relay's, so that ports mean what they mean elsewhere. */
async function badPath(server: Server, seed: number): Promise<BadPath> {
  const random = new Random(seed);
  const closing: (() => void)[] = [];
  let lost = 0;
  let isClosed = false;
  const pass = (send: () => void): void => {
    if (random.chance(1 / 30)) {
      lost += 1;
      return;
    }
    const copies = random.chance(0.03) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = random.chance(0.05) ? 5 : 0;
      setTimeout(() => isClosed || send(), delayMs);
    }
  };
  const ways = new Map<number, Promise<Peer>>();
  const front = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (_socket, buffer, port) => void forward(new Uint8Array(buffer), port),
    },
  });
  closing.push(() => front.close());
  async function forward(bytes: Uint8Array, port: number): Promise<void> {
    const way = ways.get(port) ?? openWay(port);
    ways.set(port, way);
    const back = await way;
    const to = serverPorts.get(port) ?? server.port;
    pass(() => back.send(bytes, to));
  }
  /** The port that the server's side of a client's transfer has answered from. */
  const serverPorts = new Map<number, number>();
  async function openWay(port: number): Promise<Peer> {
    const back = await openPeer();
    closing.push(() => back.close());
    void (async () => {
      for (;;) {
        let datagram: Datagram;
        try {
          datagram = await back.next(30_000);
        } catch {
          return;
        }
        serverPorts.set(port, datagram.port);
        pass(() => void front.send(datagram.bytes, port, "127.0.0.1"));
      }
    })();
    return back;
  }
  return {
    port: front.port,
    lost: () => lost,
    [Symbol.dispose]() {
      isClosed = true;
      for (const close of closing) close();
    },
  };
}
