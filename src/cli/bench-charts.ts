// Charts of a load as SVG (cli layer): how long so many waited at the most, and what happened when. Text alone: colours and
// sizes are those of the page that holds them. Pure.

import { formatTime } from "./bench-text.ts";

/** A line of a chart of percentiles. */
export interface Curve {
  readonly name: string;
  /** `a` or `b`: how it looks. */
  readonly kind: "a" | "b";
  /** Percentages in ascending order, and microseconds. */
  readonly points: readonly (readonly [percent: number, us: number])[];
}

/** Amounts over equal spans of time. */
export interface Series {
  readonly name: string;
  readonly kind: "a" | "bad";
  /** Of each span. */
  readonly amounts: readonly number[];
}

interface Tick {
  readonly at: number;
  readonly text: string;
}

// As wide as a phone, so that letters have their size there; a wider page enlarges the whole.
const WIDTH = 400;
const HEIGHT = 220;
const LEFT = 58;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 34;
const PLOT_WIDTH: number = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT: number = HEIGHT - TOP - BOTTOM;
/** 99.99 %: beyond lies one in ten thousand, and the most. */
const NINES_MAX = 4;
/** Columns of a chart over time: each is some pixels wide on a phone. */
const COLUMNS_MAX = 60;

/** How long so many did not exceed. Both axes are logarithmic: towards 100 % by nines, and in time by powers of ten. */
export function percentileChart(label: string, curves: readonly Curve[]): string {
  const drawn = curves.filter(({ points }) => points.length > 0);
  const times = drawn.flatMap(({ points }) => points.map(([, us]) => Math.max(us, 1)));
  if (times.length === 0) return emptyChart(label);
  const low = Math.floor(Math.log10(Math.min(...times)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...times))));
  const y = (us: number): number =>
    TOP + PLOT_HEIGHT * (1 - (Math.log10(Math.max(us, 1)) - low) / (high - low));
  const yTicks = Array.from({ length: high - low + 1 }, (_, step) => {
    const us = 10 ** (low + step);
    return { at: y(us), text: decadeText(us) };
  });
  const xTicks = [50, 90, 99, 99.9].map((percent) => ({
    at: nines(percent),
    text: `${percent} %`,
  }));
  const lines = drawn.map(({ kind, points }) => {
    const line = points.map(([percent, us], index) => {
      const verb = index === 0 ? "M" : "L";
      return `${verb}${fixed(nines(percent))} ${fixed(y(us))}`;
    });
    return `<path class="line ${kind}" d="${line.join("")}"/>`;
  });
  return chart(label, yTicks, [...xTicks, { at: nines(100), text: "all" }], lines);
}

/** What happened over time, in a second, the series on top of each other. */
export function timeChart(
  label: string,
  spanS: number,
  series: readonly Series[],
  format: (perSecond: number) => string,
): string {
  const finest = Math.max(0, ...series.map(({ amounts }) => amounts.length));
  const merged = Math.ceil(finest / COLUMNS_MAX);
  const spans = Math.ceil(finest / Math.max(merged, 1));
  const rates = series.map(({ amounts }) =>
    Array.from({ length: spans }, (_, span) => {
      const together = amounts.slice(span * merged, (span + 1) * merged);
      return together.reduce((sum, amount) => sum + amount, 0) / (merged * spanS);
    }),
  );
  const sums = Array.from({ length: spans }, (_, span) =>
    rates.reduce((sum, list) => sum + (list[span] ?? 0), 0),
  );
  const most = Math.max(0, ...sums);
  if (most === 0) return emptyChart(label);
  const top = roundUp(most);
  const y = (rate: number): number => TOP + PLOT_HEIGHT * (1 - rate / top);
  const width = PLOT_WIDTH / spans;
  const beneath = Array.from({ length: spans }, () => 0);
  const bars = series.map(({ kind }, index) => {
    const steps = (rates[index] ?? []).map((rate, span) => {
      const from = beneath[span] ?? 0;
      beneath[span] = from + rate;
      if (rate === 0) return "";
      const left = fixed(LEFT + span * width);
      return `M${left} ${fixed(y(from))}V${fixed(y(from + rate))}h${fixed(width)}V${fixed(y(from))}z`;
    });
    return `<path class="bar ${kind}" d="${steps.join("")}"/>`;
  });
  const yTicks = [0, top / 2, top].map((rate) => ({ at: y(rate), text: format(rate) }));
  const lengthS = spans * merged * spanS;
  const stepS = roundUp(lengthS / 5);
  const xTicks = Array.from({ length: Math.floor(lengthS / stepS) + 1 }, (_, step) => ({
    at: LEFT + (PLOT_WIDTH * step * stepS) / lengthS,
    text: `${Number((step * stepS).toPrecision(3))} s`,
  }));
  return chart(label, yTicks, xTicks, bars);
}

function chart(
  label: string,
  yTicks: readonly Tick[],
  xTicks: readonly Tick[],
  marks: readonly string[],
): string {
  const right = WIDTH - RIGHT;
  const base = TOP + PLOT_HEIGHT;
  const parts = [
    `<svg role="img" aria-label="${escapeHtml(label)}" viewBox="0 0 ${WIDTH} ${HEIGHT}">`,
    ...yTicks.flatMap(({ at, text }) => [
      `<path class="grid" d="M${LEFT} ${fixed(at)}H${right}"/>`,
      `<text class="y" x="${LEFT - 6}" y="${fixed(at + 4)}">${escapeHtml(text)}</text>`,
    ]),
    ...xTicks.flatMap(({ at, text }) => [
      `<path class="grid" d="M${fixed(at)} ${TOP}V${base + 4}"/>`,
      `<text class="x" x="${fixed(Math.min(at, right - 12))}" y="${base + 18}">${escapeHtml(text)}</text>`,
    ]),
    ...marks,
    "</svg>",
  ];
  return parts.join("");
}

function emptyChart(label: string): string {
  return `<p class="faint">${escapeHtml(label)}: there is nothing to draw.</p>`;
}

/** Where a percentage lies: every nine is as wide as the one before it. */
function nines(percent: number): number {
  const count = percent >= 100 ? NINES_MAX : -Math.log10(1 - percent / 100);
  return LEFT + (PLOT_WIDTH * Math.min(count, NINES_MAX)) / NINES_MAX;
}

/** `10 ms`: a power of ten has no digits to spare. */
function decadeText(us: number): string {
  return formatTime(us).replace(/\.0+(?= )|(?<=\.\d*[1-9])0+(?= )/, "");
}

/** The least of 1, 2 and 5 times a power of ten that is not below `value`. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return factor * power;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** `text` as it stands between tags, and in attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
