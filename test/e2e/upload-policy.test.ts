// What may be uploaded, and how it is kept (end-to-end): each key of [write_config] and [uploads] as a client and whoever looks
// into the folder see it. Uploads by hand, so that two can be under way in a known order.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { bytesOf } from "./bytes.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import {
  beginUpload,
  compareFile,
  everythingIn,
  sendBlocks,
  upload,
  uploadTables,
} from "./uploading.ts";
import { openPeer, readRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const content = bytesOf(20 * 512 + 5, 21);
const other = bytesOf(30 * 512 + 7, 22);
const lastAck = "ACK 21";
const json = ["[logging]", 'format = "json"'];

describe("a name", () => {
  test("that no pattern allows is ERROR 2", async () => {
    await using server = await startServer({ tables: uploadTables() });
    expect(await upload(server.port, "elsewhere", content)).toStartWith("ERROR 2 ");
    expect(await upload(server.port, "in", content)).toStartWith("ERROR 2 ");
    expect(await upload(server.port, "in/../out", content)).toStartWith("ERROR 2 ");
    expect(everythingIn(server.root)).toEqual([]);
  });

  test("that is hidden is refused, and so is one that leads outside by a link", async () => {
    await using server = await startServer({ tables: uploadTables() });
    using outside = temporaryFolder();
    mkdirSync(join(server.root, "in"));
    symlinkSync(outside.path, join(server.root, "in/leak"));
    writeFileSync(join(outside.path, "secret"), "secret");
    symlinkSync(join(outside.path, "secret"), join(server.root, "in/file"));
    expect(await upload(server.port, "in/.hidden", content)).toStartWith("ERROR 1 ");
    expect(await upload(server.port, "in/leak/file", content)).toStartWith("ERROR 2 ");
    expect(await upload(server.port, "in/file", content)).toStartWith("ERROR 2 ");
    expect(everythingIn(outside.path)).toEqual(["secret"]);
    expect(readFileSync(join(outside.path, "secret"), "utf8")).toBe("secret");
  });

  test("that exists is ERROR 6, and keeps what it holds", async () => {
    await using server = await startServer({ tables: uploadTables() });
    server.put("in/file", other);
    expect(await upload(server.port, "in/file", content)).toStartWith("ERROR 6 ");
    expect(stored(server, "in/file", other)).toBe("identical");
  });

  test("that exists is replaced with overwrite, and is the old file to the last block", async () => {
    await using server = await startServer({ tables: uploadTables(["overwrite = true"]) });
    server.put("in/file", other);
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    expect(await sendBlocks(peer, first, content, { until: 21 })).toBe("ACK 20");
    expect(stored(server, "in/file", other)).toBe("identical");
    expect(await sendBlocks(peer, first, content, { from: 21 })).toBe(lastAck);
    expect(stored(server, "in/file", content)).toBe("identical");
  });

  test("in a folder that is missing is ERROR 1, or makes it with create_folders", async () => {
    const closed = uploadTables().filter((line) => !line.startsWith("create_folders"));
    await using strict = await startServer({ tables: closed });
    expect(await upload(strict.port, "in/a/file", content)).toStartWith("ERROR 1 ");
    expect(everythingIn(strict.root)).toEqual([]);
    const tables = uploadTables(['folder_mode = "0750"', 'file_mode = "0640"']);
    await using server = await startServer({ tables });
    expect(await upload(server.port, "\\in\\a/file", content)).toBe(lastAck);
    expect(everythingIn(server.root)).toEqual(["in/", "in/a/", "in/a/file"]);
    expect(modeOf(server, "in/a")).toBe("750");
    expect(modeOf(server, "in/a/file")).toBe("640");
  });

  test("has terms of its own where its pattern has", async () => {
    const terms = ["[[uploads.pattern]]", 'pattern = "in/logs/*"', "overwrite = true"];
    await using server = await startServer({ tables: uploadTables(terms) });
    for (const name of ["in/logs/a", "in/b"]) server.put(name, other);
    expect(await upload(server.port, "in/logs/a", content)).toBe(lastAck);
    expect(await upload(server.port, "in/b", content)).toStartWith("ERROR 6 ");
  });
});

describe("a size", () => {
  test("above the limit is ERROR 3 before the first block if it is announced", async () => {
    await using server = await startServer({
      tables: [...uploadTables(["max_file_size_bytes = 10000"]), ...json],
    });
    using peer = await openPeer();
    const reply = await beginUpload(peer, server.port, "in/file", [["tsize", 10_001]]);
    expect(reply.text).toStartWith("ERROR 3 ");
    expect(await logged(server, "file_size_limit_exceeded")).toMatchObject({
      file_size: 10_001,
      max_allowed: 10_000,
      operation: "write",
    });
    expect(await upload(server.port, "in/file", content.subarray(0, 10_000))).toBe("ACK 20");
  });

  test("above the limit is ERROR 3 at the block that passes it if it is not, and nothing stays", async () => {
    await using server = await startServer({
      tables: uploadTables(["max_file_size_bytes = 10000"]),
    });
    server.put("in/before", "");
    expect(await upload(server.port, "in/file", content)).toStartWith("ERROR 3 ");
    expect(everythingIn(server.root)).toEqual(["in/", "in/before"]);
  });

  for (const [quota, key] of [
    ["the root's quota", "root_quota_mb = 1"],
    ["the client's quota", "client_quota_mb = 1"],
  ] as const) {
    test(`beyond ${quota} is ERROR 3, announced or not, and nothing stays`, async () => {
      await using server = await startServer({ tables: uploadTables([key]) });
      const half = bytesOf(600_000, 23);
      const options = [["blksize", 8192]] as const;
      expect(await upload(server.port, "in/a", half, options)).toBe("ACK 74");
      const announced = [...options, ["tsize", half.length]] as const;
      expect(await upload(server.port, "in/b", half, announced)).toStartWith("ERROR 3 ");
      expect(await upload(server.port, "in/b", half, options)).toStartWith("ERROR 3 ");
      expect(everythingIn(server.root)).toEqual(["in/", "in/a"]);
      expect(await upload(server.port, "in/c", content)).toBe(lastAck);
    });
  }

  test("that would leave too little space is ERROR 3", async () => {
    const tables = uploadTables().map((line) =>
      line.startsWith("min_free_space_mb") ? "min_free_space_mb = 1073741824" : line,
    );
    await using server = await startServer({ tables });
    expect(await upload(server.port, "in/file", content)).toStartWith("ERROR 3 ");
    expect(existsSync(join(server.root, "in/file"))).toBe(false);
  });
});

describe("two writers of one name", () => {
  test("the second is ERROR 6 while the first is alive", async () => {
    await using server = await startServer({ tables: uploadTables(["overwrite = true"]) });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    expect(await sendBlocks(peer, first, content, { until: 5 })).toBe("ACK 4");
    expect(await upload(server.port, "in/file", other)).toStartWith("ERROR 6 ");
    expect(await upload(server.port, "in//./file", other)).toStartWith("ERROR 6 ");
    expect(await sendBlocks(peer, first, content, { from: 5 })).toBe(lastAck);
    expect(stored(server, "in/file", content)).toBe("identical");
    expect(await upload(server.port, "in/file", other)).toBe("ACK 31");
    expect(stored(server, "in/file", other)).toBe("identical");
  });

  test("with last-complete-wins are two files, and the last to complete has the name", async () => {
    const tables = uploadTables(["overwrite = true", 'concurrent_writers = "last-complete-wins"']);
    await using server = await startServer({ tables });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 5 });
    expect(await upload(server.port, "in/file", other)).toBe("ACK 31");
    expect(stored(server, "in/file", other)).toBe("identical");
    expect(await sendBlocks(peer, first, content, { from: 5 })).toBe(lastAck);
    expect(stored(server, "in/file", content)).toBe("identical");
    expect(everythingIn(server.root)).toEqual(["in/", "in/file"]);
  });

  test("with last-complete-wins and no overwriting, the second to complete is ERROR 6", async () => {
    const tables = uploadTables(['concurrent_writers = "last-complete-wins"']);
    await using server = await startServer({ tables });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 5 });
    expect(await upload(server.port, "in/file", other)).toBe("ACK 31");
    expect(await sendBlocks(peer, first, content, { from: 5 })).toStartWith("ERROR 6 ");
    expect(stored(server, "in/file", other)).toBe("identical");
  });
});

