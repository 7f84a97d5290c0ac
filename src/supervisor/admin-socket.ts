// The admin socket (supervisor layer): the API for who is on this machine, without a port or a secret. A line in is a request
// (`GET /api/v1/status`), a line out its answer in JSON. The kernel says who asks: whoever may open the socket may look, and
// root and the server's own user may act.

import { chmodSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";

import { credentialsOf } from "#io/credentials.ts";
import type { StartFault } from "#io/start.ts";

import { type Answer, answer, type ApiSource, fault, routeOf } from "./api.ts";

/** Who has connected; see unix(7). */
export type Administrator = NonNullable<ReturnType<typeof credentialsOf>>;

/** What is answered from, and who is told of what was done. */
export interface AdminPages {
  readonly source: () => ApiSource | undefined;
  readonly acted: (who: Administrator, request: string) => void;
}

/** A request is a method and a path. */
const LINE_BYTES_MAX = 4096;
/** Connections at a time; a guess at how many look at once. */
const CONNECTIONS_MAX = 64;
/** Answers that a client has not read yet; then it is cut off. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

interface Connection {
  readonly who: Administrator | undefined;
  /** What came of a line that has not ended. */
  line: string;
  /** What the kernel would not take yet. */
  unsent: Buffer;
}

/** Begins to listen at `path`; what comes after another server is not to be found there before it is published. */
export async function openAdminSocket(
  path: string,
  pages: AdminPages,
  isAfterAnother: boolean,
): Promise<AdminSocket | StartFault> {
  const remedy = "choose another status.socket; its folder must be there, and be writable";
  try {
    if (!isAfterAnother && (await isAnswered(path))) {
      return {
        fault: `another server listens at ${path}`,
        remedy: "stop it, or choose another status.socket",
      };
    }
    const socket = new AdminSocket(path, pages);
    if (!isAfterAnother) socket.publish();
    return socket;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return { fault: `cannot listen at ${path}: ${code}`, remedy };
  }
}

/** Whether somebody listens there. What a server has left behind that has gone is removed. */
async function isAnswered(path: string): Promise<boolean> {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  try {
    const connection = await Bun.connect({ unix: path, socket: { data() {} } });
    connection.end();
    return true;
  } catch {
    unlinkSync(path);
    return false;
  }
}

export class AdminSocket {
  readonly #path: string;
  readonly #pages: AdminPages;
  readonly #listener: Bun.UnixSocketListener<Connection>;
  /** Where it is before it is published: in the same folder, for it is renamed. */
  readonly #draft: string;
  #connections = 0;
  #isPublished = false;
  #isTaken = false;

  /** Listens, where nobody finds it yet. Throws the system's error where it cannot. */
  constructor(path: string, pages: AdminPages) {
    this.#path = path;
    this.#draft = `${path}.${process.pid}`;
    this.#pages = pages;
    // A killed server of the same number may have left it.
    rmSync(this.#draft, { force: true });
    // Others may not open it for the moment before its mode is set.
    const umask = process.umask(0o177);
    try {
      this.#listener = Bun.listen<Connection>({
        unix: this.#draft,
        socket: {
          open: (socket) => this.#open(socket),
          data: (socket, bytes) => this.#hear(socket, bytes),
          drain: (socket) => this.#send(socket, Buffer.alloc(0)),
          close: () => void (this.#connections -= 1),
        },
      });
    } finally {
      process.umask(umask);
    }
    chmodSync(this.#draft, 0o660);
  }

  /** Takes the path, from another server if need be: whoever connects finds one or the other. */
  publish(): void {
    renameSync(this.#draft, this.#path);
    this.#isPublished = true;
  }

  /** The path is another server's, so that nobody new comes: who has come already is answered. */
  leave(): void {
    this.#isTaken = true;
  }

  stop(): void {
    this.#listener.stop(true);
    if (this.#isTaken) return;
    try {
      unlinkSync(this.#isPublished ? this.#path : this.#draft);
    } catch {
      // Bun has done so, or the server's user may not: the next start does.
    }
  }

  #open(socket: Bun.Socket<Connection>): void {
    this.#connections += 1;
    socket.data = { who: credentialsOf(fdOf(socket)), line: "", unsent: Buffer.alloc(0) };
    if (this.#connections > CONNECTIONS_MAX || socket.data.who === undefined) socket.terminate();
  }

  #hear(socket: Bun.Socket<Connection>, bytes: Buffer): void {
    const { data } = socket;
    const lines = `${data.line}${bytes.toString("utf8")}`.split("\n");
    data.line = lines.pop() ?? "";
    if (data.line.length > LINE_BYTES_MAX) socket.terminate();
    for (const line of lines) {
      const said = JSON.stringify(this.#answer(data.who, line.trim()));
      this.#send(socket, Buffer.from(`${said}\n`));
    }
  }

  #send(socket: Bun.Socket<Connection>, bytes: Buffer): void {
    const all = Buffer.concat([socket.data.unsent, bytes]);
    const sent = Math.max(0, socket.write(all));
    socket.data.unsent = all.subarray(sent);
    if (socket.data.unsent.length > UNREAD_BYTES_MAX) socket.terminate();
  }

  #answer(who: Administrator | undefined, line: string): Answer {
    const [method = "", target = ""] = line.split(" ");
    const [path = "", query = ""] = target.split("?");
    const found = routeOf(method, path);
    if (found === undefined) return fault(404, "there is no such page");
    if (found === "other method") return fault(405, "not with this method");
    const { route, part } = found;
    if (route.read === undefined)
      return fault(501, "streams are for the web server; ask again instead");
    const source = this.#pages.source();
    if (source === undefined || who === undefined) return fault(503, "the server is starting");
    if (route.method === "POST") {
      if (!mayAct(who)) return fault(403, "only root and the server's own user may do this");
      this.#pages.acted(who, line);
    }
    return answer(source, route, part, new URLSearchParams(query));
  }
}

/** Bun's sockets have it, though its types do not say so. */
function fdOf(socket: Bun.Socket<Connection>): number {
  const { fd } = socket as unknown as { readonly fd?: number };
  return fd ?? -1;
}

function mayAct({ uid }: Administrator): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
