// Clients at their limits (bench): a process of its own that sends until it is killed. Started by limits.ts with the kind of load,
// how many clients there are, and the server's port.

import { setInterval, setTimeout } from "node:timers/promises";

const [kind = "", count = "0", port = "0"] = process.argv.slice(2);
const PORT = Number(port);
const SERVER = "127.0.0.1";
const WINDOW = 16;

const request = (name: string, ...options: readonly string[]): Buffer =>
  Buffer.from(`\0\x01${[name, "octet", ...options].join("\0")}\0`, "latin1");
const small = request("file");
const image = request("image", "blksize", "1428", "windowsize", String(WINDOW));
const malformed = [small.subarray(0, 4), Buffer.from([9]), Buffer.alloc(1400, 255)];

const clients = await Promise.all(Array.from({ length: Number(count) }, (_, index) => open(index)));

switch (kind) {
  case "requests":
    await flood(() => small);
    break;
  case "half-open":
    await flood(() => small, 2000);
    break;
  case "greedy":
    await flood(() => request("image", "blksize", "1428"));
    break;
  case "malformed":
    await flood((turn) => malformed[turn % malformed.length] ?? small);
    break;
  case "bulk":
    for (const client of clients) client.send(image, PORT, SERVER);
    break;
  default:
}
// Until it is killed.
for await (const _ of setInterval(1000));

/** Sends by one client after the other, without end; `pauseMs` after each round. */
async function flood(bytes: (turn: number) => Buffer, pauseMs = 0): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    clients[turn % clients.length]?.send(bytes(turn), PORT, SERVER);
    if (turn % clients.length === clients.length - 1) await setTimeout(pauseMs);
  }
}

/** A client: in the network of the others, but for bulk, where it acknowledges each window and asks again at the end. */
async function open(index: number): Promise<Bun.udp.Socket<"buffer">> {
  let expected = 1;
  return await Bun.udpSocket({
    hostname: kind === "bulk" ? `127.4.${index}.1` : `127.3.0.${1 + (index % 250)}`,
    socket: {
      data(own, datagram, from, address) {
        if (kind !== "bulk") return;
        const block = datagram.readUInt16BE(2);
        if (datagram[1] === 6) {
          expected = 1;
          own.send(Uint8Array.of(0, 4, 0, 0), from, address);
        } else if (datagram[1] === 3 && block === (expected & 0xffff)) {
          const isLast = datagram.length < 1432;
          if (isLast || expected % WINDOW === 0) {
            own.send(Uint8Array.of(0, 4, block >>> 8, block & 255), from, address);
          }
          expected += 1;
          if (isLast) own.send(image, PORT, SERVER);
        }
      },
    },
  });
}