describe("what is kept", () => {
  test("previous contents beside the file, the latest first, and no more than that", async () => {
    const tables = uploadTables(["overwrite = true", "keep_versions = 2"]);
    await using server = await startServer({ tables });
    for (const seed of [1, 2, 3, 4]) {
      expect(await upload(server.port, "in/file", bytesOf(1000, seed))).toBe("ACK 2");
    }
    expect(everythingIn(server.root)).toEqual(["in/", "in/file", "in/file.~1~", "in/file.~2~"]);
    for (const [name, seed] of [
      ["in/file", 4],
      ["in/file.~1~", 3],
      ["in/file.~2~", 2],
    ] as const) {
      expect(stored(server, name, bytesOf(1000, seed))).toBe("identical");
    }
    expect(await upload(server.port, "in/file.~1~", content)).toStartWith("ERROR 2 ");
  });

  test("previous contents in a folder that no client can read", async () => {
    const tables = uploadTables([
      "overwrite = true",
      "keep_versions = 1",
      'versions_folder = ".versions"',
    ]);
    await using server = await startServer({ tables });
    await upload(server.port, "in/file", other);
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
    expect(stored(server, "in/.versions/file.~1~", other)).toBe("identical");
    expect(await read(server, "in/.versions/file.~1~")).toStartWith("ERROR 1 ");
  });

  test("uploads in quarantine until somebody moves them", async () => {
    const tables = uploadTables(['quarantine_folder = ".quarantine"']);
    await using server = await startServer({ tables });
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
    expect(everythingIn(server.root)).toEqual([
      ".quarantine/",
      ".quarantine/in/",
      ".quarantine/in/file",
    ]);
    expect(await read(server, "in/file")).toStartWith("ERROR 1 ");
    expect(await read(server, ".quarantine/in/file")).toMatch(/^ERROR [12] /);
  });

  test("a drop box to itself: nobody reads what it took in", async () => {
    await using server = await startServer({ tables: uploadTables(["write_only = true"]) });
    server.put("boot", content);
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
    expect(await read(server, "in/file")).toStartWith("ERROR 2 ");
    expect(await read(server, "in//file")).toStartWith("ERROR 2 ");
    expect(await read(server, "boot")).toBe("DATA 1 512");
  });

  test("uploads in a folder of their own, outside the served one", async () => {
    using folder = temporaryFolder();
    const tables = uploadTables([`root_dir = ${JSON.stringify(folder.path)}`]);
    await using server = await startServer({ tables });
    expect(await upload(server.port, "in/file", content)).toBe(lastAck);
    expect(compareFile(join(folder.path, "in/file"), content)).toBe("identical");
    expect(everythingIn(server.root)).toEqual([]);
    expect(await read(server, "in/file")).toStartWith("ERROR 1 ");
  });

  test("nothing that can be seen or asked for while an upload is under way", async () => {
    await using server = await startServer({ tables: uploadTables() });
    server.put("in/before", "");
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "in/file");
    await sendBlocks(peer, first, content, { until: 20 });
    expect(await read(server, "in/file")).toStartWith("ERROR 1 ");
    for (const name of everythingIn(join(server.root, "in"))) {
      if (name !== "before") expect(await read(server, `in/${name}`)).toStartWith("ERROR 1 ");
    }
    expect(await sendBlocks(peer, first, content, { from: 20 })).toBe(lastAck);
    expect(await read(server, "in/file")).toBe("DATA 1 512");
  });
});

