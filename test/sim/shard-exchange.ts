// Transfers played by hand with the real shard, in virtual time: the test is every client, and reads the whole exchange as
// lines, `0.050 tid1 > a: DATA 1 512 bytes`. For what takes ports, addresses, names and files to show.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { closeFd, openRoot } from "#ffi/file.ts";
import { printPacket } from "#protocol/print.ts";

import { afterwards, temporaryFolder } from "../unit/storage/rig.ts";
import type { Datagram } from "./kernel.ts";
import { ackPacket, dataPacket, errorPacket, requestPacket } from "./packets.ts";
import { SERVICE_FD, ShardRig, type ShardRigOptions } from "./shard-rig.ts";

/** Clients, each with an address of its own, and the port 1024. */
const clients = ["a", "b", "c"] as const;
export type Client = (typeof clients)[number];

export interface ShardExchangeOptions {
  /** What the configuration has besides the folders and that uploads are allowed. */
  readonly config?: string;
  /** How many sockets transfers have; 0: those of a single port. */
  readonly transferSockets?: number;
  /** Whether several blocks go in one message. */
  readonly isSegmenting?: boolean;
  readonly readNow?: ShardRigOptions["readNow"];
  /** Whether DATA is printed with its bytes. */
  readonly showsBytes?: boolean;
  /** The last byte of the address that a client asks, where that is not 192.0.2.1. */
  readonly asks?: Partial<Record<Client, number>>;
}

/** Turns that a datagram or a timer may take: a transfer of a test has far fewer. */
const TURNS_MAX = 10_000;

/** For one test, whose `afterEach` calls `cleanUp`. */
export class ShardExchange {
  readonly rig: ShardRig;
  /** The folder that is served. */
  readonly served: string;
  readonly #uploads: string;
  readonly #options: ShardExchangeOptions;
  readonly #lines: string[] = [];
  readonly #startUs: number;
  /** By client, the socket that has answered it last. */
  readonly #answeredBy: Map<Client, number> = new Map();

