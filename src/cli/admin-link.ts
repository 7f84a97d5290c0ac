// The line to a running server (cli layer): one request at a time over its admin socket, each answered by a line of JSON.
// A server that is not there, or does not answer, is a fault with a remedy.

import { errorCode } from "./exit.ts";

/** Why there is no answer. */
export class AdminFault extends Error {
  readonly remedy: string;

  constructor(fault: string, remedy: string) {
    super(fault);
    this.remedy = remedy;
  }
}

/** A server under load answers later, but within seconds. */
const PATIENCE_MS = 10_000;

interface Answer {
  readonly status: number;
  readonly value: unknown;
}

/** What has come in, and who waits for it. */
interface Inbox {
  text: string;
  take: (line: string) => void;
  fail: () => void;
}

export class AdminLink implements Disposable {
  readonly #socket: Bun.Socket;
  readonly #inbox: Inbox;

  /** Throws an {@link AdminFault} where nobody listens. */
  static async open(path: string): Promise<AdminLink> {
    const inbox: Inbox = { text: "", take: () => undefined, fail: () => undefined };
    const decoder = new TextDecoder();
    try {
      const socket = await Bun.connect({
        unix: path,
        socket: {
          data(_socket, bytes) {
            inbox.text += decoder.decode(bytes, { stream: true });
            const end = inbox.text.indexOf("\n");
            if (end < 0) return;
            const line = inbox.text.slice(0, end);
            inbox.text = inbox.text.slice(end + 1);
            inbox.take(line);
          },
          close: () => inbox.fail(),
        },
      });
      return new AdminLink(socket, inbox);
    } catch (cause) {
      throw new AdminFault(`no server answers at ${path}: ${errorCode(cause)}`, remedyFor(cause));
    }
  }

  private constructor(socket: Bun.Socket, inbox: Inbox) {
    this.#socket = socket;
    this.#inbox = inbox;
  }

  /** Asks, such as `GET /api/v1/status`. Throws an {@link AdminFault} of whatever is no good answer. */
  async ask(request: string): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const gone = (): void => reject(new AdminFault("the server has gone", "see its log"));
    const timer = setTimeout(gone, PATIENCE_MS);
    this.#inbox.take = resolve;
    this.#inbox.fail = gone;
    this.#socket.write(`${request}\n`);
    try {
      const { status, value } = JSON.parse(await promise) as Answer;
      if (status === 200) return value;
      const { error } = value as { readonly error: string };
      const remedy =
        status === 403 ? "run it as root" : "transfers and clients print what there is";
      throw new AdminFault(`the server says: ${error}`, remedy);
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#inbox.fail = () => undefined;
    this.#socket.end();
  }
}

function remedyFor(cause: unknown): string {
  const code = errorCode(cause);
  if (code === "EACCES" || code === "EPERM")
    return "run it as root, or as a member of the server's group";
  return 'is it running, and has its configuration [status] socket = "/run/snow-owl-tftp/admin.sock"? Another one is named with --socket PATH or -c FILE';
}
