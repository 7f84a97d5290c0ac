// Run by neighbours.test.ts inside a network namespace: says what Neighbours and Links make of it, as JSON.

import { NeighbourTable } from "#ffi/netlink.ts";
import { closeSocket, openSocket } from "#ffi/socket.ts";
import { Links } from "#io/links.ts";
import { Neighbours } from "#io/neighbours.ts";

const [ifindexText = "", otherText = ""] = process.argv.slice(2);
const [ifindex, other] = [Number(ifindexText), Number(otherText)];
const [v4, absent] = [Uint8Array.of(10, 9, 0, 2), Uint8Array.of(10, 9, 0, 77)];
const mapped = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, ...v4]);
const v6 = Uint8Array.from([0xfd, 9, ...new Uint8Array(13), 2]);

const neighbours = new Neighbours();
const macs = [v4, mapped, v6, absent].map((address) => neighbours.macOf(address, ifindex));
const elsewhere = [other, 0, 1].map((index) => neighbours.macOf(v4, index));
const again = neighbours.macOf(v4, ifindex);
neighbours.close();

const dump = new NeighbourTable(true);
const dumped = [v4, v6, absent, v4].map((address) => {
  const found = dump.find(address, ifindex);
  return typeof found === "number" ? found : found.toHex();
});
dump.close();

const get = new NeighbourTable();
const startNs = Bun.nanoseconds();
for (let round = 0; round < 2000; round += 1) get.find(v4, ifindex);
const microseconds = (Bun.nanoseconds() - startNs) / 2_000_000;
get.close();

const fd = openSocket(4);
const links = new Links(fd);
const mtus = [ifindex, other, 0, 999_999].map((index) => links.mtuOf(index));
closeSocket(fd);

process.stdout.write(JSON.stringify({ macs, elsewhere, again, dumped, mtus, microseconds }));
