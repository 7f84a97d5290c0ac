// What a client makes of an OACK: what may be answered, and what is refused.

import { describe, expect, test } from "bun:test";

import { agree, type Agreement, type AgreementFault } from "#protocol/agreement.ts";
import { multicastOption } from "#protocol/group.ts";
import { encodeOackOptions, type Option } from "#protocol/packet.ts";

import { expectMark } from "../../marks.ts";

const asked = optionsOf("tsize=0 blksize=1428 timeout=3 windowsize=16");

function optionsOf(text: string): readonly Option[] {
  return text.split(" ").map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return { name, value };
  });
}

function answer(text: string): Agreement | AgreementFault {
  const oack = encodeOackOptions(text === "" ? [] : optionsOf(text));
  return agree(asked, oack, oack.length);
}

test("what was asked, or less, is agreed on", () => {
  expectMark("oack-agreed", () => {
    expect(answer("tsize=70000 blksize=1024 timeout=3 windowsize=1")).toEqual({
      blockBytes: 1024,
      windowBlocks: 1,
      timeoutUs: 3_000_000,
      rolloverTo: 0,
      fileBytes: 70_000,
      group: undefined,
      accepted: optionsOf("tsize=70000 blksize=1024 timeout=3 windowsize=1"),
    });
  });
});

test("what is left out is as RFC 1350 has it", () => {
  expect(answer("tsize=5")).toMatchObject({
    blockBytes: 512,
    windowBlocks: 1,
    timeoutUs: undefined,
  });
  expect(answer("")).toMatchObject({ blockBytes: 512, fileBytes: undefined, accepted: [] });
});

test("names may come in any case, and NULs behind the last value mean nothing", () => {
  expect(answer("BlkSize=512")).toMatchObject({ blockBytes: 512 });
  const padded = Buffer.concat([encodeOackOptions(optionsOf("tsize=5")), new Uint8Array(4)]);
  expect(agree(asked, padded, padded.length)).toMatchObject({ fileBytes: 5 });
});

test("a multicast is agreed on by its first OACK, which says where it is", () => {
  const withGroup = [...asked, multicastOption];
  const read = (text: string): Agreement | AgreementFault => {
    const oack = encodeOackOptions(optionsOf(text));
    return agree(withGroup, oack, oack.length);
  };
  expectMark("multicast-agreed", () => {
    expect(read("tsize=5 multicast=239.0.0.1,1758,1")).toMatchObject({
      fileBytes: 5,
      group: { address: "239.0.0.1", port: 1758, isMaster: true },
    });
  });
  for (const value of ["", ",,1", "239.0.0.1,,1", ",1758,1", "239.0.0.1,1758,2", "5"]) {
    expect(read(`multicast=${value}`)).toHaveProperty("fault");
  }
});

describe("refused:", () => {
  test.each([
    "blksize=1429",
    "blksize=7",
    "windowsize=17",
    "windowsize=0",
    "timeout=4",
    "tsize=-1",
    "tsize=1e3",
    "multicast=,,1",
    "rollover=1",
  ])("%s", (text) => {
    expectMark("oack-refused", () => {
      expect(answer(text)).toHaveProperty("fault", expect.stringContaining(text));
    });
  });
});
