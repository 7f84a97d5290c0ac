// Ten bugs that servers have had, each as a change of one place of the source: planted in a copy of the tree, where the simulation must
// find it. A pattern that is not in the source any more is an error: then the list is brought up to date.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Mutant {
  readonly name: string;
  readonly path: string;
  /** What stands there, once, and what the bug has instead. */
  readonly text: string;
  readonly bug: string;
}

export const mutants: readonly Mutant[] = [
  {
    name: "answers a repeated ACK, as the Sorcerer's Apprentice did",
    path: "src/protocol/sender.ts",
    text: "if (this.#pacer === undefined) {\n      // RFC 1123 §4.2.3.1,",
    bug: "if (this.#pacer === undefined) {\n      this.#window.rewind();\n      // RFC 1123 §4.2.3.1,",
  },
  {
    name: "forgets that block numbers wrap",
    path: "src/protocol/blocks.ts",
    text: "if (distance < 0) distance += cycleBlocks(rolloverTo);",
    bug: "if (distance < 0) return -1;",
  },
  {
    name: "sets no timer for its OACK",
    path: "src/protocol/sender.ts",
    text: "this.#armDeadline(nowUs);\n      return Transmit.oack;",
    bug: "this.#deadlineUs = Infinity;\n      return Transmit.oack;",
  },
  {
    name: "leaks the slot of a client that ends with an ERROR",
    path: "src/server/transfers.ts",
    text: "this.#slots.release(transfer.slot);",
    bug: 'if (transfer.kind === "write" || transfer.sender.outcome !== "closed-by-client") this.#slots.release(transfer.slot);',
  },
  {
    name: "sends what a file has become under what it was",
    path: "src/storage/file-cache.ts",
    text: "return this.#stat.hasSameBytes(file.version) ? 0 : this.#changed(file);",
    bug: "return 0;",
  },
  {
    name: "keeps the descriptor of a netascii transfer",
    path: "src/storage/payload.ts",
    text: "this.#cache.unreserve(this.#ring);\n    this.#cache.close(this.file);",
    bug: "this.#cache.unreserve(this.#ring);",
  },
  {
    name: "acknowledges an upload before it is safe",
    path: "src/server/intake.ts",
    text: "if (!this.#hasFailed) this.upload.finish(this.#receiver.wasInvitedAgain);",
    bug: "if (!this.#hasFailed) { this.upload.finish(); this.#receiver.complete(0); }",
  },
  {
    name: "takes a write for whole that was short",
    path: "src/storage/upload-steps.ts",
    text: "done += result;\n  }\n  return 0;\n}\n\n/** Asks whether",
    bug: "done += left;\n  }\n  return 0;\n}\n\n/** Asks whether",
  },
  {
    name: "answers an ERROR with an ERROR",
    path: "src/server/strays.ts",
    text: "if (kind === Opcode.error) return;",
    bug: "",
  },
  {
    name: "starts a second transfer for a request that comes twice",
    path: "src/server/repetition.ts",
    text: "return !machine.hasHeard || sinceUs - machine.progressUs < RESTART_US;",
    bug: "return false;",
  },
];

/** What became of a mutant: how the simulation says that it has found it, or undefined; and the processor's seconds that it took. */
export interface Hunt {
  readonly found: string | undefined;
  readonly seconds: number;
}

const projectFolder: string = resolve(import.meta.dir, "../../..");

/** Plants `mutant` in a copy of the tree, and runs the simulation there from `seed` on, for so many of the processor's seconds at the most. */
export async function hunt(mutant: Mutant, seed: number, seconds: number): Promise<Hunt> {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-mutant-"));
  try {
    for (const part of ["src", "ffi", "test/sim", "package.json", "tsconfig.json"]) {
      cpSync(join(projectFolder, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(projectFolder, "node_modules"), join(folder, "node_modules"));
    plant(mutant, folder);
    const main = join(folder, "test/sim/world/main.ts");
    const child = Bun.spawn(
      [process.execPath, main, `--seed=${seed}`, `--minutes=${seconds / 60}`, "--processor"],
      {
        cwd: folder,
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    const said = await child.stderr.text();
    const isFound = (await child.exited) !== 0;
    // The line before the one that makes it again; an assertion of the server's own has found it as well.
    const why = said.split("\n\n").at(-2) ?? said.slice(-200);
    const found = isFound ? why : undefined;
    const { cpuTime } = child.resourceUsage() ?? {};
    return { found, seconds: Number(cpuTime?.total ?? 0) / 1e6 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether the place that `mutant` changes is there, once. */
export function isPlantable({ path, text }: Mutant): boolean {
  return readFileSync(join(projectFolder, path), "utf8").split(text).length === 2;
}

function plant(mutant: Mutant, folder: string): void {
  const { name, path, text, bug } = mutant;
  if (!isPlantable(mutant)) throw new Error(`"${name}": ${path} does not have once: ${text}`);
  const file = join(folder, path);
  writeFileSync(
    file,
    readFileSync(file, "utf8").replace(text, () => bug),
  );
}