  /** Serves files of these names and contents; a number is that many zeros. */
  constructor(
    files: Readonly<Record<string, string | number>>,
    options: ShardExchangeOptions = {},
  ) {
    const folder = temporaryFolder();
    this.served = join(folder, "served");
    this.#uploads = join(folder, "uploads");
    this.#options = options;
    for (const each of [this.served, this.#uploads]) mkdirSync(each);
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "number" ? new Uint8Array(content) : content;
      writeFileSync(join(this.served, name), bytes);
    }
    const { config, transferSockets = 3, asks = {}, isSegmenting = true, readNow } = options;
    this.rig = new ShardRig(opened(this.served), {
      isBatching: true,
      isSegmenting,
      transferSockets,
      ...(readNow && { readNow }),
      uploadFd: opened(this.#uploads),
      config: this.#configOf(config),
    });
    this.rig.kernel.addresses = Object.values(asks).map(localOf);
    this.#startUs = this.rig.kernel.clockUs;
  }

  /** The shard's thread dies; its successor goes by another configuration, `config` as in the options. */
  replace(config?: string): this {
    this.rig.replace(this.#configOf(config));
    return this;
  }

  /** A read request comes to the service port. */
  rrq(client: Client, name: string, asked: Asked = {}, mode = "octet"): this {
    return this.send(client, requestPacket(1, name, mode, pairs(asked)), SERVICE_FD);
  }

  /** A write request comes to the service port. */
  wrq(client: Client, name: string, asked: Asked = {}, mode = "octet"): this {
    return this.send(client, requestPacket(2, name, mode, pairs(asked)), SERVICE_FD);
  }

  /** An ACK comes to the port that has answered this client last. */
  ack(client: Client, wire: number): this {
    return this.send(client, ackPacket(wire));
  }

  /** DATA comes to the port that has answered this client last: so many zeros, or this text. */
  data(client: Client, wire: number, payload: number | string = 512): this {
    const bytes = typeof payload === "number" ? new Uint8Array(payload) : bytesOf(payload);
    return this.send(client, dataPacket(wire, bytes));
  }

  /** An ERROR comes to the port that has answered this client last. */
  error(client: Client, code: number, message: string): this {
    return this.send(client, errorPacket(code, message));
  }

  /** Any bytes come; `fd` is a socket of the server. */
  send(client: Client, bytes: Uint8Array, fd: number = this.portOf(client)): this {
    this.#arrive(client, bytes, fd);
    this.#turn();
    return this;
  }

  /** These packets lie in the server's socket when it looks. */
  sendTogether(client: Client, packets: readonly Uint8Array[]): this {
    for (const bytes of packets) this.#arrive(client, bytes, this.portOf(client));
    this.#turn();
    return this;
  }

  #arrive(client: Client, bytes: Uint8Array, fd: number): void {
    const local = this.#localFor(client);
    this.#note(`${client} > ${portName(fd, local)}`, bytes);
    this.rig.kernel.arrive({ fd, name: nameOf(client), bytes, ...(local && { local }) });
  }

  /** The socket that has answered this client last. */
  portOf(client: Client): number {
    return this.#answeredBy.get(client) ?? SERVICE_FD;
  }

  /** Time passes, and the server's timers fire as it does; what else it waits for, it finds at the end. */
  wait(milliseconds: number): this {
    const { kernel } = this.rig;
    const untilUs = kernel.clockUs + milliseconds * 1000;
    while (kernel.wakeUs <= untilUs) {
      kernel.clockUs = Math.max(kernel.clockUs, kernel.wakeUs);
      this.#turn();
    }
    kernel.clockUs = untilUs;
    this.#turn();
    return this;
  }

  /** An upload as it lies on the disk. */
  uploaded(name: string): string {
    return readFileSync(join(this.#uploads, name), "latin1");
  }

  /** The lines so far, and how the transfers that are over have ended, in that order. */
  transcript(): string {
    return [...this.#lines, ...this.rig.outcomes].join("\n");
  }

  /** Turns until nothing comes of it but waiting. */
  #turn(): void {
    const { kernel } = this.rig;
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      const { jobs } = this.rig;
      this.rig.turn();
      const sent = this.rig.taken();
      for (const datagram of sent) this.#hear(datagram);
      if (kernel.wakeUs !== -Infinity && sent.length === 0 && jobs === this.rig.jobs) return;
    }
    throw new Error("the shard does not come to rest");
  }

  #hear({ fd, name, bytes, local }: Datagram): void {
    const client = clients.find((each) => Buffer.compare(nameOf(each), name) === 0);
    if (client === undefined) throw new Error("an answer to nobody");
    this.#answeredBy.set(client, fd);
    this.#note(`${portName(fd, this.#localFor(client) && local)} > ${client}`, bytes);
  }

  #note(way: string, bytes: Uint8Array): void {
    const seconds = (this.rig.kernel.clockUs - this.#startUs) / 1e6;
    const isShown = this.#options.showsBytes === true && bytes[1] === 3;
    const shown = isShown ? ` ${JSON.stringify(Buffer.from(bytes).toString("latin1", 4))}` : "";
    this.#lines.push(`${seconds.toFixed(3)} ${way}: ${printPacket(bytes)}${shown}`);
  }

  #configOf(config: string = ""): string {
    return `
[write_config]
enabled = true
allowed_patterns = ["*"]
[uploads]
root_dir = "${this.#uploads}"
${config}`;
  }

  #localFor(client: Client): Uint8Array | undefined {
    const last = this.#options.asks?.[client];
    return last === undefined ? undefined : localOf(last);
  }
}

type Asked = Readonly<Record<string, string>>;

function pairs(asked: Asked): { readonly name: string; readonly value: string }[] {
  return Object.entries(asked).map(([name, value]) => ({ name, value }));
}

/** `69`, or `tid1` and so on; with the address if that is told. */
function portName(fd: number, local: Uint8Array | undefined): string {
  const port = fd === SERVICE_FD ? "69" : `tid${fd - SERVICE_FD}`;
  return local === undefined ? port : `${local.join(".")}:${port}`;
}

/** 192.0.2.0/24. */
function localOf(last: number): Uint8Array {
  return Uint8Array.of(192, 0, 2, last);
}

/** A raw sockaddr_in: 198.51.100.1 and so on, port 1024. */
function nameOf(client: Client): Uint8Array {
  const last = clients.indexOf(client) + 1;
  return Uint8Array.of(2, 0, 4, 0, 198, 51, 100, last, 0, 0, 0, 0, 0, 0, 0, 0);
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function opened(folder: string): number {
  const fd = openRoot(folder);
  afterwards(() => closeFd(fd));
  return fd;
}
