// Which reports a shard makes: those that somebody reads, and none in vain.
// The log itself is the judge of what would come of one.

import { expect, test } from "bun:test";

import { defaults } from "#config/config.ts";
import { logLevels } from "#config/level.ts";
import { type LogSettings, resolveSettings, type Settings } from "#config/settings.ts";
import { interestOf } from "#server/interest.ts";
import { Log } from "#supervisor/log.ts";

import { asked, refused, sent } from "./samples.ts";

const base: Settings = resolveSettings(defaults, { cores: 1, memoryBytes: 1e9 });

test("a shard leaves out exactly the reports that nothing would come of", () => {
  const told: string[] = [];
  for (const level of logLevels) {
    for (const format of ["text", "json"] as const) {
      for (const auditEnabled of [true, false]) {
        const log: LogSettings = { ...base.log, level, format, auditEnabled };
        const interest = interestOf({ ...base, log });
        const records = [
          [interest.debug, asked],
          [interest.warn, { ...asked, remark: "found as VMLINUZ" }],
          [interest.warn, refused],
          [interest.info, sent],
        ] as const;
        for (const [isMade, record] of records) {
          const lines: string[] = [];
          const sinks = { log: { line: (text: string) => void lines.push(text) } };
          const lookup = { macOf: () => undefined, interfaceName: () => undefined };
          new Log(log, sinks, { hostname: "boot1", lookup, listeners: [] }).record(record);
          if (!isMade) expect(lines).toEqual([]);
          // As text nothing is made in vain, either.
          else if (format === "text") expect(lines).toHaveLength(1);
        }
        if (format === "text" && auditEnabled)
          told.push([level, interest.debug, interest.info, interest.warn].join(" "));
      }
    }
  }
  expect(told).toEqual([
    "off false false false",
    "error false false false",
    "warn false false true",
    "info false true true",
    "debug true true true",
    "trace true true true",
  ]);
});

test("whoever watches, and every taker of events, has all reports", () => {
  const quiet = { ...base, log: { ...base.log, level: "error" as const } };
  const hook = { events: ["transfer_complete"] } as unknown as Settings["hooks"][number];
  const all = { debug: true, info: true, warn: true };
  expect(interestOf(quiet)).toEqual({ debug: false, info: false, warn: false });
  expect(interestOf({ ...quiet, status: { ...quiet.status, socket: "/run/s" } })).toEqual(all);
  expect(interestOf({ ...quiet, hooks: [hook] })).toEqual(all);
  for (const log of [
    { auditTarget: { kind: "file", path: "/a" } },
    { target: { kind: "journal" } },
    { samplingRate: 0.5 },
    { format: "json" },
  ] as const) {
    expect(interestOf({ ...quiet, log: { ...quiet.log, ...log } })).toEqual(all);
  }
});
