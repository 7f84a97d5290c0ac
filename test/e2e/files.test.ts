// Which file a name means (end-to-end): symlinks by policy, and names in another case, with the log's word on a choice.

import { expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Server, startServer, until } from "./server.ts";
import { everythingIn, sendBlocks, upload } from "./uploading.ts";
import { errorPacket, openPeer, payload, readRequest } from "./wire.ts";

setDefaultTimeout(30_000);

/** The first packet that answers a request for `name`; DATA with its payload. */
async function answer(server: Server, name: string): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest(name), server.port);
  const { text, bytes, port } = await peer.next();
  if (!text.startsWith("DATA")) return text;
  peer.send(errorPacket(0, "done"), port);
  return Buffer.from(bytes.subarray(4)).toString();
}

test.each([
  ["none", "ERROR 2", "ERROR 2"],
  ["inside", "in the root", "ERROR 2"],
  ["listed", "in the root", "among images"],
])("symlinks = %j", async (symlinks, inside, listed) => {
  const images = mkdtempSync(join(tmpdir(), "snow-owl-images-"));
  try {
    writeFileSync(join(images, "kernel"), "among images");
    const targets = symlinks === "listed" ? [`symlink_targets = [${JSON.stringify(images)}]`] : [];
    const tables = ["[files]", `symlinks = "${symlinks}"`, ...targets];
    await using server = await startServer({ tables });
    server.put("file", "in the root");
    symlinkSync("file", join(server.root, "link"));
    symlinkSync(join(images, "kernel"), join(server.root, "kernel"));
    symlinkSync("/etc", join(server.root, "etc"));
    expect(await answer(server, "file")).toBe("in the root");
    expect(await answer(server, "link")).toStartWith(inside);
    expect(await answer(server, "kernel")).toStartWith(listed);
    expect(await answer(server, "etc/passwd")).toStartWith("ERROR 2");
    const told = /refused etc\/passwd: a symbolic link .* \(symlink, error 2\)/;
    await until(() => told.test(server.log()), "a line about the link");
  } finally {
    rmSync(images, { recursive: true });
  }
});

test.each([
  ["none", "ERROR 2", "ERROR 2"],
  ["inside", "ACK 1", "ERROR 2"],
  ["listed", "ACK 1", "ACK 1"],
])("uploads, symlinks = %j", async (symlinks, inside, listed) => {
  const images = mkdtempSync(join(tmpdir(), "snow-owl-images-"));
  try {
    const targets = symlinks === "listed" ? [`symlink_targets = [${JSON.stringify(images)}]`] : [];
    const files = ["[files]", `symlinks = "${symlinks}"`, ...targets];
    const patterns = 'allowed_patterns = ["folder/*", "link/*", "images/*", "etc/*"]';
    const writes = ["[write_config]", "enabled = true", "allow_overwrite = true", patterns];
    const tables = [...files, ...writes, "[uploads]", "create_folders = true"];
    await using server = await startServer({ tables });
    server.put("folder/file", "");
    symlinkSync("folder", join(server.root, "link"));
    symlinkSync(images, join(server.root, "images"));
    symlinkSync("/etc", join(server.root, "etc"));
    // A name that is a link itself is written by nobody, wherever it leads.
    symlinkSync("file", join(server.root, "folder/alias"));
    const sent = (name: string): Promise<string> => upload(server.port, name, Buffer.from("x"));
    expect(await sent("folder/a/new")).toBe("ACK 1");
    expect(await sent("link/b/new")).toStartWith(inside);
    expect(await sent("images/c/new")).toStartWith(listed);
    expect(await sent("etc/snow-owl-test")).toStartWith("ERROR 2");
    expect(await sent("folder/alias")).toStartWith("ERROR 2");
    const told = /refused upload of folder\/alias: a symbolic link .* \(symlink, error 2\)/;
    await until(() => told.test(server.log()), "a line about the link");
    expect(everythingIn(images)).toEqual(symlinks === "listed" ? ["c/", "c/new"] : []);
    expect(existsSync(join(server.root, "folder/b"))).toBe(symlinks !== "none");
  } finally {
    rmSync(images, { recursive: true });
  }
});

test("a folder that links may lead into must be there", async () => {
  const images = mkdtempSync(join(tmpdir(), "snow-owl-images-"));
  rmSync(images, { recursive: true });
  const tables = ["[files]", 'symlinks = "listed"', `symlink_targets = ["${images}"]`];
  const fault = await startServer({ tables }).catch((cause: unknown) => String(cause));
  expect(fault).toContain(`the folder ${images} does not exist`);
});

