// Option negotiation: what is granted for what is asked, and the OACK that says so.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import {
  describeGrant,
  encodeOack,
  type Grant,
  type GrantLimits,
  negotiate,
  optionNames,
} from "#protocol/options.ts";
import { parseRequest, type Request } from "#protocol/request.ts";

import { expectMark } from "../../marks.ts";
import { requestPacket } from "../../sim/packets.ts";
import { generousLimits } from "../../sim/server-end.ts";

interface Asking {
  readonly kind?: "read" | "write";
  readonly mode?: string;
  readonly limits?: Partial<GrantLimits>;
  readonly fileBytes?: number | undefined;
}

/** Negotiates `asked`, written as in a log: `blksize=1428 tsize=0`. */
function grant(asked: string, asking: Asking = {}): Grant {
  const { kind = "read", mode = "octet", limits = {} } = asking;
  const options = asked
    .split(" ")
    .filter((text) => text !== "")
    .map((text) => ({ name: text.replace(/=.*/, ""), value: text.replace(/^[^=]*=?/, "") }));
  const bytes = requestPacket(kind === "read" ? 1 : 2, "f", mode, options);
  const request = parseRequest(bytes, bytes.length);
  if (request.kind === "fault") throw new Error(request.reason);
  const fileBytes = "fileBytes" in asking ? asking.fileBytes : 1000;
  return negotiate(request, { ...generousLimits, ...limits }, fileBytes);
}

/** The answer to `asked`, written alike. */
function answer(asked: string, asking: Asking = {}): string {
  return describeGrant(grant(asked, asking));
}

describe("RFC 2347", () => {
  test("without options nothing changes", () => {
    expect(grant("")).toEqual({
      blockBytes: 512,
      windowBlocks: 1,
      timeoutUs: undefined,
      rolloverTo: 0,
      announcedBytes: undefined,
      accepted: [],
    });
  });

  test("unknown and refused options are left out, and the rest is answered in the order asked", () => {
    expectMark("unknown-option-ignored", () => {
      expect(answer("windowsize=4 x-unknown=1 blksize=1024 multicast= tsize=0")).toBe(
        "windowsize=4 blksize=1024 tsize=1000",
      );
    });
    const refused = new Set(["blksize", "windowsize"]);
    const granted = grant("blksize=1024 windowsize=8 tsize=0", { limits: { refused } });
    expect(granted).toMatchObject({ blockBytes: 512, windowBlocks: 1 });
    expect(describeGrant(granted)).toBe("tsize=1000");
  });

  test("when nothing is accepted there is no OACK", () => {
    expectMark("nothing-accepted-no-oack", () => {
      expect(encodeOack(grant("multicast= msftwindow=31416"))).toBeUndefined();
    });
  });

  test("the OACK is exact to the byte", () => {
    const oack = encodeOack(grant("tsize=0 blksize=1428"));
    expect(Buffer.from(oack ?? []).toString("latin1")).toBe(
      "\x00\x06tsize\x001000\x00blksize\x001428\x00",
    );
  });
});

describe("blksize, RFC 2348", () => {
  test("the same or less, never more", () => {
    expect(grant("blksize=8").blockBytes).toBe(8);
    expect(grant("blksize=65464").blockBytes).toBe(65_464);
    expectMark("blksize-reduced", () => {
      expect(answer("blksize=65465")).toBe("blksize=65464");
      expect(answer("blksize=9000", { limits: { blockBytesMax: 1468 } })).toBe("blksize=1468");
    });
  });

  test("below 8, or no number: left out, not raised", () => {
    expectMark("blksize-out-of-range-omitted", () => {
      for (const value of [
        "0",
        "7",
        "-1",
        "",
        "1e3",
        "0x200",
        "512 ",
        "٥",
        "99999999999999999999",
      ]) {
        const granted = grant(`blksize=${value.replace(" ", "\t")}`);
        expect(granted).toMatchObject({ blockBytes: 512, accepted: [] });
      }
    });
  });

  test("tftp-hpa's blksize2: a power of two, at most 32,768", () => {
    expectMark("blksize2-power-of-two", () => {
      expect(answer("blksize2=1500")).toBe("blksize2=1024");
      expect(answer("blksize2=1024")).toBe("blksize2=1024");
      expect(answer("blksize2=65464")).toBe("blksize2=32768");
      expect(answer("blksize2=600")).toBe("blksize2=512");
      expect(answer("blksize2=100")).toBe("blksize2=64");
      expect(answer("blksize2=9000", { limits: { blockBytesMax: 400 } })).toBe("blksize2=512");
    });
    expect(answer("blksize2=7")).toBe("");
    expect(answer("blksize2=many")).toBe("");
  });

  test("of blksize and blksize2 the first that can be granted wins", () => {
    expectMark("rival-option-ignored", () => {
      expect(grant("blksize2=1500 blksize=1400")).toMatchObject({ blockBytes: 1024 });
      expect(answer("blksize2=1500 blksize=1400")).toBe("blksize2=1024");
      expect(answer("blksize=1400 blksize2=1500")).toBe("blksize=1400");
      expect(answer("blksize=7 blksize2=1500")).toBe("blksize2=1024");
    });
  });
});

