// What POSTs of hooks are signed with (supervisor layer), and how: HMAC-SHA-256 (RFC 2104) over the time and the body, so that who
// knows the secret can tell that a call is ours, is whole, and is not an old one come again.

import { createHmac } from "node:crypto";

import type { HookSettings } from "#config/settings-hooks.ts";
import type { StartFault } from "#io/start.ts";

import { readSecret } from "./secret-file.ts";

/** Each secret by the path of its file. */
export type HookSecrets = ReadonlyMap<string, string>;

/** The secrets of all hooks; or the first fault. */
export function readHookSecrets(hooks: readonly HookSettings[]): HookSecrets | StartFault {
  const secrets = new Map<string, string>();
  for (const { action } of hooks) {
    if (action.kind !== "post" || action.secretFile === undefined) continue;
    const secret = readSecret(action.secretFile, "a hook's secret file");
    if (typeof secret !== "string") return secret;
    secrets.set(action.secretFile, secret);
  }
  return secrets;
}

/**
 * The value of `X-Snow-Owl-Signature`: `t=SECONDS,v1=DIGITS`. The digits are the hexadecimal HMAC-SHA-256, by the bytes of the
 * secret, of the seconds as they stand there, a full stop, and the body.
 */
export function signatureOf(body: string, secret: string, timeMs: number): string {
  const seconds = Math.floor(timeMs / 1000);
  const digits = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digits}`;
}
