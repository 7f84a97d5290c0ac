// The charts of the comparison (bench): horizontal bars, a group for each load, a bar for each server. Pure: figures in, SVG out, one file for
// light pages and one for dark ones.

import { type Figures, figureText, type RowFigures, valueOf } from "./figures.ts";
import { type Aspect, type Measure, type Row, rowName } from "./rows.ts";
import { OURS } from "./servers.ts";

/** A file for docs/img, without its ending. */
export interface Chart {
  readonly name: string;
  readonly svg: string;
}

interface Bar {
  readonly server: string;
  readonly value: number;
  readonly text: string;
}

interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

interface Theme {
  readonly name: "light" | "dark";
  readonly ink: string;
  readonly faint: string;
  readonly ours: string;
  readonly peer: string;
  readonly floor: string;
}

/** The colours are those of GitHub's pages, on which these charts are looked at; each text has a contrast of more than 4.5 with its page. */
const themes: readonly Theme[] = [
  {
    name: "light",
    ink: "#1f2328",
    faint: "#59636e",
    ours: "#0969da",
    peer: "#8c959f",
    floor: "#d1d9e0",
  },
  {
    name: "dark",
    ink: "#f0f6fc",
    faint: "#9198a1",
    ours: "#4493f8",
    peer: "#656c76",
    floor: "#3d444d",
  },
];

const WIDTH = 860;
const LABEL_WIDTH = 110;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 16;
const BAR_PITCH = 21;
const TITLE_HEIGHT = 44;
const GROUP_TITLE_HEIGHT = 26;
const GROUP_GAP = 12;

/** Every chart of which `all` has a row, in both themes. */
export function chartsOf(all: readonly RowFigures[]): readonly Chart[] {
  const by = (measure: Measure): readonly RowFigures[] =>
    all.filter(({ row }) => row.measure === measure);
  const kinds: readonly (readonly [
    name: string,
    title: string,
    rows: readonly RowFigures[],
    aspect: Aspect,
  ])[] = [
    ["peers-cpu", "Server CPU seconds per GB served: less is better", by("cost of bytes"), "cost"],
    [
      "peers-requests",
      "Server CPU per file, or per reply: less is better",
      by("cost of a transfer"),
      "cost",
    ],
    ["peers-speed", "One client, MB/s: more is better", by("speed"), "speed"],
    [
      "peers-p99",
      "Of a hundred clients the slowest, ms: less is better",
      all.filter(({ row }) => row.concurrent >= 200),
      "p99",
    ],
  ];
  return kinds
    .filter(([, , rows]) => rows.length > 0)
    .flatMap(([name, title, rows, aspect]) => {
      const groups = rows.map((figures) => groupOf(figures, aspect));
      return themes.map((theme) => ({
        name: `${name}-${theme.name}`,
        svg: drawing(title, groups, theme),
      }));
    });
}

function groupOf({ row, ours, peers, floor }: RowFigures, aspect: Aspect): BarGroup {
  const shown = [ours, ...peers, ...(floor === undefined ? [] : [floor])];
  return { title: rowName(row), bars: shown.map((each) => barOf(row, each, aspect)) };
}

function barOf(row: Row, each: Figures, aspect: Aspect): Bar {
  const value = each.isFinished ? valueOf(row, each, aspect) : Number.NaN;
  return { server: each.server, value, text: figureText(row, each, aspect) };
}

/** Bars of one group share a scale; groups may differ by orders of magnitude, and each fills its width. */
function drawing(title: string, groups: readonly BarGroup[], theme: Theme): string {
  const parts: string[] = [];
  let y = TITLE_HEIGHT;
  for (const group of groups) {
    parts.push(text(0, y + 13, group.title, theme.faint, 13));
    y += GROUP_TITLE_HEIGHT;
    const most = Math.max(...group.bars.map(({ value }) => (Number.isFinite(value) ? value : 0)));
    for (const bar of group.bars) {
      parts.push(...drawnBar(bar, most, y, theme));
      y += BAR_PITCH;
    }
    y += GROUP_GAP;
  }
  const label = escaped(`${title}. ${groups.map(groupText).join(" ")}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="${label}" font-family="system-ui, sans-serif">
${[text(0, 20, title, theme.ink, 16, "600"), ...parts].join("\n")}
</svg>
`;
}

function drawnBar(
  { server, value, text: words }: Bar,
  most: number,
  y: number,
  theme: Theme,
): string[] {
  const isOurs = server === OURS;
  const color = isOurs ? theme.ours : server === "floor" ? theme.floor : theme.peer;
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const length = Number.isFinite(value) && most > 0 ? Math.max(1, (value / most) * room) : 0;
  const weight = isOurs ? "600" : "400";
  return [
    text(0, y + 12, server, theme.ink, 12, weight),
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${color}"/>`,
    text(LABEL_WIDTH + length + 6, y + 12, words, theme.ink, 12, weight),
  ];
}

function text(
  x: number,
  y: number,
  words: string,
  color: string,
  size: number,
  weight = "400",
): string {
  return `<text x="${x.toFixed(1)}" y="${y}" fill="${color}" font-size="${size}" font-weight="${weight}">${escaped(words)}</text>`;
}

/** For those who do not see the bars. */
function groupText({ title, bars }: BarGroup): string {
  return `${title}: ${bars.map(({ server, text: words }) => `${server} ${words}`).join(", ")}.`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