describe("tsize, RFC 2349", () => {
  test("a read gets the true size, whatever it asked, above 4 GiB too", () => {
    expectMark("tsize-exact", () => {
      expect(answer("tsize=0", { fileBytes: 0 })).toBe("tsize=0");
      expect(answer("tsize=12345")).toBe("tsize=1000");
      expect(answer("tsize=")).toBe("tsize=1000");
      expect(answer("tsize=0", { fileBytes: 4_402_341_478 })).toBe("tsize=4402341478");
      expect(answer("tsize=0", { fileBytes: 2 ** 53 - 1 })).toBe("tsize=9007199254740991");
    });
    expect(answer("tsize=0", { fileBytes: undefined })).toBe("");
  });

  test("in netascii it is left out: the size on the wire is another", () => {
    expectMark("tsize-omitted-for-netascii", () => {
      expect(answer("tsize=0", { mode: "netascii" })).toBe("");
      expect(answer("tsize=7", { mode: "netascii", kind: "write" })).toBe("");
    });
  });

  test("a write gets its own number back, to the letter, and the server learns it", () => {
    const kind = "write";
    expectMark("tsize-of-write-echoed", () => {
      expect(answer("tsize=5368709120", { kind })).toBe("tsize=5368709120");
      expect(answer("tsize=007", { kind })).toBe("tsize=007");
      expect(answer("tsize=0", { kind, fileBytes: undefined })).toBe("tsize=0");
    });
    expect(grant("tsize=5368709120", { kind }).announcedBytes).toBe(5_368_709_120);
    expect(grant("tsize=007", { kind }).announcedBytes).toBe(7);
    expect(grant("tsize=7").announcedBytes).toBeUndefined();
    for (const asked of ["tsize=lots", "tsize=", "tsize=-1", "tsize=9007199254740992"]) {
      expect(grant(asked, { kind })).toMatchObject({ announcedBytes: undefined, accepted: [] });
    }
    const refused = { kind, limits: { refused: new Set(["tsize"]) } } as const;
    expect(grant("tsize=7", refused)).toMatchObject({ announcedBytes: undefined, accepted: [] });
  });
});

describe("timeout, RFC 2349", () => {
  test("echoed to the letter: U-Boot and EDK2 abort on any other value", () => {
    expectMark("timeout-echoed", () => {
      expect(answer("timeout=5")).toBe("timeout=5");
      expect(answer("timeout=005")).toBe("timeout=005");
      expect(grant("timeout=255").timeoutUs).toBe(255_000_000);
    });
  });

  test("out of 1–255 it is left out", () => {
    expectMark("timeout-out-of-range-omitted", () => {
      for (const value of ["0", "256", "-1", "1.5", ""]) {
        expect(grant(`timeout=${value}`)).toMatchObject({ timeoutUs: undefined, accepted: [] });
      }
    });
  });

  test("tftp-hpa's utimeout, in microseconds; of the two the first wins", () => {
    expectMark("utimeout-echoed", () => {
      expect(answer("utimeout=10000")).toBe("utimeout=10000");
      expect(grant("utimeout=250000").timeoutUs).toBe(250_000);
      expect(answer("utimeout=250000 timeout=3")).toBe("utimeout=250000");
    });
    expect(answer("timeout=3 utimeout=250000")).toBe("timeout=3");
    expect(answer("timeout=0 utimeout=250000")).toBe("utimeout=250000");
    expect(answer("utimeout=9999")).toBe("");
    expect(answer("utimeout=255000001")).toBe("");
    expect(answer("utimeout=soon")).toBe("");
  });
});

