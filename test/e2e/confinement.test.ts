// The executable as root that becomes nobody, as root that stays, and as somebody without rights: what the kernel says of each
// of its threads, and what they can no longer do.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { configuration, fetchText, reload, upload } from "./reloading.ts";
import { freeTcpPort, type Server, startServer, until } from "./server.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
if (!isRoot) process.stdout.write("not tested here: only root can become another user\n");

// Not in the folder of the configurations, which a server may read as a whole.
const outside = mkdtempSync(join("/var/tmp", "snow-owl-outside-"));
afterAll(() => rmSync(outside, { recursive: true, force: true }));
writeFileSync(join(outside, "secret"), "a secret");
chmodSync(outside, 0o755);

/** The fields that the kernel has for each thread, each value once. */
function threadsOf({ pid }: Server): Readonly<Record<string, readonly string[]>> {
  const values = new Map<string, Set<string>>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    for (const [, name = "", value = ""] of status.matchAll(/^(\w+):[ \t]*(.*)$/gm)) {
      if (!/^(?:Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp)$/.test(name)) continue;
      values.set(name, (values.get(name) ?? new Set()).add(value.trim().replaceAll("\t", " ")));
    }
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, [...all]]));
}

const none = ["0000000000000000"];
const confined = { NoNewPrivs: ["1"], Seccomp: ["2"], CapInh: none, CapAmb: none };
const powerless = { ...confined, CapPrm: none, CapEff: none };

function ids(...all: readonly number[]): readonly string[] {
  return [all.flatMap((id) => [id, id, id, id]).join(" ")];
}

describe.skipIf(!isRoot)("started as root", () => {
  test("it becomes nobody on a privileged port, in every thread, and serves", async () => {
    const tables = ["[process]", 'user = "nobody"', 'supplementary_groups = ["daemon"]'];
    await using server = await startServer({ bind: "127.69.0.1", port: 69, tables });
    server.put("hello", "hello");
    expect(await fetchText(server, "hello", "127.69.0.1")).toBe("hello");
    expect(threadsOf(server)).toMatchObject({
      ...powerless,
      Uid: ids(NOBODY),
      Gid: ids(NOBODY),
      Groups: ["1"],
      CapBnd: none,
    });
    await until(
      () =>
        server.log().includes("confined: user (nobody), capabilities (none), no new privileges"),
      "the banner",
    );
  });

  test("without a user it stays root with nothing but rights over files, and says so", async () => {
    await using server = await startServer();
    const overFiles = ["000000000000000f"];
    expect(threadsOf(server)).toMatchObject({
      ...confined,
      Uid: ids(0),
      CapPrm: overFiles,
      CapEff: overFiles,
      CapBnd: overFiles,
    });
    await until(
      () => server.log().includes("not confined: user (root; name one in [process])"),
      "the banner",
    );
  });

  test("a reload changes nothing of that", async () => {
    await using server = await startServer({ tables: ["[process]", 'user = "nobody"'] });
    await reload(server);
    expect(threadsOf(server)).toMatchObject({ ...powerless, Uid: ids(NOBODY) });
  });

  test("what it cannot be confined to stops the start, with a remedy", async () => {
    const tables = ["[process]", 'user = "nobody"', "supplementary_groups = []"];
    const asNobody = ["setpriv", `--reuid=1`, "--clear-groups", "--inh-caps=-all"];
    const failing = startServer({ wrapper: asNobody, tables });
    expect(failing).rejects.toThrow(/cannot become the user nobody: EPERM\nhelp: start as root/);
    await failing.catch(() => undefined);
  });
});

describe.skipIf(!isRoot)("started without rights", () => {
  const unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

  test("it serves on a high port", async () => {
    await using server = await startServer({ wrapper: unprivileged });
    server.put("hello", "hello");
    expect(await fetchText(server, "hello")).toBe("hello");
    expect(threadsOf(server)).toMatchObject({ ...powerless, Uid: ids(NOBODY) });
  });

  test("it serves on port 69 with CAP_NET_BIND_SERVICE alone, and keeps not even that", async () => {
    // As under the unit of the package.
    const wrapper = [
      ...unprivileged,
      "--no-new-privs",
      "--bounding-set=-all,+net_bind_service",
      "--inh-caps=-all,+net_bind_service",
      "--ambient-caps=-all,+net_bind_service",
    ];
    await using server = await startServer({ bind: "127.69.0.2", port: 69, wrapper });
    server.put("hello", "hello");
    expect(await fetchText(server, "hello", "127.69.0.2")).toBe("hello");
    expect(threadsOf(server)).toMatchObject({ ...powerless, Uid: ids(NOBODY) });
    await until(() => server.log().includes("confined: "), "the banner");
    expect(server.log()).not.toContain("not confined");
    expect(server.log()).toContain(
      "bounding set (without effect; it still names CAP_NET_BIND_SERVICE)",
    );
  });
});

interface GivenUp {
  readonly measure: string;
  readonly is_on: boolean;
  readonly because: string;
}

