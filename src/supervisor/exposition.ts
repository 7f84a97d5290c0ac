// Metrics as text (supervisor layer): Prometheus's own format, and OpenMetrics 1.0 for who asks for it. Pure: families go in, a
// page comes out. https://prometheus.io/docs/instrumenting/exposition_formats/

/** A family of samples. Its name has prefix and unit, but not `_total`. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One or two sentences. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** One value, or one histogram. */
export type Sample =
  | { readonly labels: Labels; readonly value: number }
  | { readonly labels: Labels; readonly histogram: Histogram };

export type Labels = Readonly<Record<string, string>>;

export interface Histogram {
  /** Upper bounds, rising, without the infinite one. */
  readonly bounds: readonly number[];
  /** How many values lie in each bucket alone, the infinite one last. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** What our names begin with, as in Snow-Owl's dashboards. */
export const PREFIX = "tftp_";

export type Format = "text" | "openmetrics";

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that an Accept header prefers: OpenMetrics where it is named, as Prometheus does. */
export function formatFor(accept: string): Format {
  return /application\/openmetrics-text/i.test(accept) ? "openmetrics" : "text";
}

export function exposition(families: readonly Family[], format: Format): string {
  const lines = families.flatMap((family) => familyLines(family, format));
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

/** The name that a counter or gauge has on the page and in queries. */
export function sampleName({ name, type }: Pick<Family, "name" | "type">): string {
  return type === "counter" ? `${name}_total` : name;
}

function familyLines(family: Family, format: Format): readonly string[] {
  const { name, type, help, samples } = family;
  if (samples.length === 0) return [];
  const sample = sampleName(family);
  // OpenMetrics names a counter's family without the suffix of its samples.
  const title = format === "openmetrics" ? name : sample;
  const unit = /_(?<unit>bytes|seconds)$/.exec(name)?.groups?.["unit"];
  return [
    `# TYPE ${title} ${type}`,
    ...(format === "openmetrics" && unit !== undefined ? [`# UNIT ${title} ${unit}`] : []),
    `# HELP ${title} ${escaped(help)}`,
    ...samples.flatMap((each) => sampleLines(sample, each)),
  ];
}

function sampleLines(name: string, sample: Sample): readonly string[] {
  const { labels } = sample;
  if ("value" in sample) return [`${name}${labelText(labels)} ${numberText(sample.value)}`];
  const { bounds, counts, sum } = sample.histogram;
  let below = 0;
  const buckets = counts.map((count, index) => {
    below += count;
    const le = numberText(bounds[index] ?? Infinity, true);
    return `${name}_bucket${labelText({ ...labels, le })} ${numberText(below)}`;
  });
  return [
    ...buckets,
    `${name}_sum${labelText(labels)} ${numberText(sum)}`,
    `${name}_count${labelText(labels)} ${numberText(below)}`,
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value, true)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** In `le`, OpenMetrics wants whole numbers written as decimals. */
function numberText(value: number, isBound = false): string {
  if (value === Infinity) return "+Inf";
  return isBound && Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** Line ends and backslashes; in label values also quotation marks. */
function escaped(text: string, isLabel = false): string {
  const plain = text.replaceAll("\\", String.raw`\\`).replaceAll("\n", String.raw`\n`);
  return isLabel ? plain.replaceAll('"', String.raw`\"`) : plain;
}
