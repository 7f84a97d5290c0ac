// Which names may be uploaded, and on what terms (policy layer, pure). Decides from the cleaned name and the announced size
// alone; what only the file system knows (the name exists, the disk is full) is storage's to say.

import { type Glob, matchesGlob, parseGlob } from "./glob.ts";
import { type ByteString, byteStringOf, pathText } from "./names.ts";

/** What one upload may do. */
export interface UploadTerms {
  /** Whether a file that exists is replaced. */
  readonly mayOverwrite: boolean;
  /** The largest upload; 0 is unlimited. */
  readonly fileBytesMax: number;
  /** How many previous contents are kept; 0 keeps none. */
  readonly versionsKept: number;
}

/** Terms for the names that match `pattern`. */
export interface PatternTerms extends UploadTerms {
  readonly pattern: string;
}

/** Everything that decisions need. Folders are empty where there is none. */
export interface UploadRules {
  readonly isEnabled: boolean;
  /** Whether folders that a name asks for are created. In quarantine they always are: nobody made them there before. */
  readonly mayCreateFolders: boolean;
  readonly allowedPatterns: readonly string[];
  /** For names that no entry of {@link patterns} matches. */
  readonly terms: UploadTerms;
  /** The first that matches counts. They allow nothing by themselves. */
  readonly patterns: readonly PatternTerms[];
  /** Relative to the upload root. */
  readonly quarantineFolder: string;
  /** The name of the folder, beside each file, that its versions go to. */
  readonly versionsFolder: string;
  /** Whether what may be uploaded may not be read. */
  readonly isWriteOnly: boolean;
  /** The upload root's path below the served folder: empty where they are one, undefined where it lies outside. */
  readonly servedAs: string | undefined;
}

/** Where a folder that is served stands to the upload root. */
export interface UploadPlace {
  /** The upload root's path below the folder: empty where they are one, undefined where it lies elsewhere. */
  readonly servedAs: string | undefined;
  /** The folder's path below the upload root, likewise. */
  readonly within: string | undefined;
}

/** An upload that may begin. */
export interface AllowedUpload {
  readonly isAllowed: true;
  /** Where the file is to appear, relative to the upload root: the name, or the name in quarantine. */
  readonly target: ByteString;
  readonly mayCreateFolders: boolean;
  readonly terms: UploadTerms;
}

/** An upload that may not. `reply` names the constant sentence that the peer gets; `reason` is for the log. */
export interface RefusedUpload {
  readonly isAllowed: false;
  readonly cause: "write-disabled" | "denied" | "too-large";
  readonly reply: "accessViolation" | "diskFull";
  readonly reason: string;
  /** For `too-large`: what was announced. */
  readonly fileBytes?: number;
  /** For `too-large`: what is allowed. */
  readonly fileBytesMax?: number;
}

/** The rules with their patterns parsed, once. */
export class UploadPolicy {
  readonly #rules: UploadRules;
  readonly #allowed: readonly Glob[];
  readonly #patterns: readonly (readonly [Glob, UploadTerms])[];

