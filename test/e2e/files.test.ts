// Which file a name means (end-to-end): symlinks by policy, and names in another case, with the log's word on a choice.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Server, startServer, until } from "./server.ts";
import { errorPacket, openPeer, readRequest } from "./wire.ts";

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
