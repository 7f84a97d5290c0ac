// Where each key and value of a TOML document stands (config layer). The parser gives values alone; errors
// about their meaning need places. Expects a document that the parser has accepted, and always ends.

/** A stretch of the document, in UTF-16 units from its start. */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Where a key or a table's name stands, and its value where it has one of its own. */
export interface Position {
  readonly key: Span;
  /** The value's text; for a table with a header, the header's name. */
  readonly value: Span;
}

/**
 * Finds every key, table and array element. Paths join the parts with dots: `logging.level`; elements are
 * numbered, `allowed_patterns[0]`, those of arrays of tables too; parts that are no bare keys are quoted,
 * `a."b.c"`. What is named several times stands where it is named first.
 */
export function locate(document: string): ReadonlyMap<string, Position> {
  const scanner = new Scanner(document);
  scanner.scanDocument();
  return scanner.positions;
}

/** The path of `part` inside `path`, as {@link locate} writes it. */
export function join(path: string, part: string): string {
  const name = /^[\w-]+$/u.test(part) ? part : JSON.stringify(part);
  return path === "" ? name : `${path}.${name}`;
}

/** One part of a dotted key, unquoted, and its span with quotes. */
interface Part extends Span {
  readonly name: string;
}

class Scanner {
  readonly positions: Map<string, Position> = new Map();
  readonly #text: string;
  /** How many elements each array of tables has so far. */
  readonly #elements: Map<string, number> = new Map();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scanDocument(): void {
    let table = "";
    this.#skipSpace();
    while (this.#at < this.#text.length) {
      const before = this.#at;
      if (this.#sees("[")) table = this.#scanHeader();
      else this.#scanPair(table);
      this.#skipSpace();
      // Only a document that the parser would refuse gets here; skipping a unit keeps the promise to end.
      if (this.#at === before) this.#at++;
    }
  }

  /** `[a.b]` or `[[a.b]]`; returns the path of the table that it opens. */
  #scanHeader(): string {
    const isArray = this.#sees("[[");
    this.#at += isArray ? 2 : 1;
    const parts = this.#scanKey();
    this.#at += isArray ? 2 : 1;
    const path = this.#enter("", parts, isArray ? parts.length - 1 : parts.length);
    const last = parts.at(-1);
    if (!isArray || last === undefined) return path;
    const array = join(path, last.name);
    this.#note(array, last, last);
    const count = this.#elements.get(array) ?? 0;
    this.#elements.set(array, count + 1);
    const element = `${array}[${count}]`;
    this.#note(element, last, last);
    return element;
  }

  /** `a.b = value` inside the table at `path`. */
  #scanPair(path: string): void {
    const parts = this.#scanKey();
    if (this.#sees("=")) this.#at++;
    this.#skipSpace();
    const last = parts.at(-1);
    if (last === undefined) return;
    const own = join(this.#enter(path, parts, parts.length - 1), last.name);
    this.#note(own, last, this.#scanValue(own));
  }

  /** Walks the first `count` parts down from `path`, noting each table on the way. */
  #enter(path: string, parts: readonly Part[], count: number): string {
    let own = path;
    for (const part of parts.slice(0, count)) {
      own = join(own, part.name);
      this.#note(own, part, part);
      // A header below an array of tables speaks of the array's last element.
      const elements = this.#elements.get(own);
      if (elements !== undefined) own = `${own}[${elements - 1}]`;
    }
    return own;
  }

  #note(path: string, key: Span, value: Span): void {
    if (this.positions.has(path)) return;
    this.positions.set(path, {
      key: { start: key.start, end: key.end },
      value: { start: value.start, end: value.end },
    });
  }

  /** A dotted key up to `=` or `]`, which stays unread. */
  #scanKey(): Part[] {
    const parts: Part[] = [];
    for (;;) {
      this.#skip(/[ \t.]*/uy);
      const start = this.#at;
      const isBasic = this.#sees('"');
      const isQuoted = isBasic || this.#sees("'");
      if (isQuoted) this.#scanString();
      else this.#skip(/[\w-]*/uy);
      if (this.#at === start) return parts;
      const text = this.#text.slice(start, this.#at);
      const name = isBasic ? unescaped(text.slice(1, -1)) : isQuoted ? text.slice(1, -1) : text;
      parts.push({ name, start, end: this.#at });
    }
  }

  /** Any value, noting what it holds under `path`; returns its span. */
  #scanValue(path: string): Span {
    const start = this.#at;
    if (this.#sees("[")) this.#scanArray(path);
    else if (this.#sees("{")) this.#scanInlineTable(path);
    else if (this.#sees('"') || this.#sees("'")) this.#scanString();
    else this.#scanScalar();
    return { start, end: this.#at };
  }

  #scanArray(path: string): void {
    this.#at++;
    for (let index = 0; this.#continues("]"); index++) {
      const element = this.#scanValue(`${path}[${index}]`);
      this.#note(`${path}[${index}]`, element, element);
      this.#skipComma(element.start);
    }
  }

  #scanInlineTable(path: string): void {
    this.#at++;
    while (this.#continues("}")) {
      const before = this.#at;
      this.#scanPair(path);
      this.#skipComma(before);
    }
  }

  /** Whether another element follows; eats the closing bracket if not. */
  #continues(close: string): boolean {
    this.#skipSpace();
    if (this.#at >= this.#text.length) return false;
    if (!this.#sees(close)) return true;
    this.#at++;
    return false;
  }

  /** Eats the comma after an element that began at `start`, and at least one unit in all. */
  #skipComma(start: number): void {
    this.#skipSpace();
    if (this.#sees(",") || this.#at === start) this.#at++;
  }

  /** A string of any of the four kinds, quotes included. */
  #scanString(): void {
    const quote = this.#sees('"') ? '"' : "'";
    const isLong = this.#sees(quote.repeat(3));
    const fence = isLong ? quote.repeat(3) : quote;
    this.#at += fence.length;
    while (this.#at < this.#text.length && !this.#sees(fence)) {
      this.#at += quote === '"' && this.#sees("\\") ? 2 : 1;
    }
    this.#at += fence.length;
    // Up to two quotes may stand directly before the closing three.
    if (isLong) this.#skip(quote === '"' ? /"{0,2}/uy : /'{0,2}/uy);
    this.#at = Math.min(this.#at, this.#text.length);
  }

  /** A number, boolean or date: up to what ends a value, without the space before that. */
  #scanScalar(): void {
    const start = this.#at;
    this.#skip(/[^,\]}#\n]*/uy);
    this.#at = start + this.#text.slice(start, this.#at).trimEnd().length;
  }

  /** Space, line ends and comments. */
  #skipSpace(): void {
    this.#skip(/[ \t\r\n]*/uy);
    while (this.#sees("#")) {
      this.#skip(/[^\n]*/uy);
      this.#skip(/[ \t\r\n]*/uy);
    }
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** Moves past what a sticky pattern matches here. */
  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0;
  }
}

/** The escapes of a TOML basic string, without its quotes. */
function unescaped(text: string): string {
  const short: Readonly<Record<string, string>> = {
    b: "\b",
    t: "\t",
    n: "\n",
    f: "\f",
    r: "\r",
    e: "\u{1B}",
  };
  return text.replaceAll(
    /\\(?:u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|x([\dA-Fa-f]{2})|(.))/gu,
    (_, four?: string, eight?: string, two?: string, letter = "") => {
      const digits = four ?? eight ?? two;
      if (digits === undefined) return short[letter] ?? letter;
      const code = Number.parseInt(digits, 16);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : "";
    },
  );
}
