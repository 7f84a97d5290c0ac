// Run by failures.test.ts inside a network namespace: fetches a file with a pause before each ACK, as stubborn as
// a boot ROM that has all day, and prints how many bytes came. What its own kernel refuses to send, it sends again.

import { ack, type Datagram, openPeer, payload, readRequest } from "./wire.ts";

const [portText = "", host = "", name = "", pauseMs = "0", blksize = "512"] = process.argv.slice(2);
const port = Number(portText);
const options = blksize === "512" ? [] : ([["blksize", blksize]] as const);
using peer = await openPeer(host);

let from = port;
let say: Uint8Array = readRequest(name, options);
let blocks = 0;
let bytes = 0;
for (let silences = 0; silences < 600;) {
  const datagram = await heard();
  if (datagram === undefined) {
    silences += 1;
    send();
    continue;
  }
  if (datagram.text.startsWith("ERROR")) break;
  if (datagram.text.startsWith("OACK") && blocks === 0) {
    from = datagram.port;
    say = ack(0);
    send();
  }
  if (datagram.text !== `DATA ${blocks + 1} ${payload(datagram).length}`) continue;
  blocks += 1;
  bytes += payload(datagram).length;
  from = datagram.port;
  say = ack(blocks);
  await Bun.sleep(Number(pauseMs));
  send();
  if (payload(datagram).length < Number(blksize)) break;
}
await Bun.write(Bun.stdout, `${bytes} bytes`);
// The peers' time limits would keep it alive for seconds.
process.exit(0);

function send(): void {
  try {
    peer.send(say, from, host);
  } catch {
    // As if it had been lost on the way.
  }
}

async function heard(): Promise<Datagram | undefined> {
  try {
    return await peer.next(100);
  } catch {
    return undefined;
  }
}
