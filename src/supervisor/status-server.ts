// The web server that shows what the server does (supervisor layer): pages for programs and the API. It changes nothing unless that
// is allowed. It stands beside the shards, in the main thread; whatever is asked of it, no transfer waits.

import { createHash, timingSafeEqual } from "node:crypto";

import type { ListenAddress } from "#config/address.ts";
import { hostFiles } from "#config/files.ts";
import type { StatusSettings } from "#config/settings-status.ts";
import { readTls, type TlsTexts } from "#config/tls.ts";
import type { StartFault } from "#io/start.ts";

import { answer, API, type ApiSource, fault, type Route, routeOf } from "./api.ts";
import { CONTENT_TYPES, type Format, formatFor } from "./exposition.ts";
import { openApi } from "./openapi.ts";
import { pageFiles } from "./page-files.ts";
import { readSecret } from "./secret-file.ts";

/** What it shows. */
export interface StatusPages {
  readonly version: string;
  readonly metrics: (format: Format) => string;
  /** Why the server takes no new requests; empty if it does. */
  readonly unready: () => string;
  /** Somebody came without the token, or with another. */
  readonly refused: (address: string) => void;
  /** What the API answers from; undefined until the server has come so far. */
  readonly source: () => ApiSource | undefined;
  /** The streams of the API; undefined where too many listen. */
  readonly live: () => ReadableStream<Uint8Array> | undefined;
  readonly events: () => ReadableStream<Uint8Array> | undefined;
}

/** No request has a body. */
const BODY_BYTES_MAX = 1024;

/** Begins to answer, beside another server if there is one; undefined where no web server is wanted. */
export function startStatus(
  settings: StatusSettings,
  pages: StatusPages,
  isAfterAnother: boolean,
): StatusServer | StartFault | undefined {
  if (settings.listen === undefined) return undefined;
  const access = readAccess(settings);
  if ("fault" in access) return access;
  try {
    if (!isAfterAnother) probePort(settings.listen);
    return new StatusServer(settings, settings.listen, access, pages);
  } catch (cause) {
    return listenFault(settings.listen, cause);
  }
}

/** Throws if somebody has it: with SO_REUSEPORT a forgotten server of the same user would get every other request. */
function probePort({ address: hostname, port }: ListenAddress): void {
  void Bun.serve({ hostname, port, fetch: () => plain(503, "starting") }).stop(true);
}

/** What is read from files: whom it answers, and how it speaks. */
interface Access {
  /** Undefined: no token is asked for. */
  readonly token: string | undefined;
  /** Undefined: it speaks HTTP. */
  readonly tls: TlsTexts | undefined;
}

export class StatusServer {
  readonly #pages: StatusPages;
  readonly #listen: ListenAddress;
  #server: Bun.Server<undefined>;
  #access: Access;
  #tokenHash: Uint8Array | undefined;
  #mayChange: boolean;

  /** Throws the system's error where it cannot listen. */
  constructor(
    { mayChange }: StatusSettings,
    listen: ListenAddress,
    access: Access,
    pages: StatusPages,
  ) {
    this.#pages = pages;
    this.#listen = listen;
    this.#mayChange = mayChange;
    this.#access = access;
    this.#tokenHash = hashOf(access.token);
    this.#server = this.#serve(access);
  }

  /** Asks for what the files hold now. Returns a fault, and changes nothing, if they hold nothing fit. */
  reload(settings: StatusSettings): StartFault | undefined {
    const access = readAccess(settings);
    if ("fault" in access) return access;
    const fault = isSameTls(access, this.#access) ? undefined : this.#serveAnew(access);
    if (fault !== undefined) return fault;
    this.#access = access;
    this.#tokenHash = hashOf(access.token);
    this.#mayChange = settings.mayChange;
    return undefined;
  }

  /** Another server listens there: this one takes no new connections, and answers those that it has. */
  leave(): void {
    void this.#server.stop(false);
  }

  /** Answers nothing any more. */
  stop(): void {
    void this.#server.stop(true);
  }

  #serve({ tls }: Access): Bun.Server<undefined> {
    const { address, port } = this.#listen;
    return Bun.serve({
      hostname: address,
      port,
      // For the moment in which one server takes over from another.
      reusePort: true,
      development: false,
      maxRequestBodySize: BODY_BYTES_MAX,
      ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
      fetch: (request) => this.#answer(request),
      error: () => plain(500, "this is a bug in snow-owl-tftp"),
    });
  }

  /** A web server of Bun keeps its certificate, so that another takes its place, and whoever listens to a stream comes again. */
  #serveAnew(access: Access): StartFault | undefined {
    void this.#server.stop(true);
    try {
      this.#server = this.#serve(access);
      return undefined;
    } catch (cause) {
      this.#server = this.#serve(this.#access);
      return listenFault(this.#listen, cause);
    }
  }

