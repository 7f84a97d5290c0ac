// The list of what is complete (cli layer): a line of JSON per file, added when it is, so that a run that was interrupted goes
// on where it stopped. A file counts only while it is here with the size and the SHA-256 that the list says.

import { appendFileSync, closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";

/** One complete file. */
export interface CompleteFile {
  readonly url: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** How much of a file is read at a time to hash it. */
const PIECE_BYTES = 1024 * 1024;

export class ResumeList {
  readonly #path: string;
  readonly #files: Map<string, CompleteFile> = new Map();
  /** What ends a line that a killed run has left half written. */
  #gap: string;

  /** Reads the list at `path`; one that is not there is empty. Throws what reading it says. */
  constructor(path: string) {
    this.#path = path;
    const lines = linesOf(path);
    this.#gap = (lines.at(-1) ?? "") === "" ? "" : "\n";
    for (const line of lines) {
      const file = completeFileOf(line);
      if (file !== undefined) this.#files.set(keyOf(file.url, file.file), file);
    }
  }

  /** Whether the list has `url` as `file`, and that is still so. Reads the whole file if its size agrees. */
  isComplete(url: string, file: string): boolean {
    const known = this.#files.get(keyOf(url, file));
    if (known === undefined) return false;
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size === known.bytes && sha256Of(file) === known.sha256;
  }

  /** Adds a file. A line is written at once, whole; throws what writing says. */
  add(file: CompleteFile): void {
    this.#files.set(keyOf(file.url, file.file), file);
    appendFileSync(this.#path, `${this.#gap}${JSON.stringify(file)}\n`);
    this.#gap = "";
  }
}

/** SHA-256 of the file at `path` in hexadecimal digits. Throws what reading it says. */
export function sha256Of(path: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  const fd = openSync(path, "r");
  try {
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) {
      hash.update(piece.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw cause;
  }
}

/** What a line says; undefined for the last one of a run that was killed while it wrote. */
function completeFileOf(line: string): CompleteFile | undefined {
  try {
    const { url, file, bytes, sha256 } = JSON.parse(line) as Partial<CompleteFile>;
    const isWhole = typeof url === "string" && typeof file === "string";
    if (!isWhole || typeof bytes !== "number" || typeof sha256 !== "string") return undefined;
    return { url, file, bytes, sha256 };
  } catch {
    return undefined;
  }
}

function keyOf(url: string, file: string): string {
  return `${url}\n${file}`;
}
