// What a simulated world looks at when all is over: that nothing of it is overlooked.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";

import { Random } from "#base/random.ts";

import { Premises } from "./premises.ts";

test("an upload is seen whose name is no UTF-8", () => {
  const premises = new Premises(new Random(1));
  try {
    writeFileSync(Buffer.from(`${premises.uploads}/uploa\u{e4}-24`, "latin1"), "bytes");
    expect(premises.uploadedNames()).toEqual(["uploa\u{e4}-24"]);
    expect(premises.uploaded("uploa\u{e4}-24")).toEqual(Buffer.from("bytes"));
  } finally {
    premises.remove();
  }
});
