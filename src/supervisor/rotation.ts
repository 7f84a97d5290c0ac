// A log file that makes room for another (supervisor layer): by size or age it becomes `.1`, `.1` becomes `.2` and so on, the
// oldest goes, and an empty one is begun. Nothing is lost if that fails: the file goes on as it is, and it is tried again later.

import { fstatSync, renameSync } from "node:fs";

import type { RotationSettings } from "#config/settings.ts";

import { openLog, type Turnover } from "./logsink.ts";

/** After a failure, such as a folder that may not be written. */
const RETRY_MS = 60_000;

/** The turnover of the file at `path`. */
export class Rotation implements Turnover {
  readonly #path: string;
  readonly #settings: RotationSettings;
  readonly #failed: (because: string) => void;
  #bytes: number;
  #sinceMs: number;
  #notBeforeMs = 0;

  /** The file is open as `fd`. `failed` is told why it could not be renamed. */
  constructor(
    path: string,
    fd: number,
    settings: RotationSettings,
    failed: (because: string) => void,
  ) {
    this.#path = path;
    this.#settings = settings;
    this.#failed = failed;
    const { size, birthtimeMs } = fstatSync(fd);
    this.#bytes = size;
    this.#sinceMs = size === 0 ? Date.now() : birthtimeMs;
  }

  next(bytes: number): number | undefined {
    this.#bytes += bytes;
    const nowMs = Date.now();
    if (!this.#isFull(nowMs) || nowMs < this.#notBeforeMs) return undefined;
    try {
      this.#shift();
      const fd = openLog({ kind: "file", path: this.#path });
      this.#bytes = 0;
      this.#sinceMs = nowMs;
      return fd;
    } catch (cause) {
      this.#notBeforeMs = nowMs + RETRY_MS;
      this.#failed((cause as NodeJS.ErrnoException).code ?? String(cause));
      return undefined;
    }
  }

  #isFull(nowMs: number): boolean {
    const { bytesMax, ageMaxMs } = this.#settings;
    if (bytesMax > 0 && this.#bytes >= bytesMax) return true;
    return ageMaxMs > 0 && nowMs - this.#sinceMs >= ageMaxMs;
  }

  /** From the oldest on, so that each name is free when it is needed; the last one is replaced. */
  #shift(): void {
    for (let number = this.#settings.kept - 1; number > 0; number -= 1) {
      try {
        renameSync(`${this.#path}.${number}`, `${this.#path}.${number + 1}`);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
      }
    }
    renameSync(this.#path, `${this.#path}.1`);
  }
}
