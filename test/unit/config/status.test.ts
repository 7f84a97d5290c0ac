// [status] and [metrics]: what others can reach asks for a secret, and what does nothing is said.

import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";

import { loadConfig } from "#config/load.ts";
import { validateConfig } from "#config/validate.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const key = privateKey.export({ type: "pkcs8", format: "pem" });

const files = {
  exists: (path: string) => path !== "/missing",
  isDirectory: () => true,
  isReadable: () => true,
  isWritable: () => true,
  isProgram: () => true,
  canAppend: () => true,
  read: (path: string) => (path === "/key.pem" ? { text: key } : { code: "EACCES" }),
};

test.each([
  ['bind_addr = "0.0.0.0:9069"', "error: others can reach 0.0.0.0:9069"],
  ['bind_addr = "[::]:9069"', "error: others can reach [::]:9069"],
  ['bind_addr = "127.0.0.1:0"', "error: `status.bind_addr` cannot have port 0"],
  [
    'bind_addr = "0.0.0.0:9069"\ntoken_file = "/missing"',
    "error: the token file /missing does not exist",
  ],
  ['token_file = "/secret"', "warning: `token_file` has no effect"],
  [
    'bind_addr = "0.0.0.0:9069"\ncertificate_file = "/c.pem"\nkey_file = "/key.pem"\nclient_ca_file = "/ca.pem"',
    "error: cannot read /c.pem: EACCES",
  ],
  [
    'bind_addr = "127.0.0.1:9069"\ncertificate_file = "/key.pem"\nkey_file = "/key.pem"',
    "error: /key.pem holds no certificate in PEM",
  ],
  [
    'bind_addr = "127.0.0.1:9069"\ncertificate_file = "/c.pem"',
    "error: `certificate_file` and `key_file` belong together",
  ],
  [
    'bind_addr = "0.0.0.0:9069"\nclient_ca_file = "/ca.pem"',
    "error: `certificate_file` and `key_file` are needed to ask for certificates",
  ],
  ['key_file = "/key.pem"', "warning: certificates have no effect without `bind_addr`"],
  [
    'bind_addr = "127.0.0.1:9069"\nallow_changes = true',
    "error: changes are allowed, and no token",
  ],
])("%s says: %s", (text, said) => {
  expect(findings(text)).toEqual([expect.stringContaining(said)]);
});

test.each([
  "",
  'bind_addr = "127.0.0.1:9069"',
  'bind_addr = "[::1]:9069"',
  'bind_addr = "0.0.0.0:9069"\ntoken_file = "/secret"',
])("%s is fine", (text) => {
  expect(findings(text)).toEqual([]);
});

test("a name is no address", () => {
  const { problems } = loadConfig('[status]\nbind_addr = "localhost:9069"\n', "tftp.toml");
  expect(problems.map(({ message }) => message)).toEqual([
    "`status.bind_addr` is not an IP address and a port",
  ]);
});

function findings(text: string): readonly string[] {
  const { config, problems } = loadConfig(`[status]\n${text}\n`, "tftp.toml");
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return validateConfig(config, files, "tftp.toml").map(
    ({ severity, message }) => `${severity}: ${message}`,
  );
}
