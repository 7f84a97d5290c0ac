// Run by mtu.test.ts inside a network namespace: asks for a file with several block sizes, and prints the answers as JSON.

import { openPeer, readRequest } from "./wire.ts";

const [portText = "", host = ""] = process.argv.slice(2);
const port = Number(portText);
using peer = await openPeer(host);

// The server may be starting: it is asked until it answers.
for (let attempt = 0; attempt < 200 && peer.waiting().length === 0; attempt += 1) {
  peer.send(readRequest("are-you-ready"), port);
  await Bun.sleep(50);
}

const answers: string[] = [];
for (const blksize of [512, 1428, 1448, 1449, 1468, 1469, 65_464]) {
  using asking = await openPeer(host);
  asking.send(readRequest("file", [["blksize", blksize]]), port);
  answers.push((await asking.next()).text);
}
await Bun.write(Bun.stdout, JSON.stringify(answers));
// The peers' time limits would keep it alive for seconds.
process.exit(0);