test("names in any case, and what the log says of a choice", async () => {
  await using server = await startServer({ tables: ["[files]", "case_insensitive = true"] });
  server.put("Boot/BCD", "one");
  server.put("README", "first");
  server.put("ReadMe", "second");
  expect(await answer(server, "\\boot\\bcd")).toBe("one");
  expect(await answer(server, "BOOT/none")).toStartWith("ERROR 1");
  expect(server.log()).not.toContain("differ in case alone");
  expect(await answer(server, "ReadMe")).toBe("second");
  expect(await answer(server, "readme")).toBe("first");
  const remark = "(README was chosen, and not ReadMe: they differ in case alone)";
  await until(() => server.log().includes(remark), "a line about the choice");
});

test("every folder that is served has the same rules, and the first that has a name answers", async () => {
  const other = mkdtempSync(join(tmpdir(), "snow-owl-other-"));
  const images = mkdtempSync(join(tmpdir(), "snow-owl-images-"));
  try {
    mkdirSync(join(other, "127.0.0.1"));
    writeFileSync(join(images, "kernel"), "among images");
    writeFileSync(join(other, "127.0.0.1/Grub\u00fc.EFI"), "in the other root");
    symlinkSync(join(images, "kernel"), join(other, "127.0.0.1/Linux"));
    symlinkSync("/etc/passwd", join(other, "127.0.0.1/passwd"));
    writeFileSync(join(other, "127.0.0.1/.Hidden"), "never");
    await using server = await startServer({
      top: [`roots = ["common", "${other}/{ip}"]`],
      tables: [
        "[files]",
        'symlinks = "listed"',
        `symlink_targets = ["${images}"]`,
        "case_insensitive = true",
      ],
    });
    server.put("Common/README", "in the root");
    symlinkSync(join(images, "kernel"), join(server.root, "Common/LINUX.old"));
    expect(await answer(server, "readme")).toBe("in the root");
    expect(await answer(server, "grub\u00fc.efi")).toBe("in the other root");
    expect(await answer(server, "linux")).toBe("among images");
    expect(await answer(server, "linux.OLD")).toBe("among images");
    expect(await answer(server, "PASSWD")).toStartWith("ERROR 2");
    expect(await answer(server, ".hidden")).toStartWith("ERROR 1");
  } finally {
    rmSync(other, { recursive: true });
    rmSync(images, { recursive: true });
  }
});

test("what may not be read back may not be in another case either", async () => {
  const tables = [
    "[files]",
    "case_insensitive = true",
    "[write_config]",
    "enabled = true",
    'allowed_patterns = ["*.cfg"]',
    "[uploads]",
    'quarantine_folder = "Waiting"',
    "write_only = true",
  ];
  await using server = await startServer({ tables });
  server.put("Waiting/sw1", "in quarantine");
  server.put("sw2.cfg", "uploaded");
  server.put("Kernel", "for everybody");
  expect(await answer(server, "WAITING/sw1")).toStartWith("ERROR 2");
  expect(await answer(server, "SW2.CFG")).toStartWith("ERROR 2");
  expect(await answer(server, "kernel")).toBe("for everybody");
});

test("an upload has the name that its client sent, to the byte", async () => {
  const tables = ["[write_config]", "enabled = true", 'allowed_patterns = ["in/caf*"]'];
  await using server = await startServer({ tables });
  mkdirSync(join(server.root, "in"));
  // What Latin-1 writes is no UTF-8, and another name than what is.
  for (const encoding of ["latin1", "utf8"] as const) {
    const name = Buffer.from("in/caf\u00e9", encoding);
    using peer = await openPeer();
    peer.send(namedRequest(2, name), server.port);
    const first = await peer.next();
    expect(await sendBlocks(peer, first, Buffer.from(encoding))).toBe("ACK 1");
    using reader = await openPeer();
    reader.send(namedRequest(1, name), server.port);
    expect(Buffer.from(payload(await reader.next())).toString()).toBe(encoding);
  }
  const names = readdirSync(join(server.root, "in"), { encoding: "buffer" });
  expect(names.map((name) => name.toString("latin1")).toSorted()).toEqual([
    "caf\u00c3\u00a9",
    "caf\u00e9",
  ]);
});

/** A request for a name that is given by its bytes. */
function namedRequest(opcode: number, name: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0, opcode), name, Buffer.from("\0octet\0")]);
}
