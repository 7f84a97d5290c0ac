// What the values of [status] and [metrics] mean together and on this machine (config layer). What others can reach must ask
// for a secret or a certificate, and what that takes must be there.

import type { Config } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import type { KeyPath } from "./schema.ts";
import { isLoopback, resolveStatus, statusAddress } from "./settings-status.ts";
import { endOf, readTls, type TlsFiles } from "./tls.ts";

export function checkStatus(config: Config, files: Files): readonly Finding[] {
  return [
    checkAddress(config),
    checkToken(config, files),
    checkPair(config) ?? checkTls(config, files),
    checkChanges(config),
  ].filter((finding) => finding !== undefined);
}

function checkAddress({ status }: Config): Finding | undefined {
  const path = "status.bind_addr";
  const listen = statusAddress(status.bind_addr);
  if (listen === undefined) return undefined;
  if (listen.port === 0) {
    return error(path, `\`${path}\` cannot have port 0`, 'write one, such as "127.0.0.1:9069".');
  }
  if (isLoopback(listen) || asksWho(status)) return undefined;
  const remedy = `write token_file = "/etc/snow-owl/status-token" and create it: head -c 24 /dev/urandom | base64 > FILE; or ask for certificates with client_ca_file; or listen on 127.0.0.1.`;
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
  if (!status.allow_changes || asksWho(status)) return undefined;
  const remedy = `write token_file = "/etc/snow-owl/status-token" and create it: head -c 24 /dev/urandom | base64 > FILE; or allow none.`;
  // Without a secret any page of the web could have a browser on this machine ask for it.
  return error(path, "changes are allowed, and no token is asked for", remedy);
}

function asksWho({ token_file: token, client_ca_file: ca }: Config["status"]): boolean {
  return token !== "" || ca !== "";
}

/** Keys that need each other. */
function checkPair({ status }: Config): Finding | undefined {
  const { certificate_file: certificate, key_file: key, client_ca_file: ca, bind_addr } = status;
  const [path] = tlsKeys.filter(([name]) => status[name] !== "").map(([, path]) => path);
  if (path === undefined) return undefined;
  if (bind_addr === "") {
    const remedy = 'write bind_addr = "0.0.0.0:9069" beside it, or remove it.';
    return warning(path, "certificates have no effect without `bind_addr`", remedy);
  }
  if (certificate !== "" && key !== "") return undefined;
  const missing = certificate === "" ? "certificate_file" : "key_file";
  const why = ca === "" ? "belong together" : "are needed to ask for certificates";
  const remedy = `write ${missing} = "/etc/snow-owl/tls/…" beside it.`;
  return error(path, `\`certificate_file\` and \`key_file\` ${why}`, remedy);
}

const tlsKeys = [
  ["certificate_file", "status.certificate_file"],
  ["key_file", "status.key_file"],
  ["client_ca_file", "status.client_ca_file"],
] as const;

const pathOf: Readonly<Record<keyof TlsFiles, KeyPath>> = {
  certificateFile: "status.certificate_file",
  keyFile: "status.key_file",
  clientCaFile: "status.client_ca_file",
};

function checkTls(config: Config, files: Files): Finding | undefined {
  const { tls, listen } = resolveStatus(config);
  if (tls === undefined || listen === undefined) return undefined;
  const read = readTls(tls, files);
  if ("message" in read) return error(pathOf[read.file], read.message, read.remedy);
  const end = new Date(endOf(read));
  if (end.getTime() > Date.now()) return undefined;
  const message = `the certificate in ${tls.certificateFile} has expired (${end.toISOString()})`;
  return warning(pathOf.certificateFile, message, "renew it; clients will not trust it.");
}
