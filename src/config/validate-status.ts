// What the values of [status] and [metrics] mean together and on this machine (config layer). What others can reach must ask
// for a secret, and the secret must be there.

import type { Config } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import { isLoopback, statusAddress } from "./settings-status.ts";

export function checkStatus(config: Config, files: Files): readonly Finding[] {
  return [checkAddress(config), checkToken(config, files), checkChanges(config)].filter(
    (finding) => finding !== undefined,
  );
}

function checkAddress({ status }: Config): Finding | undefined {
  const path = "status.bind_addr";
  const listen = statusAddress(status.bind_addr);
  if (listen === undefined) return undefined;
  if (listen.port === 0) {
    return error(path, `\`${path}\` cannot have port 0`, 'write one, such as "127.0.0.1:9069".');
  }
  if (isLoopback(listen) || status.token_file !== "") return undefined;
  const remedy = `write token_file = "/etc/snow-owl/status-token" and create it: head -c 24 /dev/urandom | base64 > FILE; or listen on 127.0.0.1.`;
  return error(path, `others can reach ${status.bind_addr}, and no token is asked for`, remedy);
}

function checkToken({ status }: Config, files: Files): Finding | undefined {
  const path = "status.token_file";
  const file = status.token_file;
  if (file === "") return undefined;
  if (status.bind_addr === "") {
    const remedy = 'write bind_addr = "127.0.0.1:9069" beside it, or remove it.';
    return warning(path, "`token_file` has no effect without `bind_addr`", remedy);
  }
  if (files.exists(file)) return undefined;
  const remedy = `create it: head -c 24 /dev/urandom | base64 > ${shellQuoted(file)}, readable for the server's user alone.`;
  return error(path, `the token file ${file} does not exist`, remedy);
}

function checkChanges({ status }: Config): Finding | undefined {
  const path = "status.allow_changes";
  if (!status.allow_changes || status.token_file !== "") return undefined;
  const remedy = `write token_file = "/etc/snow-owl/status-token" and create it: head -c 24 /dev/urandom | base64 > FILE; or allow none.`;
  // Without a secret any page of the web could have a browser on this machine ask for it.
  return error(path, "changes are allowed, and no token is asked for", remedy);
}
