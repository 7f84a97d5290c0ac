// Certificates for tests (end-to-end): an authority of its own, and what it has signed, made by openssl as an administrator would.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of a certificate and its key, in PEM. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Makes the authority `name` in `folder`. */
export function makeAuthority(folder: string, name: string): Pair {
  const pair = pairOf(folder, name);
  const subject = ["-subj", `/CN=${name}`, "-days", "2"];
  openssl(["req", "-x509", ...newKey(pair.key), "-out", pair.certificate, ...subject]);
  return readable(pair);
}

/** Makes the certificate `name` of 127.0.0.1, signed by `authority`. */
export function makeCertificate(folder: string, name: string, authority: Pair): Pair {
  const pair = pairOf(folder, name);
  const [request, extensions] = [`${pair.certificate}.csr`, `${pair.certificate}.ext`];
  openssl(["req", ...newKey(pair.key), "-out", request, "-subj", `/CN=${name}`]);
  writeFileSync(extensions, "subjectAltName=IP:127.0.0.1");
  const signer = ["-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial"];
  const made = ["-in", request, "-out", pair.certificate, "-days", "2", "-extfile", extensions];
  openssl(["x509", "-req", ...signer, ...made]);
  return readable(pair);
}

function newKey(path: string): readonly string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path];
}

function pairOf(folder: string, name: string): Pair {
  return { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}

/** For the user that the server becomes, too. */
function readable(pair: Pair): Pair {
  for (const path of [pair.certificate, pair.key]) chmodSync(path, 0o644);
  return pair;
}

function openssl(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
