// Log lines as entries of systemd's journal (supervisor layer): the text is the message, and every field of its event is a field
// that `journalctl` can ask for. Pure. The format: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/

import type { AuditEvent } from "./audit.ts";
import type { Severity } from "./severity.ts";

/** Levels of syslog(3). */
const PRIORITIES: Readonly<Record<Severity, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
/** The facility `daemon` of syslog(3). */
const DAEMON = 3;

/** One entry. Without an event it is a warning of the log itself. */
export function journalEntry(text: string, event: AuditEvent | undefined): Uint8Array {
  const fields: [string, string][] = [
    ["MESSAGE", text],
    ["PRIORITY", String(PRIORITIES[event?.severity ?? "warn"])],
    ["SYSLOG_FACILITY", String(DAEMON)],
    ["SYSLOG_IDENTIFIER", "snow-owl-tftp"],
  ];
  if (event !== undefined) {
    fields.push(["EVENT_TYPE", event.eventType]);
    if (event.correlationId !== undefined) fields.push(["CORRELATION_ID", event.correlationId]);
    for (const [name, value] of Object.entries(event.fields)) {
      if (value !== undefined) fields.push([fieldName(name), fieldText(value)]);
    }
  }
  return Buffer.concat(fields.map(([name, value]) => fieldBytes(name, value)));
}

/** A value of several lines is told by its length: eight bytes, the lowest first. */
function fieldBytes(name: string, value: string): Uint8Array {
  if (!value.includes("\n")) return encoder.encode(`${name}=${value}\n`);
  const bytes = encoder.encode(value);
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(bytes.length), true);
  const size = new Uint8Array(length.buffer);
  return Buffer.concat([encoder.encode(`${name}\n`), size, bytes, encoder.encode("\n")]);
}

/** Names are of capitals, digits and underscores, and do not begin with an underscore or a digit. */
function fieldName(name: string): string {
  const plain = name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
  return /^[A-Z]/.test(plain) ? plain : `F${plain}`;
}

function fieldText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const encoder = new TextEncoder();
