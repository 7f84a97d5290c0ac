// What a person sees while files come (end-to-end): bars in a terminal, captured from tmux; and plain lines where there is none.

import { describe, expect, test } from "bun:test";

import { placeBinary } from "./binary.ts";
import { clientFolder } from "./client-rig.ts";
import { skipBecause } from "./clients.ts";
import { temporaryFolder } from "./server.ts";
import { dataPacket, openPeer, type Peer } from "./wire.ts";

const BLOCKS = 200;

describe("in a terminal", () => {
  const name = "a bar per file grows, and a line says how it ended";
  const tmux = Bun.which("tmux");
  if (tmux === null) {
    if (process.env["CI"] === "true") {
      test(name, () => {
        throw new Error("apt-get install tmux");
      });
    } else {
      skipBecause(name, "apt-get install tmux");
    }
    return;
  }
  test(
    name,
    async () => {
      using home = temporaryFolder();
      using folder = clientFolder();
      using peer = await openPeer();
      const server = serveSlowly(peer);
      const binary = placeBinary(home.path);
      const socket = `owl-${process.pid}`;
      const inTmux = (...words: readonly string[]): string =>
        Bun.spawnSync([tmux, "-L", socket, "-f", "/dev/null", ...words], {
          cwd: folder.path,
          env: {
            PATH: process.env["PATH"] ?? "",
            TERM: "xterm",
            HOME: home.path,
            LC_ALL: "C.UTF-8",
          },
        }).stdout.toString();
      const command = `${binary} get -s 127.0.0.1:${peer.port} boot.wim -w 1 -b 512; sleep 60`;
      inTmux("new-session", "-d", "-x", "100", "-y", "10", command);
      try {
        const halves = await screen(
          inTmux,
          /^boot\.wim +[3-7]\d % \[#+> +\] +[\d.]+ kB +[\d.]+ MB\/s +ETA 0:\d\d$/m,
        );
        // The bar is drawn over itself.
        expect(halves.match(/boot\.wim/g)).toHaveLength(1);
        server.hurry();
        const end = await screen(inTmux, /^boot\.wim: 102 kB in [\d.]+ s/m);
        expect(end).not.toContain("[#");
      } finally {
        inTmux("kill-server");
        server.stop();
      }
      expect(folder.names()).toEqual(["boot.wim"]);
    },
    60_000,
  );
});

test("without a terminal there is a line at the end, and nothing that moves", async () => {
  using folder = clientFolder();
  using peer = await openPeer();
  const server = serveSlowly(peer);
  server.hurry();
  const { exitCode, error } = await folder.run(
    "get",
    "-s",
    `127.0.0.1:${peer.port}`,
    "f",
    "-w",
    "1",
    "-b",
    "512",
  );
  server.stop();
  expect(exitCode).toBe(0);
  expect(error).toMatch(/^f: 102 kB in [\d.]+ s(?:, [\d.]+ MB\/s)?\n$/);
});

interface SlowServer {
  /** From now on blocks go out without delay. */
  hurry(): void;
  stop(): void;
}

/** Sends a file of {@link BLOCKS} blocks to whoever asks first, 20 ms apart. */
function serveSlowly(peer: Peer): SlowServer {
  const pace = { pauseMs: 20, isStopped: false };
  const content = new Uint8Array(512).fill(0x61);
  const serve = async (): Promise<void> => {
    const request = await peer.next(20_000);
    const oack = Buffer.from(`\x00\x06tsize\x00${BLOCKS * 512}\x00`, "latin1");
    peer.send(oack, request.port);
    for (let block = 0; block <= BLOCKS && !pace.isStopped;) {
      const { text } = await peer.next(20_000);
      if (text !== `ACK ${block}`) continue;
      block += 1;
      if (pace.pauseMs > 0) await Bun.sleep(pace.pauseMs);
      const payload = block <= BLOCKS ? content : new Uint8Array();
      peer.send(dataPacket(block, payload), request.port);
    }
  };
  // Whoever has stopped listening is told by the test that waits for him.
  void serve().catch(() => {});
  return { hurry: () => (pace.pauseMs = 0), stop: () => (pace.isStopped = true) };
}

/** The terminal's text once it matches. */
async function screen(
  inTmux: (...words: readonly string[]) => string,
  wanted: RegExp,
): Promise<string> {
  let text = "";
  for (let attempt = 0; attempt < 300; attempt += 1) {
    text = inTmux("capture-pane", "-p");
    if (wanted.test(text)) return text;
    await Bun.sleep(50);
  }
  throw new Error(`the terminal does not show ${wanted}; it shows:\n${text}`);
}
