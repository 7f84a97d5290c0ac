// Texts of uploads and hooks as configuration files write them (config layer): permissions, folders, users, addresses
// of the web. Each check returns what is wrong; nothing is looked up.

import { parseGlob } from "#policy/glob.ts";

import type { Fault } from "./address.ts";

/** A fault with the place in the text where it lies, in UTF-16 units from its start. */
export interface PlacedFault extends Fault {
  readonly at?: number;
}

/** A header of an HTTP request. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/** Permissions such as `0640`; undefined for what is none. Set-ID and sticky bits are none. */
export function parseFileMode(text: string): number | undefined {
  return /^0?[0-7]{3}$/u.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** What is wrong with permissions. */
export function fileModeFault(text: string): Fault | undefined {
  if (parseFileMode(text) !== undefined) return undefined;
  return {
    message: `cannot be ${JSON.stringify(text)}`,
    remedy: 'write three octal digits behind a 0, such as "0640".',
  };
}

/** What is wrong with a folder that must lie below another: it names one by its path there, or is empty. */
export function folderBelowFault(text: string): Fault | undefined {
  if (text === "") return undefined;
  const segments = text.split("/");
  if (!text.includes("\0") && !segments.some((segment) => ["", ".", ".."].includes(segment))) {
    return undefined;
  }
  return {
    message: `is ${JSON.stringify(text)}, which is no folder below another`,
    remedy: 'write its path from there, without a / at either end, such as ".versions".',
  };
}

/** What is wrong with one name of a folder or a file; it may be empty. */
export function fileNameFault(text: string): Fault | undefined {
  if (!text.includes("/")) return folderBelowFault(text);
  return {
    message: `is ${JSON.stringify(text)}, which is more than one name`,
    remedy: 'write one name without a /, such as ".versions".',
  };
}

/** What is wrong with a user or a group: a name, a number, or empty. Whether it exists is asked later. */
export function accountFault(text: string): Fault | undefined {
  if (/^(?:[a-z_][\w.-]*\$?|\d{1,10})?$/iu.test(text)) return undefined;
  return {
    message: `cannot be ${JSON.stringify(text)}`,
    remedy: "write one name or one number; user and group have keys of their own.",
  };
}

/** What is wrong with a name pattern, and where. */
export function patternFault(text: string): PlacedFault | undefined {
  if (text.trim() === "") {
    return { message: "is blank", remedy: 'say which names, such as "backups/*".' };
  }
  const glob = parseGlob(text);
  return glob.isGlob ? undefined : { message: glob.message, remedy: glob.remedy, at: glob.at };
}

/** What is wrong with a URL. Secrets in it would end in the log, so that they go into headers. */
export function httpUrlFault(text: string): Fault | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/u.test(url.protocol)) {
    return {
      message: `is ${JSON.stringify(text)}, which is no web address`,
      remedy: 'write it whole, such as "https://hooks.example.net/upload".',
    };
  }
  if (url.username === "" && url.password === "") return undefined;
  return {
    message: "holds a user's name or password",
    remedy: 'write it as a header: headers = ["Authorization: Basic …"].',
  };
}

/** The URL without its query, which may hold secrets: for the eyes of whoever reads a log. */
export function urlWithoutQuery(text: string): string {
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname}`;
}

/** Parses `Name: value`; undefined for what is no header (RFC 9110 §5.1, §5.5). */
export function parseHeader(text: string): Header | undefined {
  const groups =
    /^(?<name>[\w!#$%&'*+.^`|~-]+):\s*(?<value>[\t\u{20}-\u{7E}\u{80}-\u{FF}]*)$/u.exec(
      text,
    )?.groups;
  const { name = "", value = "" } = groups ?? {};
  return groups === undefined ? undefined : { name, value: value.trim() };
}

/** What is wrong with a path that must begin at the top of the file system. */
export function absolutePathFault(text: string): Fault | undefined {
  if (!text.startsWith("/")) {
    return { message: "is no absolute path", remedy: "write it from the top, with a `/` first." };
  }
  if (!text.split("/").includes("..")) return undefined;
  return { message: "has a segment `..`", remedy: "write where it leads to." };
}

/** What is wrong with a header. */
export function headerFault(text: string): Fault | undefined {
  if (parseHeader(text) !== undefined) return undefined;
  return { message: "is no header", remedy: 'write "Name: value" in one line.' };
}
