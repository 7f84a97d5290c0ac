// Numbers and times as people read them in log lines (supervisor layer).
// Pure: the same input gives the same text.

/** `2026-11-21T12:00:00Z` for milliseconds since 1970. */
export function formatSeconds(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** `2026-11-21T12:00:00.123Z` (RFC 3339) for milliseconds since 1970. */
export function formatTimestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** `512 B`, `8.1 MB`, `1.25 GB`: decimal units, as network and disk vendors count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${threeDigits(value)} ${BYTE_UNITS[unit]}`;
}

/** `0.093 s` below ten seconds, `12.3 s` below a thousand, whole seconds above. */
export function formatDuration(durationUs: number): string {
  const seconds = durationUs / 1e6;
  if (seconds < 10) return `${seconds.toFixed(3)} s`;
  return `${seconds.toFixed(seconds < 1000 ? 1 : 0)} s`;
}

/** `87 MB/s`. A transfer too short to be timed has no rate: the text is empty. */
export function formatRate(bytes: number, durationUs: number): string {
  if (durationUs <= 0 || bytes === 0) return "";
  return `${threeDigits(bytes / durationUs)} MB/s`;
}

const BYTE_UNITS = ["kB", "MB", "GB", "TB", "PB"] as const;

/** Two significant digits below ten, whole numbers above: what a reader compares at a glance. */
function threeDigits(value: number): string {
  if (value >= 9.95) return value.toFixed(0);
  return value >= 0.0995 ? value.toFixed(1) : value.toFixed(3);
}

/** The address of a peer as records have it, `address:port`: without the port, and of IPv6 without brackets. */
export function peerAddress(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(":")).replaceAll(/[[\]]/g, "");
}
