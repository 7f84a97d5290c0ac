// What is said to the service manager (io layer), by the protocol of sd_notify(3). It is a courtesy: a manager that is not there,
// or does not listen, changes nothing.

import { monotonicClockUs } from "#ffi/process.ts";
import { connectDatagrams, sendText } from "#ffi/unix-socket.ts";

/** One thing to say, such as `READY`, and its value. */
export type Notice = Readonly<Record<string, string | number>>;

/** The way to the service manager. */
export class ServiceManager {
  readonly #fd: number;
  /** How often the manager wants to hear that all is well; undefined: it does not ask. */
  readonly watchdogMs: number | undefined;

  /** Reads where it listens, and what it asks of the process `pid`. The variables are removed. */
  constructor(environment: NodeJS.ProcessEnv, pid: number) {
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: period, WATCHDOG_PID: watched } = environment;
    for (const name of VARIABLES) delete environment[name];
    this.#fd = path === undefined ? -1 : connectDatagrams(path);
    const isWatched = this.#fd >= 0 && Number(period) > 0 && Number(watched ?? pid) === pid;
    this.watchdogMs = isWatched ? Number(period) / 1000 : undefined;
  }

  /** Says it; a manager that does not keep up misses it. */
  tell(notice: Notice): void {
    if (this.#fd < 0) return;
    const lines = Object.entries(notice).map(([name, value]) => `${name}=${value}`);
    sendText(this.#fd, lines.join("\n"));
  }

  /** A reload begins. The time tells it from others. */
  tellReload(): void {
    this.tell({ RELOADING: 1, MONOTONIC_USEC: Math.floor(monotonicClockUs()) });
  }
}

const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;
