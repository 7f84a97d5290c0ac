// `top` (cli layer): the terminal's other screen, drawn anew each second until q, Ctrl-C or the end of the server. Whatever ends it,
// the terminal is as before. Without a terminal it prints once.

import { isatty } from "node:tty";

import type { SnapshotView } from "#supervisor/api-shapes.ts";

import type { AdminLink } from "./admin-link.ts";
import { show } from "./exit.ts";
import { topScreen } from "./top-screen.ts";

const REFRESH_MS = 1000;
/** What is shown where nobody says how large the screen is. */
const PLAIN = { width: 160, rows: 60 } as const;
/** The other screen, and no cursor. */
const ENTER = "\u001B[?1049h\u001B[?25l";
const LEAVE = "\u001B[?25h\u001B[?1049l";
/** q, Q, and what raw mode makes of Ctrl-C and Ctrl-D. */
const ENDING_KEYS: ReadonlySet<number> = new Set([0x71, 0x51, 0x03, 0x04]);
const HOME = "\u001B[H";
/** To the end of the line; to the end of the screen. */
const CLEAR_LINE = "\u001B[K";
const CLEAR_BELOW = "\u001B[J";

export async function top(link: AdminLink, request: string): Promise<void> {
  const ask = async (): Promise<SnapshotView> => (await link.ask(request)) as SnapshotView;
  if (!isatty(0) || !isatty(1)) {
    const lines = topScreen(await ask(), PLAIN);
    // No colours for a file.
    show(Bun.stripANSI(lines.slice(0, -1).join("\n")));
    return;
  }
  let snapshot = await ask();
  const { promise: ended, resolve: end } = Promise.withResolvers<"end">();
  const { stdin, stdout } = process;
  const draw = (): void => {
    const size = { width: stdout.columns, rows: stdout.rows };
    const lines = topScreen(snapshot, size).map((line) => `${line}${CLEAR_LINE}`);
    stdout.write(`${HOME}${lines.join("\r\n")}${CLEAR_BELOW}`);
  };
  stdin.setRawMode(true);
  stdin.on("data", (keys: Buffer) => {
    if (keys.some((key) => ENDING_KEYS.has(key))) end("end");
  });
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const)
    process.on(signal, () => end("end"));
  stdout.on("resize", draw);
  stdout.write(ENTER);
  try {
    for (;;) {
      draw();
      const next = await Promise.race([ended, Bun.sleep(REFRESH_MS)]);
      if (next === "end") return;
      snapshot = await ask();
    }
  } finally {
    stdout.write(LEAVE);
    stdin.setRawMode(false);
    stdin.pause();
  }
}
