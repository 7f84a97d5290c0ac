// A client that asks a server which the test plays by hand (end-to-end tests), and the packets of that beside those of wire.ts.

import { type ClientFolder, clientFolder, type StartedClient } from "./client-rig.ts";
import { type Datagram, openPeer, type Peer } from "./wire.ts";

let folder: ClientFolder | undefined;
let peer: Peer | undefined;

/** Clears what the last {@link asked} has left. For `afterEach`. */
export function goodbye(): void {
  folder?.[Symbol.dispose]();
  peer?.close();
  folder = undefined;
  peer = undefined;
}

/** A client that asks us: the client, its folder, our socket, and its first packet. */
export async function asked(...words: readonly string[]): Promise<{
  readonly client: StartedClient;
  readonly folder: ClientFolder;
  readonly peer: Peer;
  readonly request: Datagram;
}> {
  const here = clientFolder();
  folder = here;
  const us = await openPeer();
  peer = us;
  const [command = "", ...rest] = words;
  const client = here.start(command, "-s", `127.0.0.1:${us.port}`, ...rest);
  return { client, folder: here, peer: us, request: await us.next(20_000) };
}

/** An OACK with these options. */
export function oack(...texts: readonly string[]): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(0, 6),
    Buffer.from(texts.map((text) => `${text}\0`).join("")),
  ]);
}

/** The strings of a request. */
export function strings({ bytes }: Datagram): readonly string[] {
  return Buffer.from(bytes).toString("latin1", 2).split("\0").slice(0, -1);
}
