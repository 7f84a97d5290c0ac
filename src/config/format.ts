// Numbers in words for `check` (config layer): what a person compares with the file.
// Pure: the same input gives the same text.

/** `4 MiB`, `1.5 GiB`, `1000 bytes`: in the largest unit that it fills, to one decimal. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (bytes >= size) return `${Math.round((bytes / size) * 10) / 10} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** `30 s`, `24 h`, `1.5 h`: hours from one hour up. */
export function formatSpan(ms: number): string {
  const seconds = ms / 1000;
  return seconds < 3600 ? `${seconds} s` : `${Math.round(seconds / 360) / 10} h`;
}
