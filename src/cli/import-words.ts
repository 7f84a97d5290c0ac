// Shell variables and command lines of other servers (cli layer), as files in /etc/default hold them: assignments, quotes and
// options as getopt_long(3) takes them. Nothing is executed; what needs a shell is left as it stands.

/** The variables that a file of assignments sets: `NAME="value"`. The last assignment counts. */
export function readAssignments(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.replaceAll("\\\n", "").split("\n")) {
    const found = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line);
    if (found !== null) values.set(found[1] ?? "", splitWords(found[2] ?? "", true)[0] ?? "");
  }
  return values;
}

/** The words of a command line, quotes removed. `isAssignment`: a comment needs a space before it, and one word is wanted. */
export function splitWords(text: string, isAssignment = false): readonly string[] {
  const words: string[] = [];
  const token = /\s*((?:[^\s"'\\#]|(?<=\S)#|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/y;
  for (;;) {
    const found = token.exec(text);
    if (found === null) return words;
    words.push((found[1] ?? "").replaceAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, unquoted));
    if (isAssignment) return words;
  }
}

function unquoted(_: string, double?: string, single?: string, escaped?: string): string {
  return double?.replaceAll(/\\(["\\$`])/g, "$1") ?? single ?? escaped ?? "";
}

/** An option of a program: its long name, its letter, and whether a value follows. */
export interface ProgramOption {
  readonly name: string;
  readonly letter?: string;
  readonly value: "none" | "required" | "optional";
}

/** An option as it was given. */
export interface GivenOption {
  /** The long name; undefined if the program has no such option. */
  readonly name: string | undefined;
  readonly value: string;
  /** As it was written. */
  readonly written: string;
}

/** Reads words as getopt_long does: `--name=value`, `--nam value`, `-nVALUE`, `-abc`. The rest are operands. */
export function readOptions(
  words: readonly string[],
  table: readonly ProgramOption[],
): { readonly options: readonly GivenOption[]; readonly operands: readonly string[] } {
  const options: GivenOption[] = [];
  const operands: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "--") {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const typed = word.slice(2, equals < 0 ? undefined : equals);
      const option = longOption(typed, table);
      const takesNext = option?.value === "required" && equals < 0;
      const value = takesNext ? (words[++index] ?? "") : equals < 0 ? "" : word.slice(equals + 1);
      options.push({ name: option?.name, value, written: takesNext ? `${word} ${value}` : word });
    } else if (word.startsWith("-") && word !== "-") {
      index += readLetters(word, words[index + 1], table, options);
    } else {
      operands.push(word);
    }
  }
  return { options, operands };
}

/** Reads `-abc` or `-aVALUE`. Returns how many further words were taken. */
function readLetters(
  word: string,
  next: string | undefined,
  table: readonly ProgramOption[],
  options: GivenOption[],
): number {
  for (let index = 1; index < word.length; index += 1) {
    const letter = word[index] ?? "";
    const option = table.find((each) => each.letter === letter);
    const rest = word.slice(index + 1);
    if (option === undefined || option.value === "none") {
      options.push({ name: option?.name, value: "", written: `-${letter}` });
      continue;
    }
    const takesNext = rest === "" && option.value === "required";
    const value = takesNext ? (next ?? "") : rest;
    options.push({
      name: option.name,
      value,
      written: `-${letter}${value === "" ? "" : ` ${value}`}`,
    });
    return takesNext ? 1 : 0;
  }
  return 0;
}

/** The option of this name, or the only one that begins so. */
function longOption(typed: string, table: readonly ProgramOption[]): ProgramOption | undefined {
  const exact = table.find(({ name }) => name === typed);
  const starts = table.filter(({ name }) => name.startsWith(typed));
  return exact ?? (starts.length === 1 ? starts[0] : undefined);
}
