// What a client is told when its upload comes to nothing, and that the operations page tells the administrator the same.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { uploadFate } from "#server/refused.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

const page: string = readFileSync(join(import.meta.dir, "../../../docs/operations.md"), "utf8");

/** Each refusal of the storage layer: the words that the page has for it. An upload that was aborted has told its client already. */
const words: Readonly<Record<Exclude<keyof typeof UploadRefusal, "aborted">, readonly string[]>> = {
  notFound: ["its folder does not exist", "the folder is removed under way"],
  denied: ["the server's user may not write there"],
  outside: ["a symbolic link is not followed"],
  busy: ["the buffers of uploads"],
  failed: ["the disk fails"],
  full: ["too little space is free", "the disk fills up"],
  quota: ["beyond the quota", "a quota is reached under way"],
  exists: ["the name exists and may not be replaced", "another client published the name first"],
  claimed: ["another upload is writing it"],
  tooLarge: ["is above the limit", "the size limit"],
  corrupt: ["verification does"],
  otherSize: ["is not of the announced size"],
};

for (const [refusal, phrases] of Object.entries(words)) {
  for (const phrase of phrases) {
    test(`${refusal}: ${phrase}`, () => {
      const row = page.split("\n").find((line) => line.startsWith("|") && line.includes(phrase));
      const told = /ERROR (\d)/.exec(row?.split("|")[2] ?? "")?.[1];
      const { reply } = uploadFate(UploadRefusal[refusal as keyof typeof UploadRefusal]);
      expect(told).toBe(String(reply.code));
    });
  }
}
