// The table of routes and what is made of it: paths are found, the document names all of them, and streams leave nobody waiting.

import { expect, test } from "bun:test";

import { shapes } from "#supervisor/api-shapes.ts";
import { routeOf, routes } from "#supervisor/api.ts";
import { openApi } from "#supervisor/openapi.ts";
import { Stream } from "#supervisor/streams.ts";

test("paths are found, whatever their parts are", () => {
  expect(found("GET", "/api/v1/clients")).toEqual(["/api/v1/clients", ""]);
  expect(found("HEAD", "/api/v1/clients")).toEqual(["/api/v1/clients", ""]);
  const one = "/api/v1/clients/{address}";
  expect(found("GET", "/api/v1/clients/fe80%3A%3A1%25eth0")).toEqual([one, "fe80::1%eth0"]);
  expect(found("GET", "/api/v1/clients/::1")).toEqual([one, "::1"]);
  expect(found("GET", "/api/v1/clients/")).toBeUndefined();
  expect(found("GET", "/api/v1/clients/%E0%A4%A")).toBeUndefined();
  expect(found("GET", "/api/v1/clients/a/b")).toBeUndefined();
  expect(found("POST", "/api/v1/clients")).toBe("other method");
  expect(found("GET", "/api/v1/transfers/7/kill")).toBe("other method");
  expect(found("POST", "/api/v1/transfers/7/kill")).toEqual(["/api/v1/transfers/{id}/kill", "7"]);
});

test("the document has every route once, and every shape that is named", () => {
  const document = JSON.stringify(openApi("1.2.3"));
  for (const { path } of routes) expect(document).toContain(`${JSON.stringify(path)}:`);
  for (const { about } of routes) expect(document).toContain(JSON.stringify(about));
  const ids = document.match(/"operationId":"\w+"/g) ?? [];
  expect(ids).toHaveLength(routes.length);
  expect(new Set(ids).size).toBe(routes.length);
  const named = document.match(/(?<="#\/components\/schemas\/)\w+/g) ?? [];
  const known = new Set([...Object.keys(shapes), "accepted", "error"]);
  expect(new Set(named).isSubsetOf(known)).toBe(true);
  // Nothing is described that nobody answers.
  expect(known.difference(new Set(named))).toEqual(new Set());
});

test("a reader that is behind misses events, and is told how many", async () => {
  const stream = new Stream();
  const body = stream.open();
  const large = "x".repeat(3 * 1024 * 1024);
  for (let times = 0; times < 4; times += 1) stream.send("big", large);
  const reader = body?.getReader();
  const next = async (): Promise<string> =>
    new TextDecoder().decode((await reader?.read())?.value).slice(0, 40);
  expect(await next()).toBe(": welcome\n\n");
  expect(await next()).toStartWith("event: big\ndata: ");
  stream.send("small", 1);
  expect(await next()).toBe('event: missed\ndata: {"events":3}\n\n');
  expect(await next()).toBe("event: small\ndata: 1\n\n");
  await reader?.cancel();
  expect(stream.hasReaders).toBe(false);
});

test("there are only so many readers", () => {
  const stream = new Stream();
  const bodies = Array.from({ length: 33 }, () => stream.open());
  expect(bodies.filter((body) => body === undefined)).toHaveLength(1);
  stream.close();
  expect(stream.open()).toBeDefined();
});

function found(method: string, path: string): unknown {
  const route = routeOf(method, path);
  return typeof route === "object" ? [route.route.path, route.part] : route;
}