describe("what is told", () => {
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");

  for (const [key, isVerified] of [
    ["sha256 = true", false],
    ["verify = true", true],
  ] as const) {
    test(`the log has the SHA-256 with ${key}`, async () => {
      await using server = await startServer({ tables: [...uploadTables([key]), ...json] });
      expect(await upload(server.port, "in/file", content)).toBe(lastAck);
      expect(await logged(server, "write_completed")).toMatchObject({
        filename: "in/file",
        sha256,
        verified: isVerified,
        file_created: true,
      });
    });
  }

  test("a hook runs with the file's name, place, size and SHA-256 in its environment", async () => {
    using folder = temporaryFolder();
    const told = join(folder.path, "told");
    const program = join(folder.path, "hook");
    writeFileSync(program, `#!/bin/sh\nenv > ${told}.part && mv ${told}.part ${told}\n`);
    chmodSync(program, 0o755);
    const hook = ["[[hook]]", 'event = "upload"', `command = [${JSON.stringify(program)}]`];
    const mayWrite = ["[process]", `write_folders = [${JSON.stringify(folder.path)}]`];
    const tables = [...uploadTables(["sha256 = true"]), ...hook, ...mayWrite];
    await using server = await startServer({ tables });
    using peer = await openPeer();
    const first = await beginUpload(peer, server.port, "/in/a b;c");
    expect(await sendBlocks(peer, first, content)).toBe(lastAck);
    await until(() => existsSync(told), "the hook's file");
    const lines = readFileSync(told, "utf8").split("\n");
    expect(lines).toContain("SNOW_OWL_FILE=in/a b;c");
    expect(lines).toContain(`SNOW_OWL_PATH=${join(server.root, "in/a b;c")}`);
    expect(lines).toContain(`SNOW_OWL_PEER=127.0.0.1:${peer.port}`);
    expect(lines).toContain(`SNOW_OWL_SIZE=${content.length}`);
    expect(lines).toContain(`SNOW_OWL_SHA256=${sha256}`);
    expect(lines).toContain("SNOW_OWL_REPLACED=0");
  });
});

function stored(server: Server, name: string, expected: Uint8Array): string {
  return compareFile(join(server.root, name), expected);
}

function modeOf(server: Server, name: string): string {
  return (statSync(join(server.root, name)).mode & 0o7777).toString(8);
}

/** The first answer to a read request; the transfer is left to itself. */
async function read(server: Server, name: string): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest(name), server.port);
  return (await peer.next()).text;
}

/** The first event of that type in a log in JSON. */
async function logged(server: Server, eventType: string): Promise<unknown> {
  // The last line may not be whole yet.
  const find = (): string | undefined =>
    server
      .log()
      .split("\n")
      .slice(0, -1)
      .find((line) => line.includes(eventType));
  await until(() => find() !== undefined, `the event ${eventType}`);
  return JSON.parse(find() ?? "");
}
