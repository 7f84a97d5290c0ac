// The API of the executable: what it answers is what its own document promises, a boot is told step by step, a transfer is seen
// on its way and ended, and streams tell of it.

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { bytesOf } from "./bytes.ts";
import { curl, run, testWith } from "./clients.ts";
import { temporaryFolder, until } from "./server.ts";
import { startWatched, type Watched } from "./watched.ts";
import { ack, openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(60_000);

const API = "/api/v1";

testWith([curl], "every answer is as the OpenAPI document says", async () => {
  await using watched = await startWatched();
  const { server } = watched;
  server.put("file", bytesOf(300_000, 5));
  await run(curl, { port: server.port, name: "file" });
  await run(curl, { port: server.port, name: "missing" });
  using peer = await openPeer();
  peer.send(readRequest("file"), server.port);
  await peer.next();
  await untilAnswer(watched, "/transfers", ({ total }) => total === 1);
  const document = await ask(watched, "/openapi.json");
  const paths = document["paths"] as Record<string, Record<string, Operation>>;
  let checked = 0;
  for (const [path, operations] of Object.entries(paths)) {
    const content = operations["get"]?.responses["200"].content["application/json"];
    if (content === undefined) continue;
    const answer = await ask(watched, path.slice(API.length).replace("{address}", "127.0.0.1"));
    expect([path, faultsOf(answer, content.schema, document, "")]).toEqual([path, []]);
    checked += 1;
  }
  expect(checked).toBeGreaterThanOrEqual(10);
});

testWith([curl], "a boot is told step by step, misses included", async () => {
  await using watched = await startWatched();
  const { server } = watched;
  server.put("pxelinux.0", bytesOf(30_000, 5));
  await run(curl, { port: server.port, name: "pxelinux.0" });
  for (let times = 0; times < 3; times += 1) {
    await run(curl, { port: server.port, name: "pxelinux.cfg/default" });
  }
  const boot = await untilAnswer(watched, "/clients/127.0.0.1", ({ steps }) =>
    (steps as Step[]).some(({ file, times }) => file.startsWith("pxelinux.cfg") && times === 3),
  );
  const steps = (boot["steps"] as Step[]).map(
    ({ file, state, because, times }) => `${file} ${state} ${because} ${times}`,
  );
  // The wait for the start has asked, too.
  expect(steps.slice(-2)).toEqual([
    "pxelinux.0 complete complete 1",
    "pxelinux.cfg/default refused not-found 3",
  ]);
  expect(boot["client"]).toMatchObject({
    state: "stuck",
    sentence: expect.stringMatching(/^pxelinux\.cfg\/default is not there, asked for 3 times/),
    remedy: expect.stringContaining("below the root folder"),
  });
  const { files } = await ask(watched, "/files");
  expect(files).toContainEqual(
    expect.objectContaining({ file: "pxelinux.0", completed: 1, bytes: 30_000 }),
  );
  const { errors } = await ask(watched, "/errors");
  expect(errors).toContainEqual(
    expect.objectContaining({ client: "127.0.0.1", times: 3, event: "read_denied" }),
  );
});

test("a transfer is seen on its way, and ended by whoever may", async () => {
  using folder = temporaryFolder();
  const tokenFile = join(folder.path, "token");
  const token = "a-secret-of-some-length";
  writeFileSync(tokenFile, token);
  const keys = [`token_file = "${tokenFile}"`, "allow_changes = true"];
  await using watched = await startWatched([], keys);
  const { server } = watched;
  server.put("image", bytesOf(512 * 100, 5));
  using peer = await openPeer();
  peer.send(readRequest("image"), server.port);
  let transfersPort = 0;
  for (let block = 1; block <= 25; block += 1) {
    const { port, text } = await peer.next();
    expect(text).toBe(`DATA ${block} 512`);
    transfersPort = port;
    peer.send(ack(block), port);
  }
  await peer.next();
  const headers = { Authorization: `Bearer ${token}` };
  const { transfers } = await untilAnswer(
    watched,
    "/transfers",
    (answer) => (answer["transfers"] as { bytes: number }[])[0]?.bytes === 25 * 512,
    headers,
  );
  const [transfer] = transfers as { id: number; file_bytes: number; has_answered: boolean }[];
  expect(transfer).toMatchObject({ file: "image", file_bytes: 51_200, has_answered: true });
  const kill = async (id: number, shown: Record<string, string>): Promise<number> => {
    const url = `${watched.url}${API}/transfers/${id}/kill`;
    return (await fetch(url, { method: "POST", headers: shown })).status;
  };
  const id = transfer?.id ?? 0;
  expect(await kill(id, {})).toBe(401);
  expect(await kill(id + 1000, headers)).toBe(404);
  expect(await kill(id, headers)).toBe(200);
  for (;;) {
    const { text, port } = await peer.next();
    if (text.startsWith("DATA")) continue;
    expect([text, port]).toEqual(["ERROR 0 Ended by the administrator", transfersPort]);
    break;
  }
  await until(() => server.log().includes("failed image (killed)"), "its log line");
  await untilAnswer(watched, "/transfers", ({ total }) => total === 0, headers);
});

test("nothing is changed for whoever asks where that is not allowed", async () => {
  await using watched = await startWatched();
  for (const path of ["/reload", "/drain", "/transfers/1/kill"]) {
    const response = await fetch(`${watched.url}${API}${path}`, { method: "POST" });
    expect(response.status).toBe(403);
  }
  expect((await fetch(`${watched.url}${API}/drain`)).status).toBe(405);
  expect((await fetch(`${watched.url}${API}/clients/10.0.0.1`)).status).toBe(404);
  expect((await fetch(`${watched.url}${API}/files?limit=0`)).status).toBe(400);
});

testWith([curl], "streams tell of what happens", async () => {
  await using watched = await startWatched();
  const { server } = watched;
  server.put("file", "content");
  using abort = { controller: new AbortController(), [Symbol.dispose]: () => {} };
  const { signal } = abort.controller;
  const audit = listen(`${watched.url}${API}/events`, signal);
  const live = listen(`${watched.url}${API}/live`, signal);
  await until(() => audit.text().length > 0 && live.text().length > 0, "the streams");
  await run(curl, { port: server.port, name: "file" });
  await until(() => audit.text().includes('"event_type":"transfer_completed"'), "its event");
  expect(audit.text()).toContain("event: audit\ndata: {");
  await until(() => live.text().includes('"sentence":"got file, '), "its snapshot");
  abort.controller.abort();
});

type Json = Readonly<Record<string, unknown>>;

interface Step {
  readonly file: string;
  readonly state: string;
  readonly because: string;
  readonly times: number;
}

interface Operation {
  readonly responses: {
    readonly "200": { readonly content: Record<string, { readonly schema: Json }> };
  };
}

async function ask(
  watched: Watched,
  path: string,
  headers: Record<string, string> = {},
): Promise<Json> {
  const response = await fetch(`${watched.url}${API}${path}`, { headers });
  return (await response.json()) as Json;
}

/** Asks until `isSo`; the last answer is shown where it never is. */
async function untilAnswer(
  watched: Watched,
  path: string,
  isSo: (answer: Json) => boolean,
  headers: Record<string, string> = {},
): Promise<Json> {
  let answer: Json = {};
  for (let tries = 0; tries < 500; tries += 1) {
    answer = await ask(watched, path, headers);
    if (answer["error"] === undefined && isSo(answer)) return answer;
    await Bun.sleep(40);
  }
  throw new Error(`this was never answered: ${JSON.stringify(answer)}`);
}

function listen(url: string, signal: AbortSignal): { readonly text: () => string } {
  let text = "";
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    const response = await fetch(url, { signal });
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  };
  // It ends when the test does.
  read().catch(() => undefined);
  return { text: () => text };
}

