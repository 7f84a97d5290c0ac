// What a simulated world looks at when all is over: that nothing of it is overlooked.

import { expect, test } from "bun:test";
import { linkSync, writeFileSync } from "node:fs";

import { Random } from "#base/random.ts";

import { Premises } from "./premises.ts";

test("an upload is seen whose name is no UTF-8", () => {
  withPremises((premises) => {
    writeFileSync(Buffer.from(`${premises.uploads}/uploa\u{e4}-24`, "latin1"), "bytes");
    expect(premises.uploadedNames()).toEqual(["uploa\u{e4}-24"]);
    expect(premises.uploaded("uploa\u{e4}-24")).toEqual(Buffer.from("bytes"));
    expect(premises.uploadedBytes()).toBe(5);
  });
});

test("a file that has two names is counted once", () => {
  withPremises((premises) => {
    writeFileSync(`${premises.uploads}/one`, "bytes");
    linkSync(`${premises.uploads}/one`, `${premises.uploads}/two`);
    expect(premises.uploadedBytes()).toBe(5);
  });
});

function withPremises(body: (premises: Premises) => void): void {
  const premises = new Premises(new Random(1));
  try {
    body(premises);
  } finally {
    premises.remove();
  }
}
