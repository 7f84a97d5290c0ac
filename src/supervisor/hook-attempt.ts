// One attempt of a hook (supervisor layer): a command without a shell, or a POST. It ends within its time limit, whatever the
// program or the service does, and never throws: what went wrong is a sentence for the log.

import type { HookSettings, PostAction } from "#config/settings-hooks.ts";

import { environmentOf, type HookEvent, jsonOf } from "./hook-event.ts";
import { signatureOf } from "./hook-secrets.ts";

/** How an attempt ended. */
export interface Attempt {
  readonly isSuccess: boolean;
  /** What went wrong; empty if nothing did. */
  readonly because: string;
  /** The beginning of what was printed or answered. */
  readonly output: string;
}

/** What is kept of an output: a guess, enough for an error and what led to it. What follows is read and forgotten. */
const OUTPUT_BYTES_MAX = 2048;
/** Between SIGTERM and SIGKILL, and for output after the end: a guess, within the second that a shutdown may take longer. */
const GRACE_MS = 250;
/** The header of a signature. */
const SIGNATURE = "X-Snow-Owl-Signature";

/** Makes one attempt; a POST is signed with `secret`, if there is one. `signal` ends it early. */
export async function attemptHook(
  hook: HookSettings,
  event: HookEvent,
  secret: string | undefined,
  signal: AbortSignal,
): Promise<Attempt> {
  const limit = new AbortController();
  const end = (): void => limit.abort(signal.reason);
  const timer = setTimeout(() => limit.abort("time limit reached"), hook.timeoutMs);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  try {
    return hook.action.kind === "command"
      ? await runCommand(hook.action.argv, event, limit.signal)
      : await post(hook.action, event, secret, limit.signal);
  } catch (cause) {
    const because = limit.signal.aborted ? String(limit.signal.reason) : causeText(cause);
    return { isSuccess: false, because, output: "" };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/** Runs a program in a process group of its own, so that what it started ends with it. */
async function runCommand(
  argv: readonly string[],
  event: HookEvent,
  limit: AbortSignal,
): Promise<Attempt> {
  const child = Bun.spawn([...argv], {
    cwd: "/",
    env: environmentOf(event),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A terminal's Ctrl-C is for the server, which decides itself what becomes of its hooks.
    detached: true,
  });
  const outputs = [new Output(child.stdout), new Output(child.stderr)];
  const stopped = Promise.withResolvers<void>();
  limit.addEventListener("abort", () => stopped.resolve(), { once: true });
  if (limit.aborted) stopped.resolve();
  await Promise.race([child.exited, stopped.promise]);
  const wasStopped = child.exitCode === null && child.signalCode === null;
  if (wasStopped) {
    signalGroup(child.pid, "SIGTERM");
    await Promise.race([child.exited, Bun.sleep(GRACE_MS)]);
    signalGroup(child.pid, "SIGKILL");
    await child.exited;
  }
  // A program may leave others behind that keep its output open; they are not waited for.
  await Promise.race([Promise.all(outputs.map((output) => output.ended)), Bun.sleep(GRACE_MS)]);
  const output = outputs.map((part) => part.take()).join("");
  if (wasStopped) return { isSuccess: false, because: String(limit.reason), output };
  if (child.exitCode === 0) return { isSuccess: true, because: "", output };
  const because =
    child.exitCode === null ? `ended by ${child.signalCode}` : `exit code ${child.exitCode}`;
  return { isSuccess: false, because, output };
}

/** Signals a process group. One that has ended meanwhile needs no signal. */
function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH, the only cause there is for one's own children.
  }
}

/** Redirects are not followed: what was to be told to one service is not told to another. */
async function post(
  action: PostAction,
  event: HookEvent,
  secret: string | undefined,
  limit: AbortSignal,
): Promise<Attempt> {
  const headers = new Headers({ "Content-Type": "application/json" });
  for (const { name, value } of action.headers) headers.set(name, value);
  const body = jsonOf(event);
  // At the time of the attempt: a call that had to wait is no old one that comes again.
  if (secret !== undefined) headers.set(SIGNATURE, signatureOf(body, secret, Date.now()));
  const response = await fetch(action.url, {
    method: "POST",
    headers,
    body,
    redirect: "manual",
    signal: limit,
  });
  const isSuccess = response.status >= 200 && response.status < 300;
  let output = "";
  if (response.body !== null) {
    const answer = new Output(response.body);
    await answer.full;
    output = answer.take();
  }
  return { isSuccess, because: isSuccess ? "" : `HTTP status ${response.status}`, output };
}

/** What is used of a stream's reader; the declarations of Bun and Node differ in the rest. */
interface StreamReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** The beginning of a stream, which is read to its end so that nobody waits for room in a pipe. */
class Output {
  /** Resolves when as much was read as is kept, or the stream ended. Never rejects. */
  readonly full: Promise<void>;
  /** Resolves when the stream ended. Never rejects. */
  readonly ended: Promise<void>;
  readonly #reader: StreamReader;
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.full = promise;
    this.ended = this.#read(resolve).finally(resolve);
  }

  /** What was kept, as text; nothing more is read. */
  take(): string {
    void this.#reader.cancel().catch(() => undefined);
    return new TextDecoder().decode(Buffer.concat(this.#kept)).trim();
  }

  async #read(full: () => void): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done || value === undefined) return;
        const room = OUTPUT_BYTES_MAX - this.#keptBytes;
        if (room > 0) this.#kept.push(value.slice(0, room));
        this.#keptBytes += Math.min(room, value.length);
        if (this.#keptBytes >= OUTPUT_BYTES_MAX) full();
      }
    } catch {
      // A stream that breaks off has ended; how the attempt went is told by its status.
    }
  }
}

/** `ENOENT`, `ECONNREFUSED`: the code where there is one, for messages may name half the configuration. */
function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  return code === "" ? `${cause.name}: ${cause.message}` : code;
}
