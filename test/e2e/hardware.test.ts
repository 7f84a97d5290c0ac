// Rules on hardware addresses (end-to-end): a client on the same link, in a network namespace of its own, is known by its
// address, and one that merely says so in its name is not.

import { afterAll, expect, setDefaultTimeout } from "bun:test";

import { curl, run, skipBecause, testWith } from "./clients.ts";
import { startServer, until } from "./server.ts";

setDefaultTimeout(30_000);

const near = `owl-n-${process.pid.toString(36)}`;
const far = `owl-f-${process.pid.toString(36)}`;
const mayMake = process.getuid?.() === 0 && ip("netns", "add", near) && ip("netns", "add", far);

afterAll(() => {
  ip("netns", "delete", near);
  ip("netns", "delete", far);
});

const MAC = "52:54:00:09:00:02";
const title = "a client is denied, and served from a folder of its own, by its hardware address";
if (mayMake) testWith([curl], title, servedByMac);
else skipBecause(title, "network namespaces need root, and a kernel or container that allows them");

async function servedByMac(): Promise<void> {
  const made = [
    ip("link", "add", "owl0", "netns", near, "type", "veth", "peer", "owl1", "netns", far),
    ip("-n", far, "link", "set", "owl1", "address", MAC),
    ip("-n", near, "address", "add", "10.9.0.1/24", "dev", "owl0"),
    ip("-n", far, "address", "add", "10.9.0.2/24", "dev", "owl1"),
    ip("-n", near, "link", "set", "owl0", "up"),
    ip("-n", far, "link", "set", "owl1", "up"),
  ];
  expect(made).not.toContain(false);
  // Bound to one address, where replies do not need to know it: rules do.
  await using server = await startServer({
    bind: "10.9.0.1",
    wrapper: ["ip", "netns", "exec", near],
    readyHost: undefined,
    top: ['roots = ["clients/{mac_dash}", "common"]'],
    tables: [
      '[logging]\nformat = "json"',
      `[[rule]]\nglob = "secret"\nmac = ["${MAC.slice(0, 8)}"]\naction = "deny"\ncode = 1`,
      '[[rule]]\nglob = "inside"\ninterface = ["owl0"]\nrewrite = "seen-from-owl0"',
    ],
  });
  server.put("common/secret", "for others");
  server.put("common/seen-from-owl0", "by interface");
  server.put(`clients/${MAC.replaceAll(":", "-")}/loader`, "its own");
  const ask = { port: server.port, host: "10.9.0.1", wrapper: ["ip", "netns", "exec", far] };
  const text = async (name: string): Promise<string> => {
    for (let attempt = 0; ; attempt += 1) {
      const { bytes, exitCode, printed } = await run(curl, { ...ask, name });
      if (exitCode === 0) return new TextDecoder().decode(bytes);
      // The server may not be up yet: then the kernel refuses (7), or there is no answer (28).
      if (![7, 28, 55, 56].includes(exitCode) || attempt === 50) return `${exitCode} ${printed}`;
      await Bun.sleep(100);
    }
  };
  expect(await text("loader")).toBe("its own");
  expect(await text("secret")).toStartWith("68 ");
  expect(await text("inside")).toBe("by interface");
  await until(() => server.log().includes('"filename":"inside","bytes'), "the end of the last one");
  const denied = server
    .log()
    .split("\n")
    .find((line) => line.includes("read_denied"));
  expect(JSON.parse(denied ?? "")).toMatchObject({ client_mac: MAC, interface: "owl0" });
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
