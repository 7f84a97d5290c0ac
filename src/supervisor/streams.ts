// Who listens (supervisor layer): server-sent events to a bounded number of readers. A reader that is behind misses events and is
// told how many; nobody waits for it. https://html.spec.whatwg.org/multipage/server-sent-events.html

/** Readers of one stream: people with a page open. A guess. */
const READERS_MAX = 32;
/** What may wait for one reader. */
const BEHIND_BYTES_MAX = 4 * 1024 * 1024;

interface Reader {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  missed: number;
}

export class Stream {
  readonly #readers = new Set<Reader>();
  readonly #encoder = new TextEncoder();

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** A body that gets everything from now on, beginning with `first`; undefined when there are too many readers. */
  open(first?: string): ReadableStream<Uint8Array> | undefined {
    if (this.#readers.size >= READERS_MAX) return undefined;
    let reader: Reader | undefined;
    const readers = this.#readers;
    const bytes = this.#encoder.encode(first ?? ": welcome\n\n");
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          reader = { controller, missed: 0 };
          readers.add(reader);
          controller.enqueue(bytes);
        },
        cancel() {
          if (reader !== undefined) readers.delete(reader);
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: BEHIND_BYTES_MAX }),
    );
  }

  /** Tells every reader of `event`. */
  send(event: string, value: unknown): void {
    if (this.#readers.size > 0) this.#write(eventText(event, value), 1);
  }

  /** Keeps connections open on which nothing happens. */
  keepAlive(): void {
    if (this.#readers.size > 0) this.#write(": still here\n\n", 0);
  }

  close(): void {
    for (const { controller } of this.#readers) controller.close();
    this.#readers.clear();
  }

  #write(text: string, events: number): void {
    const bytes = this.#encoder.encode(text);
    for (const reader of this.#readers) {
      const { controller, missed } = reader;
      if ((controller.desiredSize ?? 0) < bytes.length) {
        reader.missed += events;
        continue;
      }
      if (missed > 0) {
        controller.enqueue(this.#encoder.encode(eventText("missed", { events: missed })));
        reader.missed = 0;
      }
      controller.enqueue(bytes);
    }
  }
}

/** One event. JSON has no line ends. */
export function eventText(event: string, value: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
}
