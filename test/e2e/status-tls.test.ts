// The web server of the executable over TLS: clients with a certificate of the right authority are answered and nobody else is, a
// renewed certificate comes with a reload, and files that are not fit are named with their line.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeAuthority, makeCertificate, type Pair } from "./certificates.ts";
import { skipBecause } from "./clients.ts";
import { reload } from "./reloading.ts";
import { freeTcpPort, type Server, startServer, until } from "./server.ts";

setDefaultTimeout(60_000);

const isRoot = process.getuid?.() === 0;
/** Prints the status and nothing else. */
const quiet = ["-s", "-o", "/dev/null", "-w", "%{http_code}"];

const missing = ["curl", "openssl"].find((program) => Bun.which(program) === null);
if (missing !== undefined) skipBecause("a web server over TLS", `there is no ${missing}`);
else describe("a web server over TLS", testTls);

function testTls(): void {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-tls-"));
  chmodSync(folder, 0o755);
  afterAll(() => rmSync(folder, { recursive: true }));
  const authority = makeAuthority(folder, "authority");
  const good = makeCertificate(folder, "good", authority);
  const stranger = makeCertificate(folder, "stranger", makeAuthority(folder, "other-authority"));
  const first = makeCertificate(folder, "first", authority);
  const second = makeCertificate(folder, "second", authority);
  /** What the server is told to use; copies, which are replaced. */
  const used: Pair = { certificate: join(folder, "used.crt"), key: join(folder, "used.key") };

  function use({ certificate, key }: Pair): void {
    copyFileSync(certificate, used.certificate);
    copyFileSync(key, used.key);
  }

  /** A server that all may reach and no token protects. */
  async function startTls(keys: readonly string[] = []): Promise<{ server: Server; url: string }> {
    const port = await freeTcpPort();
    const tables = [
      "[status]",
      `bind_addr = "0.0.0.0:${port}"`,
      `certificate_file = "${used.certificate}"`,
      `key_file = "${used.key}"`,
      `client_ca_file = "${authority.certificate}"`,
      ...keys,
      ...(isRoot ? ["[process]", 'user = "nobody"'] : []),
    ];
    return { server: await startServer({ tables }), url: `https://127.0.0.1:${port}` };
  }

  /** What a client with that certificate gets: the status, or none. */
  async function ask(url: string, client?: Pair, words: readonly string[] = []): Promise<string> {
    const shown = client === undefined ? [] : ["--cert", client.certificate, "--key", client.key];
    const child = Bun.spawn(
      ["curl", ...quiet, "--cacert", authority.certificate, ...shown, ...words, url],
      { stdout: "pipe" },
    );
    return await new Response(child.stdout).text();
  }

  test("clients of the right authority are answered, and nobody else", async () => {
    use(first);
    const { server, url } = await startTls(["allow_changes = true"]);
    await using _ = server;
    expect(await ask(`${url}/metrics`, good)).toBe("200");
    expect(await ask(`${url}/api/v1/status`, good)).toBe("200");
    for (const path of ["/", "/healthz", "/metrics", "/api/v1/status"]) {
      expect([path, await ask(`${url}${path}`)]).toEqual([path, "000"]);
      expect([path, await ask(`${url}${path}`, stranger)]).toEqual([path, "000"]);
    }
    expect(await ask(`${url}/healthz`, undefined, ["--tls-max", "1.2"])).toBe("000");
    expect(await ask(`${url.replace("https", "http")}/healthz`)).toBe("000");
    // Its certificate lets it act; the page of somebody else that its browser shows does not.
    const post = ["-X", "POST"];
    const elsewhere = ["-H", "Origin: https://elsewhere.example"];
    expect(await ask(`${url}/api/v1/reload`, good, [...post, ...elsewhere])).toBe("403");
    expect(await ask(`${url}/api/v1/reload`, good, [...post, "-H", `Origin: ${url}`])).toBe("200");
    expect(await ask(`${url}/api/v1/reload`, undefined, post)).toBe("000");
  });

  test("a reload brings a renewed certificate, and keeps the old one where it is not fit", async () => {
    use(first);
    const { server, url } = await startTls();
    await using _ = server;
    expect(await subjectOf(url)).toBe("first");
    use(second);
    await reload(server);
    expect(await subjectOf(url)).toBe("second");
    expect(await ask(`${url}/healthz`, good)).toBe("200");
    expect(await ask(`${url}/healthz`, stranger)).toBe("000");
    copyFileSync(first.certificate, used.certificate);
    server.kill("SIGHUP");
    await until(() => server.log().includes("does not belong to the certificate"), "the refusal");
    expect(await subjectOf(url)).toBe("second");
  });

  test("a key of another certificate, or none, stops the start, with its line", async () => {
    use(first);
    copyFileSync(second.key, used.key);
    expect(await faultOf()).toMatch(
      /key_file = .*\n.*\^+\nhelp: name the key that the certificate was made with/,
    );
    copyFileSync(first.certificate, used.key);
    expect(await faultOf()).toContain("holds no private key without a passphrase in PEM");
    rmSync(used.key);
    expect(await faultOf()).toContain(`cannot read ${used.key}: ENOENT`);
  });

  if (isRoot) {
    test("a key that only root may read stops the start of another user, with its line", async () => {
      use(first);
      chmodSync(used.key, 0o600);
      expect(await faultOf()).toMatch(/cannot read .*used\.key: EACCES[^]*\^[^]*chown USER FILE/);
      rmSync(used.key);
    });
  }

  async function faultOf(): Promise<string> {
    try {
      const { server } = await startTls();
      await server.stop();
      return "it started";
    } catch (cause) {
      return String(cause);
    }
  }
}

/** Whose certificate a client without one is shown. */
async function subjectOf(url: string): Promise<string> {
  const { host } = new URL(url);
  const child = Bun.spawn(["openssl", "s_client", "-connect", host], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  return /subject=CN ?= ?(\S+)/.exec(await new Response(child.stdout).text())?.[1] ?? "";
}
