// The banner: the printed command must work as it stands when it is pasted.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type BannerFacts, bannerText, exampleFileOf } from "#supervisor/banner.ts";

const on = { isOn: true, because: "" };
const facts: BannerFacts = {
  version: "0.1.0",
  rootDir: "/srv/tftp",
  listeners: [{ address: "[::]:6969", isWildcard: true, interface: undefined, isAwaited: false }],
  workers: 2,
  measures: [],
  fastPaths: { recvmmsg: on, sendmmsg: on, gso: on, openat2: on, spin: on },
  uploads: undefined,
  exampleFile: "hello.txt",
};

const folder = mkdtempSync(join(tmpdir(), "banner-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("everything on", () => {
  expect(bannerText(facts)).toBe(
    [
      "snow-owl-tftp 0.1.0 serving /srv/tftp on [::]:6969 (UDP)",
      "2 workers; fast paths on: recvmmsg, sendmmsg, gso, openat2, spin",
      "try:  curl -o hello.txt tftp://127.0.0.1:6969/hello.txt",
    ].join("\n"),
  );
});

test("uploads are told where they are allowed", () => {
  const uploads = { allowedPatterns: ["*.cfg", "crash/*"], rootDir: "/srv/up" };
  expect(bannerText({ ...facts, uploads }).split("\n")[2]).toBe(
    "uploads of *.cfg, crash/* go to /srv/up",
  );
});

test("every listener is told, and the example is for one that this machine reaches", () => {
  const listeners = [
    { address: "0.0.0.0:69", isWildcard: true, interface: "eth1", isAwaited: false },
    { address: "192.0.2.1:6969", isWildcard: false, interface: undefined, isAwaited: false },
  ];
  const [first, , example] = bannerText({ ...facts, listeners }).split("\n");
  expect(first).toEndWith("serving /srv/tftp on 0.0.0.0:69 by eth1, 192.0.2.1:6969 (UDP)");
  expect(example).toEndWith("tftp://192.0.2.1:6969/hello.txt");
});

test("what is off says why", () => {
  const off = { isOn: false, because: "ENOPROTOOPT" };
  const text = bannerText({ ...facts, workers: 1, fastPaths: { ...facts.fastPaths, gso: off } });
  expect(text).toContain(
    "1 worker; fast paths on: recvmmsg, sendmmsg, openat2, spin; gso off (ENOPROTOOPT)",
  );
});

test.each([
  ["127.0.0.1:6969", "a b.txt", "try:  curl -o 'a b.txt' tftp://127.0.0.1:6969/a%20b.txt"],
  [
    "[fe80::1%eth0]:69",
    "it's",
    String.raw`try:  curl -o 'it'\''s' 'tftp://[fe80::1%25eth0]:69/it'\''s'`,
  ],
])("the example on %s of %s can be pasted", (address, exampleFile, line) => {
  const listeners = [{ address, isWildcard: false, interface: undefined, isAwaited: false }];
  const text = bannerText({ ...facts, listeners, exampleFile });
  expect(text.split("\n").at(-1)).toBe(line);
});

test("the example is the first regular file that is not hidden", () => {
  mkdirSync(join(folder, "a-folder"));
  for (const name of [".hidden", "b.txt", "c.txt"]) writeFileSync(join(folder, name), "");
  expect(exampleFileOf(folder)).toBe("b.txt");
  expect(exampleFileOf(join(folder, "a-folder"))).toBeUndefined();
  expect(exampleFileOf(join(folder, "missing"))).toBeUndefined();
});