describe("windowsize, RFC 7440", () => {
  test("the same or less: bounded in blocks and in bytes, and never below one", () => {
    expect(answer("windowsize=1")).toBe("windowsize=1");
    expect(grant("windowsize=65535").windowBlocks).toBe(8192);
    expectMark("windowsize-reduced", () => {
      expect(answer("windowsize=64", { limits: { windowBlocksMax: 16 } })).toBe("windowsize=16");
      expect(answer("windowsize=64", { limits: { windowBytesMax: 512 * 10 } })).toBe(
        "windowsize=10",
      );
      expect(answer("windowsize=64", { limits: { windowBytesMax: 0 } })).toBe("windowsize=1");
      expect(answer("windowsize=70000 blksize=8")).toBe("windowsize=65535 blksize=8");
    });
  });

  test("the bound in bytes counts the block size that is granted, asked later or not", () => {
    const limits = { windowBytesMax: 10_000 };
    expect(answer("windowsize=64 blksize=1000", { limits })).toBe("windowsize=10 blksize=1000");
    expect(answer("blksize=1000 windowsize=64", { limits })).toBe("blksize=1000 windowsize=10");
  });

  test("0 or no number: left out", () => {
    expectMark("windowsize-out-of-range-omitted", () => {
      for (const value of ["0", "-4", "", "four"]) {
        expect(grant(`windowsize=${value}`)).toMatchObject({ windowBlocks: 1, accepted: [] });
      }
    });
  });
});

describe("rollover, tftp-hpa", () => {
  test("0 and 1 are honoured, anything else is left out", () => {
    expectMark("rollover-granted", () => {
      expect(grant("rollover=1")).toMatchObject({ rolloverTo: 1 });
      expect(answer("rollover=0")).toBe("rollover=0");
    });
    expect(grant("rollover=2")).toMatchObject({ rolloverTo: 0, accepted: [] });
    expect(answer("rollover=")).toBe("");
  });

  test("a window stays shorter than the cycle of block numbers", () => {
    expect(answer("windowsize=65535 blksize=8 rollover=1")).toBe(
      "windowsize=65534 blksize=8 rollover=1",
    );
  });
});

test("a write gets every other option as a read does", () => {
  const asked = "blksize=9000 windowsize=64 timeout=3 rollover=1 blksize2=1024 utimeout=20000 x=1";
  const limits = { blockBytesMax: 1468, windowBlocksMax: 16 };
  const write = grant(asked, { kind: "write", limits, fileBytes: undefined });
  expect(write).toEqual(grant(asked, { limits }));
  expect(describeGrant(write)).toBe("blksize=1468 windowsize=16 timeout=3 rollover=1");
});

test("whatever is asked: nothing unasked, nothing twice, nothing more, in the order asked", () => {
  const name = fc.constantFrom(...optionNames, "multicast", "x");
  const number = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 1, 7, 8, 512, 2 ** 40));
  const value = fc.oneof(number.map(String), fc.stringMatching(/^[ -~]{0,6}$/));
  const options = fc.uniqueArray(fc.record({ name, value }), { selector: (option) => option.name });
  const limits = fc.record({
    blockBytesMax: fc.integer({ min: 512, max: 65_464 }),
    windowBlocksMax: fc.integer({ min: 1, max: 65_535 }),
    windowBytesMax: fc.nat(10_000_000),
    refused: fc.uniqueArray(name).map((names) => new Set(names)),
  });
  const kinds = fc.constantFrom("read", "write");
  fc.assert(
    fc.property(kinds, options, limits, fc.maxSafeNat(), (kind, options, limits, fileBytes) => {
      const request = {
        kind,
        name: "f",
        nameBytes: Uint8Array.of(0x66),
        mode: "octet",
        options,
      } as const satisfies Request;
      const { accepted, blockBytes, windowBlocks } = negotiate(request, limits, fileBytes);
      const names = accepted.map(({ name }) => name);
      const askedNames = options.map(({ name }) => name);
      expect(names).toEqual(askedNames.filter((name) => names.includes(name)));
      for (const refused of limits.refused) expect(names).not.toContain(refused);
      for (const { name, value } of accepted) {
        const asked = options.find((option) => option.name === name)?.value;
        if (kind === "write" && name === "tsize") expect(value).toBe(asked ?? "");
        if (name !== "tsize") expect(Number(value)).toBeLessThanOrEqual(Number(asked));
      }
      if (!names.includes("blksize") && !names.includes("blksize2")) expect(blockBytes).toBe(512);
      if (!names.includes("windowsize")) expect(windowBlocks).toBe(1);
      expect(names.includes("blksize") && names.includes("blksize2")).toBe(false);
      expect(names.includes("timeout") && names.includes("utimeout")).toBe(false);
    }),
  );
});
