// What becomes of the names that clients send: separators, drive letters and roots go, and whatever could
// lead out of the root is refused.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { cleanName } from "#policy/path.ts";

function clean(name: string): string {
  const result = cleanName(name, "/srv/tftp");
  return result.isClean ? result.path : `refused: ${result.cause}`;
}

describe("clean names", () => {
  test.each([
    ["pxelinux.0", "pxelinux.0"],
    ["/boot/vmlinuz", "boot/vmlinuz"],
    ["//boot///vmlinuz", "boot/vmlinuz"],
    ["dir//boot/x", "dir/boot/x"],
    ["./boot/./x", "boot/x"],
    ["\\Boot\\BCD", "Boot/BCD"],
    ["C:\\Boot\\BCD", "Boot/BCD"],
    ["/srv/tftp/boot/x", "boot/x"],
    ["srv/tftp/boot/x", "srv/tftp/boot/x"],
    ["/srv/tftp", "srv/tftp"],
    ["a..b", "a..b"],
    ["..a/b..", "refused: hidden"],
    ["a/b..", "a/b.."],
    ["../etc/passwd", "refused: traversal"],
    ["a/../../etc/passwd", "refused: traversal"],
    ["\\..\\..\\etc\\passwd", "refused: traversal"],
    ["/srv/tftp/../../etc/passwd", "refused: traversal"],
    ["a/..", "refused: traversal"],
    [".audit/tftp-audit.jsonl", "refused: hidden"],
    ["a/.hidden", "refused: hidden"],
    ["/", "refused: empty"],
    [".", "refused: empty"],
    ["x".repeat(5000), "refused: too-long"],
  ])("%j", (name, expected) => {
    expect(clean(name)).toBe(expected);
  });

  test("no name leaves the root or begins with a slash", () => {
    const piece = fc.constantFrom("..", ".", "/", "\\", "a", "C:", "srv", "tftp", "\u00ff", " ");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const result = cleanName(pieces.join(""), "/srv/tftp");
        if (!result.isClean) return;
        const segments = result.path.split("/");
        expect(segments.some((segment) => segment === "" || segment.startsWith("."))).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });
});
