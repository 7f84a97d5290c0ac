// The sockets that shards are given: real ones, on loopback, asked by real datagrams.

import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";

import type { ListenerSettings } from "#config/settings-listeners.ts";
import { formatPeer, type SocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { readOption, socketName } from "#ffi/socket.ts";
import {
  closeShardSockets,
  type ListenerPlan,
  type ListenerSockets,
  openShardSockets,
  type SocketPlan,
  type SocketSet,
} from "#io/sockets.ts";

import { listenerAt } from "../../listener.ts";

const common = { isFreebind: false, receiveBufferBytes: 0, sendBufferBytes: 0 };

test("every shard has a service socket on the same port and transfer sockets of its own", () => {
  const set = opened({ address: "127.0.0.1", port: 17_401 }, {}, 3);
  expect(of(set).map(({ serviceFd }) => nameOf(serviceFd))).toEqual(
    Array.from({ length: 3 }, () => "127.0.0.1:17401"),
  );
  const transfers = of(set).flatMap(({ transferFds }) => transferFds.map(nameOf));
  expect(new Set(transfers).size).toBe(12);
  expect(of(set).every(({ transferFds }) => transferFds.length === 4)).toBe(true);
  expect(set.listeners).toMatchObject([{ address: "127.0.0.1:17401", isWildcard: false }]);
  closeShardSockets(set);
});

test("a second server on the same port is refused, though the port could be shared", () => {
  const set = opened({ address: "0.0.0.0", port: 17_402 }, {}, 2);
  const second = openShardSockets(planOf({ address: "0.0.0.0", port: 17_402 }, {}), 2);
  expect(second).toMatchObject({ fault: expect.stringContaining("EADDRINUSE") as string });
  closeShardSockets(set);
  closeShardSockets(opened({ address: "0.0.0.0", port: 17_402 }, {}, 2));
});

test("single-port mode has no transfer sockets", () => {
  const set = opened({ address: "127.0.0.1", port: 17_403 }, { singlePort: true }, 2);
  expect(of(set).map(({ transferFds }) => transferFds)).toEqual([[], []]);
  closeShardSockets(set);
});

test("a port range is shared evenly, and ports in use are passed over", async () => {
  const socket = createSocket("udp4");
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.bind(17_411, "127.0.0.1", resolve);
  await promise;
  const portRange = { first: 17_410, last: 17_414 };
  const set = opened({ address: "127.0.0.1", port: 17_404 }, { portRange, transferSockets: 2 }, 2);
  socket.close();
  expect(of(set).map(({ transferFds }) => transferFds.map(nameOf))).toEqual([
    ["127.0.0.1:17410", "127.0.0.1:17413"],
    ["127.0.0.1:17412", "127.0.0.1:17414"],
  ]);
  closeShardSockets(set);
});

test("a port range that leaves a shard without a socket is a fault", () => {
  const portRange = { first: 17_420, last: 17_420 };
  const listen = { address: "127.0.0.1", port: 17_405 };
  const result = openShardSockets(planOf(listen, { portRange, transferSockets: 1 }), 2);
  expect(result).toMatchObject({
    fault: "port_range 17420-17420 has 1 free ports, and 2 workers need one each",
  });
  // Nothing stays open after a fault.
  closeShardSockets(opened({ address: "127.0.0.1", port: 17_420 }, {}, 1));
});

test("buffers are as large as asked, or as the kernel allows", () => {
  const set = openedAs(
    { ...planOf({ address: "127.0.0.1", port: 17_406 }, {}), receiveBufferBytes: 65_536 },
    1,
  );
  // The kernel doubles what it is asked for, to count its own overhead: socket(7).
  expect(readOption(of(set)[0]?.serviceFd ?? -1, "SO_RCVBUF")).toBe(131_072);
  closeShardSockets(set);
});

test("an interface that does not exist is a fault with a remedy", () => {
  const listen = { address: "fe80::1", port: 17_407, scope: "no-such-if" };
  expect(openShardSockets(planOf(listen, {}), 1)).toMatchObject({
    fault: expect.stringContaining("no-such-if") as string,
    remedy: expect.stringContaining("--bind") as string,
  });
});

test("listeners may overlap: the more exact one is asked, whichever was opened first", async () => {
  const port = 17_409;
  const exact = listenerAt({ address: "127.0.0.2", port }, { singlePort: true });
  const any = listenerAt({ address: "0.0.0.0", port }, { singlePort: true });
  const both = listenerAt({ address: "::", port }, { singlePort: true });
  const near = { ...any, interface: "lo" };
  for (const listeners of [
    [any, exact, both],
    [both, exact, any],
    [both, any, exact, near],
  ]) {
    const set = openedAs({ ...common, listeners }, 2);
    for (const [asked, hearing] of [
      ["127.0.0.2", exact],
      ["127.0.0.1", listeners.includes(near) ? near : any],
      ["::1", both],
    ] as const) {
      const client = createSocket(asked.includes(":") ? "udp6" : "udp4");
      client.send("ping", port, asked);
      expect(await heardBy(set)).toBe(listeners.indexOf(hearing));
      client.close();
    }
    closeShardSockets(set);
  }
});

test("a listener on an interface that is not there is a fault, and nothing stays open", () => {
  const listen = { address: "0.0.0.0", port: 17_410 };
  const listeners = [listenerAt(listen), listenerAt(listen, { interface: "no-such-if" })];
  expect(openShardSockets({ ...common, listeners }, 1)).toMatchObject({
    fault: "cannot listen on the interface no-such-if: there is none of that name (ENODEV)",
    remedy: "`ip link` lists the interfaces; start after it is there, or leave `interface` out",
  });
  closeShardSockets(opened(listen, { interface: "lo" }, 2));
});

test.each([
  ["0.0.0.0", "127.0.0.2", "127.0.0.2"],
  ["::", "127.0.0.2", "127.0.0.2"],
  ["::", "::1", "::1"],
  ["127.0.0.2", "127.0.0.2", "127.0.0.2"],
])("a server on %s that is asked on %s answers from there", async (address, asked, source) => {
  const set = opened({ address, port: 17_408 }, { singlePort: true }, 1);
  const fd = of(set)[0]?.serviceFd ?? -1;
  const client = createSocket(asked.includes(":") ? "udp6" : "udp4");
  const answered = Promise.withResolvers<string>();
  client.on("message", (bytes, from) => {
    answered.resolve(`${bytes.toString()} from ${from.address}:${from.port}`);
  });
  client.send("ping", 17_408, asked);
  await echo(fd);
  expect(await answered.promise).toBe(`ping from ${source}:17408`);
  client.close();
  closeShardSockets(set);
});

/** The listener that a datagram has come in by. */
async function heardBy({ shards }: SocketSet): Promise<number> {
  const received = new ReceiveBatch(1, 64, true);
  for (;;) {
    for (const listeners of shards) {
      const index = listeners.findIndex(({ serviceFd }) => received.receive(serviceFd) > 0);
      if (index < 0) continue;
      received.unmap();
      return index;
    }
    await Bun.sleep(1);
  }
}

/** Receives one datagram and sends it back from where it was sent to. */
async function echo(fd: number): Promise<void> {
  const received = new ReceiveBatch(1, 64, true);
  const reply = new SendBatch(1, 1, true);
  while (received.receive(fd) < 0) await Bun.sleep(1);
  const local = new Uint8Array(LOCAL_BYTES);
  received.readLocal(0, local);
  const start = received.name(0);
  reply.begin(received.u8.subarray(start, start + NAME_BYTES), local, 0);
  const payload = new Arena(received.byteLength(0));
  const body = received.start(0);
  payload.u8.set(received.u8.subarray(body, body + received.byteLength(0)));
  reply.push(payload.address, received.byteLength(0));
  expect(reply.send(fd, 0)).toBe(1);
  received.unmap();
  reply.unmap();
  payload.unmap();
}

function opened(
  listen: ListenerPlan["listen"],
  changes: Partial<ListenerSettings>,
  shardCount: number,
): SocketSet {
  return openedAs(planOf(listen, changes), shardCount);
}

function openedAs(plan: SocketPlan, shardCount: number): SocketSet {
  const set = openShardSockets(plan, shardCount);
  if ("fault" in set) throw new Error(`${set.fault}: ${set.remedy}`);
  return set;
}

function planOf(listen: ListenerPlan["listen"], changes: Partial<ListenerSettings>): SocketPlan {
  return { ...common, listeners: [listenerAt(listen, changes)] };
}

/** What each shard has for listener `index`. */
function of(set: SocketSet, index = 0): readonly ListenerSockets[] {
  return set.shards.map(
    (listeners) => listeners[index] ?? { serviceFd: -1, transferFds: [], isWildcard: false },
  );
}

function nameOf(fd: number): string {
  const name: SocketAddress | number = socketName(fd);
  return typeof name === "number" ? `−${name}` : formatPeer(name);
}
