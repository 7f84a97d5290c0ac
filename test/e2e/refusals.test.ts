// What the server must not serve (end-to-end): real clients and bare packets ask, and get the error that makes
// boot firmware go on or stop, never silence and never a byte from outside the root.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { clients, curl, hpa, run, testWith } from "./clients.ts";
import { type Server, startServer } from "./server.ts";
import { errorPacket, openPeer, readRequest, settled, writeRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

let server: Server;

beforeAll(async () => {
  // One worker, so that `settled` can tell when it has nothing more to say.
  server = await startServer({
    tables: ["[performance.platform.worker_pool]", "worker_count = 1"],
  });
  server.put("boot/kernel", "kernel");
  writeFileSync(`${server.root}.secret`, "secret");
  symlinkSync(`${server.root}.secret`, join(server.root, "leak-absolute"));
  symlinkSync(
    `../${server.root.slice(server.root.lastIndexOf("/") + 1)}.secret`,
    join(server.root, "leak"),
  );
  symlinkSync("boot/kernel", join(server.root, "inside"));
  mkdirSync(join(server.root, "folder"));
  Bun.spawnSync(["mkfifo", join(server.root, "fifo")]);
}, 60_000);

afterAll(async () => {
  await server.stop();
  Bun.spawnSync(["rm", "-f", `${server.root}.secret`]);
});

describe("a missing file", () => {
  for (const client of clients) {
    testWith([client], `${client.name} says so and leaves no bytes`, async () => {
      const answer = await run(client, { port: server.port, name: "missing" });
      // curl 7.88 loses the sentence on its way out, but not the code: 68, TFTP's not-found.
      if (client === curl) expect(answer.exitCode).toBe(68);
      else expect(answer.printed).toMatch(/not found/i);
      // tftp-hpa may end with 0 whatever happened, and leaves an empty file.
      if (client !== hpa) expect(answer.exitCode).not.toBe(0);
      expect(answer.bytes?.length ?? 0).toBe(0);
    });
  }

  test("is ERROR 1, once", async () => {
    expect(await answersTo(readRequest("missing"))).toEqual(["ERROR 1"]);
  });

  test("is ERROR 1 instead of an OACK when options were asked for", async () => {
    expect(await answersTo(readRequest("missing", [["tsize", 0]]))).toEqual(["ERROR 1"]);
  });
});

describe("outside the root", () => {
  for (const name of [
    "../etc/passwd",
    "boot/../../etc/passwd",
    "..\\etc\\passwd",
    "/../etc/passwd",
    "leak",
    "leak-absolute",
  ]) {
    test(`${name} is refused`, async () => {
      const [answer, ...more] = await answersTo(readRequest(name));
      expect(answer).toMatch(/^ERROR [12]$/);
      expect(more).toEqual([]);
    });
  }

  testWith([curl], "curl --path-as-is gets nothing", async () => {
    const answer = await run(curl, { port: server.port, name: "../../../../etc/passwd" });
    expect(answer.exitCode).not.toBe(0);
    expect(answer.bytes?.length ?? 0).toBe(0);
  });
});

describe("inside the root", () => {
  for (const name of [
    "boot/kernel",
    "/boot/kernel",
    "//boot//kernel",
    "\\boot\\kernel",
    "inside",
  ]) {
    test(`${name} is served`, async () => {
      using peer = await openPeer();
      peer.send(readRequest(name), server.port);
      expect((await peer.next()).text).toBe("DATA 1 6");
    });
  }
});

describe("not a regular file", () => {
  for (const name of ["folder", "fifo", "", ".", "/"]) {
    test(`${JSON.stringify(name)} gets an ERROR, once, and holds nothing up`, async () => {
      const [answer, ...more] = await answersTo(readRequest(name));
      expect(answer).toMatch(/^ERROR [124]$/);
      expect(more).toEqual([]);
    });
  }
});

describe("an upload", () => {
  test("is ERROR 2, once", async () => {
    expect(await answersTo(writeRequest("new"))).toEqual(["ERROR 2"]);
  });

  for (const client of clients) {
    testWith([client], `with ${client.name} ends, and leaves no file`, async () => {
      const upload = new TextEncoder().encode("upload");
      await run(client, { port: server.port, name: "uploaded", upload });
      expect(await answersTo(readRequest("uploaded"))).toEqual(["ERROR 1"]);
    });
  }
});

describe("what is no request", () => {
  test("mail mode is ERROR 4", async () => {
    expect(await answersTo(readRequest("boot/kernel", [], "mail"))).toEqual(["ERROR 4"]);
  });

  test("an unknown mode is ERROR 4", async () => {
    expect(await answersTo(readRequest("boot/kernel", [], "binary"))).toEqual(["ERROR 4"]);
  });

  test("a mode in capitals is a mode", async () => {
    using peer = await openPeer();
    peer.send(readRequest("boot/kernel", [], "OcTeT"), server.port);
    expect((await peer.next()).text).toBe("DATA 1 6");
  });

  test("an ERROR is not answered", async () => {
    expect(await answersTo(errorPacket(0, "no"))).toEqual([]);
  });

  test("malformed packets are refused or dropped, and the server lives on", async () => {
    const whole = readRequest("boot/kernel", [["blksize", 1428]]);
    const malformed = [
      new Uint8Array(),
      ...Array.from({ length: whole.length - 1 }, (_, length) => whole.subarray(0, length + 1)),
      Uint8Array.of(0, 1, 0, 0),
      Uint8Array.of(0, 1, 0xff, 0xfe, 0, 0x6f, 0),
      Uint8Array.of(0, 0, 1, 2),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff),
      new Uint8Array(60_000).fill(0x61),
      new Uint8Array(600),
      Buffer.concat([readRequest("boot/kernel"), new Uint8Array(500)]),
      readRequest("a".repeat(5000)),
      readRequest("boot/kernel", [
        ["blksize", "-1"],
        ["tsize", "9".repeat(40)],
        ["timeout", "x"],
      ]),
      readRequest(`${"d/".repeat(200)}x`),
    ];
    for (const bytes of malformed) {
      for (const text of await answersTo(bytes)) {
        expect(text).toMatch(/^(?:ERROR [0-8]|DATA 1|OACK)/);
      }
    }
    expect(await answersTo(readRequest("missing"))).toEqual(["ERROR 1"]);
  });
});

/** All that the server answers at once, ERRORs without their sentence. */
async function answersTo(bytes: Uint8Array): Promise<readonly string[]> {
  using peer = await openPeer();
  peer.send(bytes, server.port);
  await settled(server.port);
  const answers = peer.waiting();
  // What was started by accident is ended, so that it does not go on behind the next test.
  for (const { port } of answers) peer.send(errorPacket(0, "done"), port);
  return answers.map(({ text }) => text.replace(/^(ERROR \d).*/, "$1"));
}
