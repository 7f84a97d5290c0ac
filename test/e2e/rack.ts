// A rack that boots (end-to-end tests): clients on addresses of their own in 127.0.0.0/8, each asking as PXELINUX does: a program,
// names that are not there, a menu, a kernel, an initial RAM disk. Who fails is chosen.

import { bytesOf } from "./bytes.ts";
import type { Server } from "./server.ts";
import { ack, type Datagram, openPeer, type Peer, readRequest } from "./wire.ts";

export const KERNEL_BYTES = 300_000;

/** Files of a boot, as {@link boot} asks for them. */
export function fillRack(server: Server): void {
  server.put("pxelinux.0", bytesOf(42_000, 1));
  server.put("pxelinux.cfg/default", "DEFAULT linux\n");
  server.put("images/vmlinuz", bytesOf(KERNEL_BYTES, 2));
  server.put("images/initrd.img", bytesOf(KERNEL_BYTES, 3));
}

/** What becomes of a client. `slow`: it is still at its last file when the others are done, until `isOver`. */
export type Fate = "boots" | "stops in its kernel" | "misses its initrd" | "slow";

/** Boots the client at `address`. Resolves when it is done, or goes no further. */
export async function boot(
  server: Server,
  address: string,
  fate: Fate,
  isOver: () => boolean,
): Promise<void> {
  await fetchFile(server, address, "pxelinux.0");
  await fetchFile(server, address, "pxelinux.cfg/01-52-54-00-12-34-56");
  await fetchFile(server, address, "pxelinux.cfg/7F000001");
  await fetchFile(server, address, "pxelinux.cfg/default");
  const stopAfter = fate === "stops in its kernel" ? 64 : Infinity;
  await fetchFile(server, address, "images/vmlinuz", { stopAfter });
  if (fate === "stops in its kernel") return;
  const name = fate === "misses its initrd" ? "images/initrd-node17.img" : "images/initrd.img";
  const pause = async (): Promise<void> => {
    if (fate === "slow" && !isOver()) await Bun.sleep(400);
  };
  await fetchFile(server, address, name, { pause });
}

interface Pace {
  /** Blocks after which it falls silent. */
  readonly stopAfter?: number;
  /** Before each ACK. */
  readonly pause?: () => Promise<void>;
}

const BLOCK_BYTES = 1428;
const WINDOW = 4;

async function fetchFile(
  { port }: Server,
  from: string,
  name: string,
  { stopAfter = Infinity, pause }: Pace = {},
): Promise<void> {
  using peer = await openPeer("127.0.0.1", from);
  const options = [
    ["tsize", 0],
    ["blksize", BLOCK_BYTES],
    ["windowsize", WINDOW],
  ] as const;
  const asked = await answerTo(peer, readRequest(name, options), port);
  if (asked.text.startsWith("ERROR")) return;
  peer.send(ack(0), asked.port);
  for (let next = 1; ;) {
    const { bytes, text } = await peer.next(30_000);
    const block = Number(/^DATA (\d+) /.exec(text)?.[1] ?? 0);
    // What comes again or too early on a machine that is busy is acknowledged as far as the file has come.
    const isNext = block === next;
    if (isNext) next += 1;
    const isLast = isNext && bytes.length < BLOCK_BYTES + 4;
    if (isNext && !isLast && block % WINDOW !== 0) continue;
    if (block >= stopAfter) return;
    if (isNext) await pause?.();
    peer.send(ack(next - 1), asked.port);
    if (isLast) return;
  }
}

/** Asks again each second until there is an answer. */
async function answerTo(peer: Peer, request: Uint8Array, port: number): Promise<Datagram> {
  for (let tries = 0; tries < 30; tries += 1) {
    peer.send(request, port);
    try {
      return await peer.next(1000);
    } catch {
      // It is a busy machine.
    }
  }
  throw new Error("the server does not answer");
}
