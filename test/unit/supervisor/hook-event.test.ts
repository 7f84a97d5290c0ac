// What becomes an event and what is told of it; that the operations page names all of it; and what a receiver needs to trust a call.

import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { HookEventName } from "#config/settings-hooks.ts";
import type { TransferRecord, UploadRecord } from "#server/contract.ts";
import type { ClientView } from "#supervisor/api-shapes.ts";
import {
  environmentOf,
  eventNameOf,
  type HookEvent,
  jsonOf,
  stuckEvent,
  transferEvent,
} from "#supervisor/hook-event.ts";
import { signatureOf } from "#supervisor/hook-secrets.ts";

import { received, sent } from "./samples.ts";

const timeMs = Date.UTC(2026, 10, 21, 3);
const boot = { id: "b007", mac: "02:00:00:00:00:07", interfaceName: "eth0", isSampled: true };

const ended = {
  timeMs,
  name: String.raw`\boot\vmlinuz`,
  bytes: 1000,
  durationUs: 93_400,
  blockBytes: 512,
  windowBlocks: 1,
  rttUs: 0,
  options: "",
} as const;

const download: TransferRecord = { ...sent, ...ended, fileBytes: 3000, blocksSent: 2 };

const upload: UploadRecord = {
  ...received,
  ...ended,
  path: "sw1.cfg",
  target: ".q/sw1.cfg",
  blocksReceived: 2,
  duplicates: 0,
  isReplacement: true,
};

const view: ClientView = {
  client: "10.0.0.7",
  mac: null,
  interface: null,
  boot: "b007",
  boots: 1,
  boot_started: "",
  last_heard: "",
  silent_ms: 16_000.4,
  state: "stuck",
  sentence: "initrd is not there, 16 s ago; nothing since",
  remedy: "put it there",
  file: "/initrd",
  bytes: 5,
  files: 2,
  misses: 1,
  failures: 0,
};

/** One of each. */
const events: Readonly<Record<HookEventName, HookEvent>> = {
  upload: transferEvent("upload", upload, boot),
  transfer_completed: transferEvent("transfer_completed", download, boot),
  transfer_failed: transferEvent(
    "transfer_failed",
    { ...download, isSuccess: false, outcome: "gave-up" },
    undefined,
  ),
  client_stuck: stuckEvent(view, timeMs),
};

test("what ended well or badly is an event, and what the client stopped is none", () => {
  const lost = { isSuccess: false, outcome: "gave-up" };
  expect(eventNameOf(download)).toBe("transfer_completed");
  expect(eventNameOf({ ...download, outcome: "complete-unacknowledged" })).toBe(
    "transfer_completed",
  );
  expect(eventNameOf(upload)).toBe("upload");
  expect(eventNameOf({ ...download, ...lost })).toBe("transfer_failed");
  expect(eventNameOf({ ...upload, ...lost })).toBe("transfer_failed");
  expect(eventNameOf({ ...download, outcome: "probe" })).toBeUndefined();
  for (const outcome of ["closed-by-client", "replaced", "late-repetition"]) {
    expect(eventNameOf({ ...download, isSuccess: false, outcome })).toBeUndefined();
  }
});

test("each is told with what its reader needs", () => {
  expect(JSON.parse(jsonOf(events.transfer_completed))).toEqual({
    event: "transfer_completed",
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    time: "2026-11-21T03:00:00.000Z",
    peer: "10.0.0.7:2070",
    address: "10.0.0.7",
    mac: "02:00:00:00:00:07",
    boot: "b007",
    file: "boot/vmlinuz",
    direction: "read",
    size: 1000,
    duration_ms: 93,
    sha256: null,
  });
  expect(JSON.parse(jsonOf(events.transfer_failed))).toMatchObject({
    mac: null,
    boot: null,
    file_size: 3000,
    because: "gave-up",
    sentence: String.raw`\boot\vmlinuz broke off: the client stopped answering`,
    remedy: expect.stringContaining("cable"),
  });
  expect(JSON.parse(jsonOf(events.upload))).toMatchObject({
    file: "sw1.cfg",
    path: "/srv/up/.q/sw1.cfg",
    size: 1000,
    replaced: true,
  });
  expect(JSON.parse(jsonOf(events.client_stuck))).toMatchObject({
    peer: null,
    address: "10.0.0.7",
    file: "initrd",
    silent_ms: 16_000,
    sentence: view.sentence,
  });
  expect(environmentOf(events.client_stuck)).toMatchObject({
    SNOW_OWL_EVENT: "client_stuck",
    SNOW_OWL_PEER: "",
    SNOW_OWL_MISSES: "1",
  });
});

test("the operations page names every variable with its events, and every event of the log", () => {
  const page = readFileSync(join(import.meta.dir, "../../../docs/operations.md"), "utf8");
  const told = new Map<string, string[]>();
  for (const [name, event] of Object.entries(events)) {
    for (const variable of Object.keys(environmentOf(event))) {
      told.set(variable, (told.get(variable) ?? []).concat(name));
    }
  }
  const all = Object.keys(events).length;
  const wanted = [...told].map(
    ([variable, names]) =>
      `${variable}: ${names.length === all ? "all" : names.toSorted().join(", ")}`,
  );
  const named = [...page.matchAll(/^\| `(PATH|SNOW_OWL_\w+)` +\| ([^|]*?) +\|/gm)].map(
    ([, variable, names = ""]) => `${variable}: ${names.replaceAll("`", "")}`,
  );
  expect(named.toSorted()).toEqual(wanted.toSorted());
  const logged = [...page.matchAll(/^\| `(hook_\w+)`/gm)].map(([, name]) => name ?? "");
  const source = join(import.meta.dir, "../../../src/supervisor/hook-lane.ts");
  const said = [...readFileSync(source, "utf8").matchAll(/"(hook_\w+)"/g)].map(
    ([, name]) => name ?? "",
  );
  expect(logged.toSorted()).toEqual([...new Set(said)].toSorted());
});

test("a signature is of the seconds, a full stop and the body", () => {
  const body = jsonOf(events.upload);
  const signature = signatureOf(body, "a-secret-of-some-length", 1_763_683_200_999);
  const hmac = createHmac("sha256", "a-secret-of-some-length");
  expect(signature).toBe(
    `t=1763683200,v1=${hmac.update("1763683200.").update(body).digest("hex")}`,
  );
  // printf '0.what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe
  expect(signatureOf("what do ya want for nothing?", "Jefe", 0)).toBe(
    "t=0,v1=37f471929915ccd2cbbe79feb84ffcff4f2bb25e15fc41c2506687331ae179cc",
  );
});
