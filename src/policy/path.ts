// From the name a client sent to a path below the root (policy layer, pure). Containment itself is the
// kernel's (openat2); what is refused here is refused early, with a word for the log.

/** A name that may be looked up, relative to the root, with `/` between its segments. */
export interface CleanName {
  readonly isClean: true;
  readonly path: string;
}

/** A name that is not looked up. `traversal`: it has a `..` segment; `hidden`: a segment begins with a dot. */
export interface RefusedName {
  readonly isClean: false;
  readonly cause: "traversal" | "hidden" | "empty" | "too-long";
}

// PATH_MAX, linux/limits.h, which counts the final NUL.
const PATH_BYTES_MAX = 4095;

const traversal: RefusedName = Object.freeze({ isClean: false, cause: "traversal" });
const hidden: RefusedName = Object.freeze({ isClean: false, cause: "hidden" });
const empty: RefusedName = Object.freeze({ isClean: false, cause: "empty" });
const tooLong: RefusedName = Object.freeze({ isClean: false, cause: "too-long" });

/**
 * Cleans `name`: `\` becomes `/`, a drive letter and leading slashes go, empty and `.` segments go, and a name that
 * spells out the whole `rootDir` loses it. Only a whole segment `..` is traversal: `a..b` is a legal name. Hidden names
 * are refused, and with them the temporary files of uploads, whose names begin with a dot.
 */
export function cleanName(name: string, rootDir: string): CleanName | RefusedName {
  // One segment, as it stands: what most boot loaders ask for.
  if (/^[\w-][\w.-]{0,254}$/.test(name)) return { isClean: true, path: name };
  const slashed = slashedName(name);
  const segments = withoutRoot(segmentsOf(slashed), segmentsOf(rootDir), slashed.startsWith("/"));
  if (segments.includes("..")) return traversal;
  if (segments.length === 0) return empty;
  if (segments.some((segment) => segment.startsWith("."))) return hidden;
  const path = segments.join("/");
  // A character is at most three bytes of UTF-8 per UTF-16 unit; the kernel refuses the few that slip through.
  return path.length > PATH_BYTES_MAX ? tooLong : { isClean: true, path };
}

/**
 * The name as rules see it: cleaned as by {@link cleanName}, but nothing is refused yet, for a rule may mend it.
 * `..` segments stay.
 */
export function tidyName(name: string, rootDir: string): string {
  const slashed = slashedName(name);
  return withoutRoot(segmentsOf(slashed), segmentsOf(rootDir), slashed.startsWith("/")).join("/");
}

/** With slashes that lean forward, and no drive letter: `C:\Boot\BCD` is `/Boot/BCD`. */
function slashedName(name: string): string {
  return name.replaceAll("\\", "/").replace(/^[A-Za-z]:(?=\/)/, "");
}

/** The segments of a path, without empty ones and `.`. */
export function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

function withoutRoot(segments: string[], root: string[], isAbsolute: boolean): string[] {
  const spellsRoot =
    isAbsolute &&
    root.length > 0 &&
    segments.length > root.length &&
    root.every((segment, index) => segments[index] === segment);
  return spellsRoot ? segments.slice(root.length) : segments;
}
