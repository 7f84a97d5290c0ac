// Who is answered what by the web server for status: tokens, names, methods; and a server that cannot begin says why.

import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { StatusSettings } from "#config/settings-status.ts";
import { startStatus, type StatusPages, StatusServer } from "#supervisor/status-server.ts";

const TOKEN = "a-secret-of-some-length";
const running: StatusServer[] = [];
const refused: string[] = [];
let unready = "";

afterEach(() => {
  for (const server of running.splice(0)) server.stop();
  refused.length = 0;
  unready = "";
});

test("without a token it answers whoever asks by address", async () => {
  const url = await start();
  expect(await ask(`${url}/metrics`)).toEqual([200, "page in text\n"]);
  const accept = { Accept: "application/openmetrics-text" };
  expect(await ask(`${url}/metrics`, accept)).toEqual([200, "page in openmetrics\n"]);
  expect(await ask(`${url}/metrics`, { Host: "localhost:1" })).toEqual([200, "page in text\n"]);
  expect((await ask(`${url}/metrics`, { Host: "rebound.example" }))[0]).toBe(403);
  expect((await ask(`${url}/nothing`))[0]).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: "POST", body: "x" })).status).toBe(405);
});

test("with one it answers whoever shows it, and tells of others", async () => {
  using file = secret(`${TOKEN}\nmore\n`);
  const url = await start(file.path);
  const shown = { Authorization: `Bearer ${TOKEN}`, Host: "by.any.name" };
  expect(await ask(`${url}/metrics`, shown)).toEqual([200, "page in text\n"]);
  expect(refused).toEqual([]);
  const others = [{}, { Authorization: `Bearer ${TOKEN}x` }, { Authorization: `Basic ${TOKEN}` }];
  for (const headers of others) expect((await ask(`${url}/metrics`, headers))[0]).toBe(401);
  expect(refused).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
});

test("a reload brings another token, and one that is none changes nothing", async () => {
  using file = secret(TOKEN);
  const url = await start(file.path);
  const server = running[0];
  const other = "another-secret-of-some-length";
  writeFileSync(file.path, other);
  expect(server?.reload(settingsFor(1, file.path))).toBeUndefined();
  expect((await ask(`${url}/metrics`, { Authorization: `Bearer ${TOKEN}` }))[0]).toBe(401);
  writeFileSync(file.path, "short");
  expect(server?.reload(settingsFor(1, file.path))?.fault).toContain("no secret");
  rmSync(file.path);
  expect(server?.reload(settingsFor(1, file.path))?.fault).toContain("ENOENT");
  expect((await ask(`${url}/metrics`, { Authorization: `Bearer ${other}` }))[0]).toBe(200);
});

test("health and readiness are for everybody", async () => {
  using file = secret(TOKEN);
  const url = await start(file.path);
  expect(await ask(`${url}/healthz`)).toEqual([200, "ok\n"]);
  expect(await ask(`${url}/readyz`)).toEqual([200, "ready\n"]);
  unready = "starting";
  expect(await ask(`${url}/readyz`)).toEqual([503, "starting\n"]);
  expect(await ask(`${url}/healthz`)).toEqual([200, "ok\n"]);
});

test("the page is for everybody, and may fetch nothing from elsewhere", async () => {
  using file = secret(TOKEN);
  const url = await start(file.path);
  const page = await fetch(`${url}/`);
  expect(page.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("Content-Security-Policy")).toStartWith(
    "default-src 'none'; script-src 'self'",
  );
  const html = await page.text();
  for (const [, path = ""] of html.matchAll(/(?:src|href)="([^":]+)"/g)) {
    expect([path, (await fetch(`${url}/${path}`)).status]).toEqual([path, 200]);
  }
  expect(html).not.toMatch(/https?:/);
});

test("a port that is taken is a fault with a remedy, and an empty address is no server", async () => {
  const { port, close } = await takenPort();
  const started = startStatus(settingsFor(port), pages, false);
  close();
  expect(started).toMatchObject({ fault: expect.stringContaining("EADDRINUSE") as string });
  expect(startStatus({ ...settingsFor(1), listen: undefined }, pages, false)).toBeUndefined();
});

const pages: StatusPages = {
  version: "1.2.3",
  metrics: (format: string) => `page in ${format}\n`,
  unready: () => unready,
  refused: (address: string) => void refused.push(address),
  source: () => undefined,
  live: () => undefined,
  events: () => undefined,
};

function settingsFor(port: number, tokenFile?: string): StatusSettings {
  return {
    listen: { address: "127.0.0.1", port },
    socket: undefined,
    tokenFile,
    tls: undefined,
    mayChange: false,
    clientsMax: 1,
    clientAddressesMax: 1,
    hasSnowOwlNames: false,
  };
}

/** A server on a port that was free a moment ago. */
async function start(tokenFile?: string): Promise<string> {
  const { port, close } = await takenPort();
  close();
  const server = startStatus(settingsFor(port, tokenFile), pages, false);
  if (!(server instanceof StatusServer)) throw new Error(server?.fault);
  running.push(server);
  return `http://127.0.0.1:${port}`;
}

async function ask(
  url: string,
  headers: Record<string, string> = {},
): Promise<readonly [number, string]> {
  const response = await fetch(url, { headers });
  return [response.status, await response.text()];
}

async function takenPort(): Promise<{ readonly port: number; readonly close: () => void }> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, close: () => server.close() };
}

function secret(text: string): Disposable & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-status-"));
  const path = join(folder, "token");
  writeFileSync(path, text);
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
