// The manual page: nothing of --help is lost on the way, and nothing of it is taken for a request of roff.
import { describe, expect, test } from "bun:test";

import { flags } from "#cli/flags.ts";
import { helpText } from "#cli/help.ts";

import { manualPage } from "../../../packaging/manual.ts";

describe("the page made from --help", () => {
  const lines = manualPage(helpText("1.2.3"), 86_400).split("\n");

  test("begins with what the program is", () => {
    expect(lines.slice(0, 3)).toEqual([
      '.TH SNOW-OWL-TFTP 8 1970-01-02 "snow-owl-tftp 1.2.3" "System Administration"',
      ".SH NAME",
      expect.stringMatching(/^snow\\-owl\\-tftp \\- a TFTP server/),
    ]);
  });

  test("has every section, and none twice", () => {
    const titles = lines.filter((line) => line.startsWith(".SH "));
    expect(titles).toContain(".SH SYNOPSIS");
    expect(titles).toContain(".SH EXIT CODES");
    expect(new Set(titles).size).toBe(titles.length);
  });

  test("has every flag as a term, with its description below", () => {
    for (const [name, { description }] of Object.entries(flags)) {
      const flag = `--${name}`.replaceAll("-", "\\-");
      const at = lines.findIndex((line) => line.startsWith(".B") && line.includes(flag));
      expect(lines[at - 1], name).toBe(".TP");
      expect(lines[at + 1]?.replaceAll("\\-", "-"), name).toContain(description.slice(0, 20));
    }
  });

  test("keeps the words of every line", () => {
    // Titles are capitals in a page, and that of the usage is another.
    const known = new Set(words(lines.join("\n").toLowerCase()));
    expect(words(helpText("1.2.3")).filter((word) => !known.has(word))).toEqual(["usage"]);
  });
});

describe("roff", () => {
  test("sees no request at the beginning of a line", () => {
    expect(page(".so /etc/passwd")).toContain("\n\\&.so /etc/passwd\n");
    expect(page("'tis")).toContain("\n\\&'tis\n");
  });

  test("sees no escape, and only ASCII", () => {
    expect(page("a\\b – c")).toContain("\na\\eb \\[u2013] c\n");
  });
});

function words(text: string): string[] {
  return text.match(/[a-z]{3,}/g) ?? [];
}

/** A page with one line of prose. */
function page(line: string): string {
  return manualPage(`a 1: b\n\nlog:\n  ${line}`, 0);
}