/** What of `value` is not as `schema` says: as much of JSON Schema as the document uses. */
function faultsOf(value: unknown, schema: Json, document: Json, path: string): readonly string[] {
  const { $ref, type, oneOf, properties, items, enum: words } = schema;
  if (typeof $ref === "string") {
    let target: unknown = document;
    for (const name of $ref.split("/").slice(1)) target = (target as Json)[name];
    if (target === undefined) return [`${path}: ${$ref} is nowhere`];
    return faultsOf(value, target as Json, document, path);
  }
  if (Array.isArray(oneOf)) {
    const all = oneOf.map((each) => faultsOf(value, each as Json, document, path));
    return all.find((faults) => faults.length === 0) ?? all.flat();
  }
  if (Array.isArray(words)) return words.includes(value) ? [] : [`${path}: ${String(value)}`];
  switch (type) {
    case "array":
      if (!Array.isArray(value)) return [`${path} is no list`];
      return value.flatMap((item, index) =>
        faultsOf(item, items as Json, document, `${path}[${index}]`),
      );
    case "object": {
      if (typeof value !== "object" || value === null) return [`${path} is no object`];
      const known = (properties ?? {}) as Record<string, Json>;
      const missing = ((schema["required"] ?? []) as string[]).filter((name) => !(name in value));
      const rest = schema["additionalProperties"];
      const inside = Object.entries(value).flatMap(([name, inner]) => {
        const own = known[name] ?? rest;
        if (typeof own === "object") {
          return faultsOf(inner, own as Json, document, `${path}.${name}`);
        }
        return [`${path}.${name} is not promised`];
      });
      return [...missing.map((name) => `${path}.${name} is missing`), ...inside];
    }
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: ${String(value)} is no whole number`];
    case "null":
      return value === null ? [] : [`${path} is not null`];
    default:
      return typeof value === type ? [] : [`${path}: ${String(value)} is no ${String(type)}`];
  }
}
