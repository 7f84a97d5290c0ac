// A server of multicasts in a process of its own (end-to-end tests): the simulator's, on a real socket, so that it can be put into a
// network namespace. `bun multicast-server.ts ADDRESS PORT GROUP SEED`: it has one file, of blocks of 512 bytes, for whoever asks.

import { GroupServer } from "../sim/group-server.ts";
import { bytesOf } from "./bytes.ts";

const [, , address = "", port = "", group = "", seed = ""] = process.argv;
const file = bytesOf(1000 * 512 + 7, Number(seed));

/** By the address and port of the client, its number. */
const clients: { readonly address: string; readonly port: number }[] = [];

const socket = await Bun.udpSocket({
  hostname: address,
  port: Number(port),
  socket: {
    data(_socket, bytes, fromPort, from) {
      const known = clients.findIndex((each) => each.address === from && each.port === fromPort);
      const client = known < 0 ? clients.push({ address: from, port: fromPort }) - 1 : known;
      const nowUs = performance.now() * 1000;
      if (bytes[1] === 1) server.request(client, nowUs);
      else server.handleDatagram(client, bytes, nowUs);
    },
    // A client that has gone says so by ICMP.
    error() {},
  },
});
const server: GroupServer = new GroupServer({
  file,
  blockBytes: 512,
  isAtftpd: false,
  timeoutUs: 500_000,
  oack(mc, isFirst) {
    const place = isFirst ? `${group},${Number(port) + 1}` : ",";
    return Buffer.from(`\x00\x06tsize\x00${file.length}\x00multicast\x00${place},${mc}\x00`);
  },
  send(client, datagram) {
    const to = clients[client];
    if (to !== undefined) socket.send(datagram, to.port, to.address);
  },
  multicast: (datagram) => void socket.send(datagram, Number(port) + 1, group),
});
setInterval(() => {
  const nowUs = performance.now() * 1000;
  if (nowUs >= server.deadlineUs) server.handleTimeout(nowUs);
}, 20);
console.log("ready");