  #answer(request: Request): Response {
    const url = new URL(request.url);
    const page = staticPages.get(url.pathname);
    const found = page === undefined ? routeOf(request.method, url.pathname) : undefined;
    if (page === undefined && found === undefined) return plain(404, "there is no such page");
    if (page?.isOpen !== true) {
      const refusal = this.#refusal(request);
      if (refusal !== undefined) return refusal;
    }
    if (found === "other method") return plain(405, "not with this method");
    if (found !== undefined) return this.#answerApi(request, url, found.route, found.part);
    if (page === undefined || !isReading(request)) {
      return plain(405, "only GET is answered", { Allow: "GET, HEAD" });
    }
    return page.answer(this.#pages, request);
  }

  #answerApi(request: Request, url: URL, route: Route, part: string): Response {
    if (route.method === "POST" && !this.#mayChange) {
      return json(403, { error: "nothing may be changed here: see status.allow_changes" });
    }
    if (route.answer === "live" || route.answer === "events") {
      return this.#stream(request, route.answer);
    }
    const source = this.#pages.source();
    const { status, value } =
      source === undefined
        ? fault(503, "the server is starting")
        : answer(source, route, part, url.searchParams);
    return json(status, value);
  }

  #stream(request: Request, which: "live" | "events"): Response {
    const headers = { "Content-Type": "text/event-stream" };
    if (request.method === "HEAD") return respond(200, "", headers);
    const body = this.#pages[which]();
    if (body === undefined) return json(503, { error: "too many listen already" });
    return respond(200, body, headers);
  }

  #refusal(request: Request): Response | undefined {
    if (this.#tokenHash === undefined) {
      if (this.#access.tls?.clientCa !== undefined) {
        // A browser shows its certificate whichever page has it ask.
        return isOwnOrigin(request) ? undefined : plain(403, "not for pages of others");
      }
      // A page of the web can lead its visitor's browser here by a name of its own (DNS rebinding).
      return isOwnName(request) ? undefined : plain(403, "ask by address, or as localhost");
    }
    const shown = /^Bearer +(?<token>\S+)$/i.exec(request.headers.get("authorization") ?? "");
    const token = shown?.groups?.["token"] ?? "";
    // Of equal length and compared in constant time, whatever was shown.
    if (timingSafeEqual(sha256(token), this.#tokenHash)) return undefined;
    this.#pages.refused(this.#server.requestIP(request)?.address ?? "");
    return plain(401, "show the token", { "WWW-Authenticate": 'Bearer realm="snow-owl-tftp"' });
  }
}

interface Page {
  /** Whether everybody may see it. */
  readonly isOpen: boolean;
  readonly answer: (pages: StatusPages, request: Request) => Response;
}

const staticPages: ReadonlyMap<string, Page> = new Map([
  ["/healthz", { isOpen: true, answer: () => plain(200, "ok") }],
  ["/readyz", { isOpen: true, answer: readiness }],
  ["/metrics", { isOpen: false, answer: metrics }],
  ...[...pageFiles].map(([path, { text, headers }]): [string, Page] => [
    path,
    { isOpen: true, answer: () => respond(200, text, headers) },
  ]),
  [`${API}/openapi.json`, { isOpen: true, answer: ({ version }) => json(200, openApi(version)) }],
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

function json(status: number, value: unknown): Response {
  return respond(status, JSON.stringify(value), { "Content-Type": "application/json" });
}

function respond(
  status: number,
  body: string | ReadableStream<Uint8Array>,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, {
    status,
    headers: { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", ...headers },
  });
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

/** Whether the request names this server by an address or as localhost. */
function isOwnName(request: Request): boolean {
  const { hostname } = new URL(request.url);
  return /^(?:\[.*\]|[\d.]+|localhost)$/.test(hostname);
}

/** Whether no page asks, or one of this server. */
function isOwnOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  return origin === null || URL.parse(origin)?.host === new URL(request.url).host;
}

function readAccess({ tokenFile, tls: places }: StatusSettings): Access | StartFault {
  const token = tokenFile === undefined ? undefined : readSecret(tokenFile, "the token file");
  if (typeof token === "object") return token;
  const tls = places === undefined ? undefined : readTls(places, hostFiles);
  if (tls !== undefined && "message" in tls) return { fault: tls.message, remedy: tls.remedy };
  return { token, tls };
}

function isSameTls(one: Access, other: Access): boolean {
  return JSON.stringify(one.tls) === JSON.stringify(other.tls);
}

/** A client whose certificate is missing, strange or over is not answered at all. */
function tlsOptions({ certificate, key, clientCa }: TlsTexts): Bun.TLSOptions {
  const pair = { cert: certificate, key };
  if (clientCa === undefined) return pair;
  return { ...pair, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

function listenFault({ address, port }: ListenAddress, cause: unknown): StartFault {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return {
    fault: `the web server for status cannot listen on ${address} port ${port}: ${code}`,
    remedy: 'choose another status.bind_addr, or none with bind_addr = ""',
  };
}

function hashOf(token: string | undefined): Uint8Array | undefined {
  return token === undefined ? undefined : sha256(token);
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
