// Secrets that an administrator keeps in files (supervisor layer): the bearer token of the web server, and what hooks sign with.
// Read when the server starts and by every reload; nothing that shows settings has them.

import { readFileSync } from "node:fs";

import type { StartFault } from "#io/start.ts";

/** Shorter secrets can be guessed. */
const CHARACTERS_MIN = 16;

/** The first line of `path`. `what` names the file in faults: "the token file". */
export function readSecret(path: string, what: string): string | StartFault {
  const remedy = `write a secret of ${CHARACTERS_MIN} characters or more into it, readable for this user`;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return { fault: `cannot read ${what} ${path}: ${code}`, remedy };
  }
  const secret = text.split("\n")[0]?.trim() ?? "";
  if (secret.length >= CHARACTERS_MIN && !/\s/.test(secret)) return secret;
  return { fault: `the first line of ${path} is no secret that is long enough`, remedy };
}