test("what the configuration names is reached: the web server answers, and a reload reads its secret again", async () => {
  // In a folder that no other key names.
  const folder = mkdtempSync(join("/var/tmp", "snow-owl-secret-"));
  chmodSync(folder, 0o755);
  const file = join(folder, "token");
  writeFileSync(file, "a-secret-of-some-length");
  const port = await freeTcpPort();
  const tables = [
    "[status]",
    `bind_addr = "127.0.0.1:${port}"`,
    `token_file = ${JSON.stringify(file)}`,
    "[process]",
    ...(isRoot ? ['user = "nobody"'] : []),
  ];
  await using server = await startServer({ tables });
  // One worker may answer before the others do.
  await until(() => server.log().includes("confined: "), "the banner");
  const answer = (page: string, token: string): Promise<Response> => {
    const headers = { Authorization: `Bearer ${token}` };
    return fetch(`http://127.0.0.1:${port}/${page}`, { headers });
  };
  const ask = async (token: string): Promise<string> => {
    return await (await answer("metrics", token)).text();
  };
  expect(await ask("a-secret-of-some-length")).toContain("\ntftp_ready 1\n");
  writeFileSync(`${file}.new`, "another-secret-of-some-length");
  renameSync(`${file}.new`, file);
  await reload(server);
  expect(await ask("another-secret-of-some-length")).toContain("\ntftp_ready 1\n");
  const kernel = await answer("api/v1/kernel", "another-secret-of-some-length");
  const { confinement } = (await kernel.json()) as { confinement: readonly GivenUp[] };
  for (const isOn of [true, false]) {
    const said = confinement
      .filter((each) => each.is_on === isOn)
      .map(({ measure, because }) => (because === "" ? measure : `${measure} (${because})`));
    const line = `${isOn ? "confined" : "not confined"}: ${said.join(", ")}\n`;
    expect(said.length === 0 || server.log().includes(`\n${line}`)).toBe(true);
  }
  expect(confinement.map(({ measure }) => measure)).toEqual(
    expect.arrayContaining(["user", "capabilities", "no new privileges", "Landlock", "seccomp"]),
  );
  expect(threadsOf(server)).toMatchObject(isRoot ? powerless : confined);
  rmSync(folder, { recursive: true });
});

describe("what lies outside", () => {
  test("is refused to whoever runs in the server's place, and a reload does not reach it", async () => {
    const uploads = join(mkdtempSync(join(tmpdir(), "snow-owl-up-")), "in");
    mkdirSync(uploads);
    if (isRoot) chownSync(uploads, NOBODY, NOBODY);
    chmodSync(join(uploads, ".."), 0o755);
    const script = `cat ${outside}/secret; echo more > ${outside}/new; cat "$SNOW_OWL_PATH"; unshare --user true; exit 0`;
    const tables = [
      "[write_config]",
      "enabled = true",
      'allowed_patterns = ["*.cfg"]',
      "[uploads]",
      `root_dir = ${JSON.stringify(uploads)}`,
      "[[hook]]",
      'event = "upload"',
      `command = ["/bin/sh", "-c", ${JSON.stringify(script)}]`,
      "[process]",
      ...(isRoot ? ['user = "nobody"'] : []),
    ];
    await using server = await startServer({ tables });
    expect(await upload(server, "a.cfg", "what came")).toBe("ACK 1");
    await until(() => server.log().includes("hook_completed"), "the hook's line");
    const line =
      server
        .log()
        .split("\n")
        .find((each) => each.includes("hook_completed")) ?? "";
    // It reads what the user may read anyhow; that it was refused is the kernel's doing.
    expect(line).toContain(`${outside}/secret: Permission denied`);
    expect(line).toContain(`cannot create ${outside}/new`);
    expect(line).toContain("what came");
    expect(line).toContain("Operation not permitted");
    expect(line).not.toContain("a secret");
    server.configure(
      `root_dir = ${JSON.stringify(outside)}\nbind_addr = "127.0.0.1:${server.port}"\n`,
    );
    server.kill("SIGHUP");
    await until(() => server.log().includes("help: restart the server"), "the refusal");
    expect(server.log()).toContain(
      `${outside} cannot be read: it lies outside of what this server was confined to`,
    );
    rmSync(join(uploads, ".."), { recursive: true });
  });

  test("can be named for later: folders, and then a reload reaches them", async () => {
    const tables = ["[process]", `read_folders = [${JSON.stringify(outside)}]`];
    await using server = await startServer({ tables });
    await reload(server, configuration(server, { root: outside }));
    expect(await fetchText(server, "secret")).toBe("a secret");
  });

  test("is no program: a reload cannot bring the first hook that runs one", async () => {
    await using server = await startServer();
    const hook = '[[hook]]\nevent = "upload"\ncommand = ["/bin/true"]\n';
    server.configure(
      `root_dir = ${JSON.stringify(server.root)}\nbind_addr = "127.0.0.1:${server.port}"\n${hook}`,
    );
    server.kill("SIGHUP");
    await until(() => server.log().includes("help: restart it"), "the refusal");
    expect(server.log()).toContain("gave up starting programs when it started");
  });

  test("is everything to a server that is told so: then it starts once and confines nothing", async () => {
    const tables = ["[process]", "landlock = false", "seccomp = false"];
    await using server = await startServer({ tables });
    expect(threadsOf(server)).toMatchObject({ NoNewPrivs: ["0"], Seccomp: ["0"] });
    await until(() => server.log().includes("fast paths"), "the banner");
    expect(server.log()).not.toContain("confined");
  });
});