  constructor(rules: UploadRules) {
    this.#rules = rules;
    this.#allowed = rules.allowedPatterns.map(parsePattern).filter((glob) => glob.isGlob);
    this.#patterns = rules.patterns.flatMap((terms) => {
      const glob = parsePattern(terms.pattern);
      return glob.isGlob ? [[glob, terms] as const] : [];
    });
  }

  /** Decides an upload to `path`, a cleaned name. `announcedBytes` is the client's `tsize` (RFC 2349), if it sent one. */
  decide(path: ByteString, announcedBytes: number | undefined): AllowedUpload | RefusedUpload {
    const { isEnabled, mayCreateFolders, quarantineFolder } = this.#rules;
    if (!isEnabled) return disabled;
    // Patterns are texts, and know a name by what it reads as.
    const text = pathText(path);
    if (!this.#isAllowed(text)) return notAllowed;
    if (this.#isOwn(text)) return own;
    const terms = this.#termsOf(text);
    const { fileBytesMax } = terms;
    if (fileBytesMax > 0 && announcedBytes !== undefined && announcedBytes > fileBytesMax) {
      return tooLarge(announcedBytes, fileBytesMax);
    }
    if (quarantineFolder === "") return { isAllowed: true, target: path, mayCreateFolders, terms };
    const target = `${byteStringOf(quarantineFolder)}/${path}`;
    return { isAllowed: true, target, mayCreateFolders: true, terms };
  }

  /**
   * Whether `path`, a cleaned name below the folder at `place`, may be read: not from quarantine, and not what a write-only
   * server took in. Kept versions are judged by the name that they are versions of.
   */
  mayRead(path: string, place: UploadPlace): boolean {
    const { servedAs, isWriteOnly, quarantineFolder } = this.#rules;
    const inner = pathInUploads(path, place);
    if (inner === undefined) return true;
    if (innerPath(inner, quarantineFolder) !== undefined) return false;
    if (!isWriteOnly) return true;
    // A folder for uploads alone is closed whole; in a shared one, so is every name that an upload may have.
    if (servedAs !== "") return false;
    return !this.#isAllowed(inner) && !this.#isAllowed(this.#currentName(inner));
  }

  #isAllowed(path: string): boolean {
    return this.#allowed.some((glob) => matchesGlob(glob, path));
  }

  /** Whether the name is one that the server gives to versions: a client must not rewrite history. */
  #isOwn(path: string): boolean {
    return this.#currentName(path) !== path;
  }

  /** The name that `path` would be a version of: `a/old/b.cfg.~2~` is one of `a/b.cfg`. Any other name is its own. */
  #currentName(path: string): string {
    const segments = path.replace(VERSION_SUFFIX, "").split("/");
    const { versionsFolder } = this.#rules;
    if (versionsFolder !== "" && segments.at(-2) === versionsFolder) segments.splice(-2, 1);
    return segments.join("/");
  }

  #termsOf(path: string): UploadTerms {
    const match = this.#patterns.find(([glob]) => matchesGlob(glob, path));
    return match?.[1] ?? this.#rules.terms;
  }
}

/** The pattern's own text, to be matched with cleaned names: these never begin with the `/` that stands for the root. */
export function rootedPattern(pattern: string): string {
  return pattern.replace(/^\/+/, "");
}

// `sw1.cfg.~12~`, the name of a kept version.
const VERSION_SUFFIX = /\.~\d+~$/;

const disabled: RefusedUpload = Object.freeze({
  isAllowed: false,
  cause: "write-disabled",
  reply: "accessViolation",
  reason: "writes disabled in configuration",
});
const notAllowed: RefusedUpload = Object.freeze({
  isAllowed: false,
  cause: "denied",
  reply: "accessViolation",
  reason: "file not in allowed_patterns",
});
const own: RefusedUpload = Object.freeze({
  isAllowed: false,
  cause: "denied",
  reply: "accessViolation",
  reason: "a name of the server's own, for kept versions",
});

function tooLarge(fileBytes: number, fileBytesMax: number): RefusedUpload {
  const reason = `upload of ${fileBytes} bytes, limit ${fileBytesMax}`;
  return {
    isAllowed: false,
    cause: "too-large",
    reply: "diskFull",
    reason,
    fileBytes,
    fileBytesMax,
  };
}

function parsePattern(pattern: string): ReturnType<typeof parseGlob> {
  return parseGlob(rootedPattern(pattern));
}

/** The path below the upload root of what has `path` below the folder at `place`; undefined if it lies elsewhere. */
function pathInUploads(path: string, { servedAs, within }: UploadPlace): string | undefined {
  if (servedAs !== undefined) return servedAs === "" ? path : innerPath(path, servedAs);
  return within === undefined ? undefined : `${within}/${path}`;
}

/** What follows `folder/` in `path`; undefined if it does not lie in there, or if there is no such folder. */
function innerPath(path: string, folder: string): string | undefined {
  const prefix = `${folder}/`;
  return folder !== "" && path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}
