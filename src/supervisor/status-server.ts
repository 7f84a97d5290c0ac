// The web server that shows what the server does (supervisor layer): a few pages for programs, read-only. It stands beside the
// shards, in the main thread; whatever is asked of it, no transfer waits.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

import type { StatusSettings } from "#config/settings-status.ts";
import type { StartFault } from "#io/start.ts";

import { CONTENT_TYPES, type Format, formatFor } from "./exposition.ts";

/** What it shows. */
export interface StatusPages {
  readonly metrics: (format: Format) => string;
  /** Why the server takes no new requests; empty if it does. */
  readonly unready: () => string;
  /** Somebody came without the token, or with another. */
  readonly refused: (address: string) => void;
}

/** Shorter secrets can be guessed. */
const TOKEN_CHARACTERS_MIN = 16;
/** No request has a body. */
const BODY_BYTES_MAX = 1024;

/** Begins to answer; undefined where no web server is wanted. */
export function startStatus(
  settings: StatusSettings,
  pages: StatusPages,
): StatusServer | StartFault | undefined {
  if (settings.listen === undefined) return undefined;
  const token = readToken(settings);
  if (typeof token !== "string" && token !== undefined) return token;
  const { address, port } = settings.listen;
  try {
    return new StatusServer(address, port, token, pages);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return {
      fault: `the web server for status cannot listen on ${address} port ${port}: ${code}`,
      remedy: 'choose another status.bind_addr, or none with bind_addr = ""',
    };
  }
}

export class StatusServer {
  readonly #pages: StatusPages;
  readonly #server: Bun.Server<undefined>;
  #tokenHash: Uint8Array | undefined;

  /** Throws the system's error where it cannot listen. */
  constructor(address: string, port: number, token: string | undefined, pages: StatusPages) {
    this.#pages = pages;
    this.#tokenHash = token === undefined ? undefined : hashOf(token);
    this.#server = Bun.serve({
      hostname: address,
      port,
      development: false,
      maxRequestBodySize: BODY_BYTES_MAX,
      fetch: (request) => this.#answer(request),
      error: () => plain(500, "this is a bug in snow-owl-tftp"),
    });
  }

  /** Asks for the secret that the file holds now. Returns a fault, and changes nothing, if it holds none. */
  reload(settings: StatusSettings): StartFault | undefined {
    const token = readToken(settings);
    if (typeof token !== "string" && token !== undefined) return token;
    this.#tokenHash = token === undefined ? undefined : hashOf(token);
    return undefined;
  }

  /** Answers nothing any more. */
  stop(): void {
    void this.#server.stop(true);
  }

  #answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const page = routes.get(pathname);
    if (page === undefined) return plain(404, "there is no such page");
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, "only GET is answered", { Allow: "GET, HEAD" });
    }
    if (!page.isOpen) {
      const refusal = this.#refusal(request);
      if (refusal !== undefined) return refusal;
    }
    return page.answer(this.#pages, request);
  }

  #refusal(request: Request): Response | undefined {
    if (this.#tokenHash === undefined) {
      // A page of the web can lead its visitor's browser here by a name of its own (DNS rebinding).
      return isOwnName(request) ? undefined : plain(403, "ask by address, or as localhost");
    }
    const shown = /^Bearer +(?<token>\S+)$/i.exec(request.headers.get("authorization") ?? "");
    const token = shown?.groups?.["token"] ?? "";
    // Of equal length and compared in constant time, whatever was shown.
    if (timingSafeEqual(hashOf(token), this.#tokenHash)) return undefined;
    this.#pages.refused(this.#server.requestIP(request)?.address ?? "");
    return plain(401, "show the token", { "WWW-Authenticate": 'Bearer realm="snow-owl-tftp"' });
  }
}

interface Page {
  /** Whether everybody may see it. */
  readonly isOpen: boolean;
  readonly answer: (pages: StatusPages, request: Request) => Response;
}

const routes: ReadonlyMap<string, Page> = new Map([
  ["/healthz", { isOpen: true, answer: () => plain(200, "ok") }],
  ["/readyz", { isOpen: true, answer: readiness }],
  ["/metrics", { isOpen: false, answer: metrics }],
]);

function readiness({ unready }: StatusPages): Response {
  const because = unready();
  return because === "" ? plain(200, "ready") : plain(503, because);
}

function metrics(pages: StatusPages, request: Request): Response {
  const format = formatFor(request.headers.get("accept") ?? "");
  return respond(200, pages.metrics(format), { "Content-Type": CONTENT_TYPES[format] });
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return respond(status, `${text}\n`, { "Content-Type": "text/plain; charset=utf-8", ...headers });
}

function respond(status: number, body: string, headers: Record<string, string>): Response {
  return new Response(body, {
    status,
    headers: { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", ...headers },
  });
}

/** Whether the request names this server by an address or as localhost. */
function isOwnName(request: Request): boolean {
  const { hostname } = new URL(request.url);
  return /^(?:\[.*\]|[\d.]+|localhost)$/.test(hostname);
}

/** The secret; undefined where none is asked for. */
function readToken({ tokenFile }: StatusSettings): string | undefined | StartFault {
  if (tokenFile === undefined) return undefined;
  const remedy = "write a secret of 16 characters or more into it, readable for this user";
  let text: string;
  try {
    text = readFileSync(tokenFile, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return { fault: `cannot read the token file ${tokenFile}: ${code}`, remedy };
  }
  const token = text.split("\n")[0]?.trim() ?? "";
  if (token.length >= TOKEN_CHARACTERS_MIN && !/\s/.test(token)) return token;
  return { fault: `the first line of ${tokenFile} is no secret that is long enough`, remedy };
}

function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
