// Metrics as text: both formats, to the character.

import { expect, test } from "bun:test";

import { exposition, type Family, formatFor } from "#supervisor/exposition.ts";

const families: readonly Family[] = [
  {
    name: "tftp_requests",
    type: "counter",
    help: 'Requests "decided" by C:\\boot\nand more.',
    samples: [
      { labels: {}, value: 3 },
      { labels: { name: 'a "b" \\ c\nd' }, value: 0.25 },
    ],
  },
  { name: "tftp_cache_bytes", type: "gauge", help: "Cache.", samples: [{ labels: {}, value: 12 }] },
  {
    name: "tftp_rtt_seconds",
    type: "histogram",
    help: "Times.",
    samples: [
      { labels: { shard: "0" }, histogram: { bounds: [0.5, 1], counts: [1, 0, 2], sum: 9.5 } },
    ],
  },
  { name: "tftp_nothing", type: "gauge", help: "Not shown.", samples: [] },
];

test("Prometheus's text", () => {
  expect(exposition(families, "text")).toBe(`# TYPE tftp_requests_total counter
# HELP tftp_requests_total Requests "decided" by C:\\\\boot\\nand more.
tftp_requests_total 3
tftp_requests_total{name="a \\"b\\" \\\\ c\\nd"} 0.25
# TYPE tftp_cache_bytes gauge
# HELP tftp_cache_bytes Cache.
tftp_cache_bytes 12
# TYPE tftp_rtt_seconds histogram
# HELP tftp_rtt_seconds Times.
tftp_rtt_seconds_bucket{shard="0",le="0.5"} 1
tftp_rtt_seconds_bucket{shard="0",le="1.0"} 1
tftp_rtt_seconds_bucket{shard="0",le="+Inf"} 3
tftp_rtt_seconds_sum{shard="0"} 9.5
tftp_rtt_seconds_count{shard="0"} 3
`);
});

test("OpenMetrics names a counter's family without its suffix, has units, and ends", () => {
  const page = exposition(families, "openmetrics");
  expect(page).toStartWith("# TYPE tftp_requests counter\n# HELP tftp_requests Requests");
  expect(page).toContain("\ntftp_requests_total 3\n");
  expect(page).toContain("# TYPE tftp_cache_bytes gauge\n# UNIT tftp_cache_bytes bytes\n");
  expect(page).toContain("# UNIT tftp_rtt_seconds seconds\n");
  expect(page).toEndWith('tftp_rtt_seconds_count{shard="0"} 3\n# EOF\n');
});

test("OpenMetrics is for who names it", () => {
  const prometheus =
    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  expect(formatFor(prometheus)).toBe("openmetrics");
  for (const accept of ["", "*/*", "text/plain"]) expect(formatFor(accept)).toBe("text");
});
