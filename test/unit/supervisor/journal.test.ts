// Entries of the journal to the byte, and a sink that sends each as a datagram of its own over a real socket.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeFd } from "#ffi/file.ts";
import { openJournal } from "#io/journal.ts";
import type { AuditEvent } from "#supervisor/audit.ts";
import { journalEntry } from "#supervisor/journal.ts";
import { LogSink } from "#supervisor/logsink.ts";

import { DatagramService } from "../../datagram-service.ts";

const event: AuditEvent = {
  eventType: "transfer_completed",
  severity: "info",
  timeMs: 0,
  correlationId: "0123456789abcdef",
  fields: {
    client_addr: "10.0.0.7:2070",
    options: { blksize: "1428" },
    "9p-x": 7,
    none: undefined,
  },
};

test("an entry has the text, its level, and every field of the event", () => {
  expect(new TextDecoder().decode(journalEntry("sent file", event))).toBe(`MESSAGE=sent file
PRIORITY=6
SYSLOG_FACILITY=3
SYSLOG_IDENTIFIER=snow-owl-tftp
EVENT_TYPE=transfer_completed
CORRELATION_ID=0123456789abcdef
CLIENT_ADDR=10.0.0.7:2070
OPTIONS={"blksize":"1428"}
F9P_X=7
`);
});

test("a text of several lines is told by its length, so that it can forge no field", () => {
  const entry = journalEntry("one\nPRIORITY=0", undefined);
  const text = "one\nPRIORITY=0";
  const head = [...Buffer.from("MESSAGE\n"), text.length, 0, 0, 0, 0, 0, 0, 0];
  expect([...entry.subarray(0, head.length)]).toEqual(head);
  const rest = Buffer.from(entry.subarray(head.length)).toString();
  expect(rest).toStartWith(`${text}\nPRIORITY=4\n`);
});

test("each line is a datagram, and a reader that is away costs lines that are counted", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "socket");
  using journal = new DatagramService(path);
  const sink = new LogSink(openJournal(path), (lines, because) => `${lines} lost: ${because}`, {
    frame: journalEntry,
    isDatagram: true,
  });
  for (let line = 0; line < 5; line += 1) sink.line(`line ${line}`, event);
  await sink.flush(10_000);
  const messages = journal.waiting().map((text) => text.split("\n")[0]);
  expect(messages).toEqual(["line 0", "line 1", "line 2", "line 3", "line 4"].map(messageOf));
  sink.line("x".repeat(1_000_000), event);
  await sink.flush(10_000);
  sink.line("after it", event);
  await sink.flush(10_000);
  expect(journal.waiting().map((text) => text.split("\n")[0])).toEqual(
    ["1 lost: EMSGSIZE", "after it"].map(messageOf),
  );
  expect(sink.lostLinesTotal).toBe(1);
  sink.close();
});

test("a journal that is not there is an error with its code", () => {
  using folder = temporaryFolder();
  const open = (): number => openJournal(join(folder.path, "nobody"));
  expect(open).toThrow("ENOENT");
  const path = join(folder.path, "socket");
  using journal = new DatagramService(path);
  expect(journal.waiting()).toEqual([]);
  closeFd(openJournal(path));
});

function messageOf(text: string): string {
  return `MESSAGE=${text}`;
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "snow-owl-journal-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
