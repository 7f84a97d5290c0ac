// A flame graph as one SVG file (bench): width is the share of samples, from below upwards is who calls whom, and what is under the pointer is told
// by its title. Pure; no scripts, nothing loaded from elsewhere.

import type { Origin, Place, Stack } from "./stacks.ts";

interface Frame {
  readonly place: Place;
  samples: number;
  readonly inside: Map<string, Frame>;
}

const WIDTH = 1600;
const FRAME_HEIGHT = 17;
const HEAD_HEIGHT = 48;
/** What is narrower cannot be seen. */
const WIDTH_MIN = 0.4;
const CHARACTER_WIDTH = 6.4;

const COLORS: Readonly<Record<Origin, string>> = {
  kernel: "#f0a35e",
  script: "#7fc97f",
  engine: "#c9c3d6",
  library: "#8db8e8",
  thread: "#dddddd",
};

/** The picture, with what `title` says above it. */
export function flameGraph(stacks: readonly Stack[], title: string): string {
  const root = frameOf({ name: "all", origin: "thread" });
  for (const stack of stacks) add(root, stack);
  const depth = depthOf(root);
  const height = HEAD_HEIGHT + depth * FRAME_HEIGHT + 4;
  const parts: string[] = [];
  draw(root, 0, height - 4 - FRAME_HEIGHT, root.samples, parts);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="ui-monospace, monospace" font-size="11">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="18" font-size="14" font-family="system-ui, sans-serif">${escaped(title)}</text>
${legend()}
${parts.join("\n")}
</svg>
`;
}

function frameOf(place: Place): Frame {
  return { place, samples: 0, inside: new Map() };
}

function add(root: Frame, { places, samples }: Stack): void {
  let frame = root;
  frame.samples += samples;
  for (const place of places) {
    const next = frame.inside.get(place.name) ?? frameOf(place);
    frame.inside.set(place.name, next);
    next.samples += samples;
    frame = next;
  }
}

function depthOf(frame: Frame): number {
  return 1 + Math.max(0, ...[...frame.inside.values()].map(depthOf));
}

function draw(frame: Frame, x: number, y: number, total: number, parts: string[]): void {
  const width = (frame.samples / total) * WIDTH;
  if (width < WIDTH_MIN) return;
  const { name, origin } = frame.place;
  const share = ((frame.samples / total) * 100).toFixed(2);
  const room = Math.floor((width - 4) / CHARACTER_WIDTH);
  const shown = name.length <= room ? name : room < 4 ? "" : `${name.slice(0, room - 1)}…`;
  parts.push(
    `<g><title>${escaped(name)}: ${share} %, ${frame.samples} samples</title>` +
      `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.3, width - 0.4).toFixed(1)}" height="${FRAME_HEIGHT - 1}" fill="${COLORS[origin]}"/>` +
      (shown === ""
        ? ""
        : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escaped(shown)}</text>`) +
      "</g>",
  );
  let from = x;
  const inside = [...frame.inside.values()].toSorted((left, right) =>
    left.place.name < right.place.name ? -1 : 1,
  );
  for (const next of inside) {
    draw(next, from, y - FRAME_HEIGHT, total, parts);
    from += (next.samples / total) * WIDTH;
  }
}

function legend(): string {
  const names = Object.entries(COLORS).filter(([origin]) => origin !== "thread");
  return names
    .map(
      ([origin, color], index) =>
        `<rect x="${8 + index * 90}" y="26" width="12" height="12" fill="${color}"/><text x="${24 + index * 90}" y="36">${origin}</text>`,
    )
    .join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
