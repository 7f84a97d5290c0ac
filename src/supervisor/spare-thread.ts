// A thread in reserve (supervisor layer): it has loaded the shards' module and waits to be told whose place it takes. To start a
// thread takes some 25 ms, and more on a busy machine; the clients of a shard that died should not wait for that.

import { Worker } from "node:worker_threads";

/** At most one thread waits. */
export class SpareThread {
  readonly #workerUrl: URL;
  #waiting: Worker | undefined;

  constructor(workerUrl: URL) {
    this.#workerUrl = workerUrl;
  }

  /** The thread that waits, or else one that still has to load. It serves the first message that it gets. */
  take(): Worker {
    const worker = this.#waiting ?? new Worker(this.#workerUrl);
    this.#waiting = undefined;
    return worker;
  }

  /** Sees to it that one waits. */
  prepare(): void {
    if (this.#waiting !== undefined) return;
    const worker = new Worker(this.#workerUrl);
    this.#waiting = worker;
    // What keeps it from loading is told of the next one, which somebody waits for.
    worker.on("error", () => this.#forget(worker));
    worker.on("exit", () => this.#forget(worker));
  }

  /** Ends the one that waits. */
  end(): void {
    void this.#waiting?.terminate();
    this.#waiting = undefined;
  }

  #forget(worker: Worker): void {
    if (this.#waiting === worker) this.#waiting = undefined;
  }
}
