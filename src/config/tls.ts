// Certificates and keys of the web server (config layer): read together and judged together, by `check`, by the start and by every
// reload, so that a pair that does not fit is named before anything is closed. The key itself goes nowhere but to the web server.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

import type { Files } from "./files.ts";

/** Where they lie. */
export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Certificates that clients' certificates must come from; undefined: clients need none. */
  readonly clientCaFile: string | undefined;
}

/** What the files hold, in PEM. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** What is wrong with one of the files. */
export interface TlsFault {
  readonly file: keyof TlsFiles;
  readonly message: string;
  readonly remedy: string;
}

/** Reads all of them; or the first fault. */
export function readTls(places: TlsFiles, files: Pick<Files, "read">): TlsTexts | TlsFault {
  const { certificateFile, keyFile, clientCaFile } = places;
  const texts: Partial<Record<keyof TlsFiles, string>> = {};
  for (const [file, path] of [
    ["certificateFile", certificateFile],
    ["keyFile", keyFile],
    ["clientCaFile", clientCaFile],
  ] as const) {
    if (path === undefined) continue;
    const read = files.read(path);
    if ("code" in read) return unreadable(file, path, read.code);
    texts[file] = read.text;
  }
  const { certificateFile: certificate = "", keyFile: key = "", clientCaFile: clientCa } = texts;
  return judge(places, { certificate, key, clientCa }) ?? { certificate, key, clientCa };
}

/** When the certificate ends, milliseconds since 1970. */
export function endOf({ certificate }: TlsTexts): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

function judge(places: TlsFiles, { certificate, key, clientCa }: TlsTexts): TlsFault | undefined {
  const { certificateFile, keyFile, clientCaFile } = places;
  const pair = certificateOf(certificate);
  if (pair === undefined) return noPem("certificateFile", certificateFile, "certificate");
  const secret = keyOf(key);
  if (secret === undefined) return noPem("keyFile", keyFile, "private key without a passphrase");
  if (!pair.checkPrivateKey(secret)) {
    return {
      file: "keyFile",
      message: `the key in ${keyFile} does not belong to the certificate in ${certificateFile}`,
      remedy:
        "name the key that the certificate was made with; the server's own certificate stands first in its file.",
    };
  }
  if (clientCa === undefined || certificateOf(clientCa) !== undefined) return undefined;
  return noPem("clientCaFile", clientCaFile ?? "", "certificate");
}

function certificateOf(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text);
  } catch {
    return undefined;
  }
}

function keyOf(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    return undefined;
  }
}

function unreadable(file: keyof TlsFiles, path: string, code: string): TlsFault {
  const remedy =
    code === "EACCES"
      ? "let the server's user read it, and nobody else if it is a key: chown USER FILE && chmod 0400 FILE."
      : "put it there, or name another.";
  return { file, message: `cannot read ${path}: ${code}`, remedy };
}

function noPem(file: keyof TlsFiles, path: string, what: string): TlsFault {
  const message = `${path} holds no ${what} in PEM`;
  return { file, message, remedy: "write one that begins with `-----BEGIN`." };
}
