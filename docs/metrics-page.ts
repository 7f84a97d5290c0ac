// Writes docs/metrics.md from the tables that /metrics is made of: every name, its type, its labels and what it means.
// The text is formatted as `bun fmt` leaves it, so that the page needs no second hand.

import { COUNTERS, measures } from "#server/measures.ts";
import { type Family, PREFIX, sampleName } from "#supervisor/exposition.ts";
import { processRows } from "#supervisor/process-metrics.ts";
import { shardFamilies } from "#supervisor/shard-metrics.ts";

import { table } from "./markdown.ts";

const INTRODUCTION = `# Metrics

<!-- Written by docs/generate.ts from src/server/measures.ts and src/supervisor/process-metrics.ts; change those. -->

\`[status] bind_addr = "127.0.0.1:9069"\` makes the server answer \`http://127.0.0.1:9069/metrics\` in Prometheus's text format, or as
OpenMetrics 1.0 if the request asks for that, as Prometheus does. How to set it up stands in [operations.md](operations.md#monitor).

Counters only rise, and begin at zero with the process. A worker that dies and is replaced goes on where it was. What is marked _each
shard_ has the label \`shard\`; everything else is the sum of all shards. A page is read from memory that the shards write; they do
not notice.

Snow-Owl's dashboards ask for seven names. Five are always there: \`tftp_audit_events_total\`, \`tftp_bytes_transferred_total\`,
\`tftp_transfer_throughput_bps\`, \`tftp_last_audit_event_timestamp\` and \`tftp_multicast_total_clients\`. The other two,
\`tftp_transfer_duration_ms\` and \`tftp_avg_block_time_ms\`, break Prometheus's rules for names, so that \`promtool check metrics\`
would complain; \`metrics.snow_owl_names = true\` shows them.`;

/** The whole page. */
export function metricsPage(): string {
  const shards = shardFamilies([new Float64Array(COUNTERS)]);
  const rows = Object.values(measures);
  const own = processRows.map((row): readonly string[] => [
    `\`${sampleName(row)}\``,
    row.type,
    labelsOf(row.labels ?? []),
    row.help,
  ]);
  const counted = shards.map((family): readonly string[] => {
    const isPerShard = rows.some((row) => PREFIX + row.name === family.name && row.isPerShard);
    return [
      `\`${sampleName(family)}\``,
      family.type,
      labelsOf(labelNames(family)),
      `${family.help}${isPerShard ? " _Each shard._" : ""}`,
    ];
  });
  const head = ["name", "type", "labels", "meaning"];
  const parts = [
    INTRODUCTION,
    "## What the shards count",
    table(head, counted),
    valueLists(),
    "## What the process knows",
    table(head, own),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** What the labels can be that have a list of values. */
function valueLists(): string {
  const items = Object.values(measures).flatMap(({ name, labels = {}, by }) => {
    if (by === undefined) return [];
    const { direction } = labels;
    const where = direction === undefined ? "" : ` (\`direction="${direction}"\`)`;
    const values = by.values.map((value) => `\`${value}\``).join(", ");
    return [`- \`${by.label}\` of \`${PREFIX}${name}_total\`${where}: ${values}`];
  });
  return items.join("\n");
}

function labelNames({ samples }: Family): readonly string[] {
  const names = samples.flatMap(({ labels }) => Object.keys(labels));
  return [...new Set(names)].filter((name) => name !== "shard");
}

function labelsOf(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}
