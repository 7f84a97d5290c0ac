// The status page in a real browser: a rack of 40 boots, two clients of it fail, and whoever looks at the page sees which, and on
// what. With SCREENSHOTS=1 the pictures of the documentation are taken anew.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

import { bytesOf } from "./bytes.ts";
import { boot, type Fate, fillRack, KERNEL_BYTES } from "./rack.ts";
import { temporaryFolder } from "./server.ts";
import { startWatched } from "./watched.ts";
import { openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(120_000);

const program: string | null = Bun.which("chromium");
const testWithBrowser =
  program === null && process.env["CI"] === undefined
    ? (name: string) => test.skip(`${name} (Debian's chromium is missing)`, () => {})
    : test;
const pictures = resolve(import.meta.dir, "../../docs/img");
const takesPictures = process.env["SCREENSHOTS"] === "1";

const STOPS = "127.0.1.29";
const MISSES = "127.0.1.17";

testWithBrowser("two of forty clients that are stuck are found, and on what", async () => {
  await using watched = await startWatched();
  fillRack(watched.server);
  let isOver = false;
  // Who waited for the server has asked for what is not there, and would be stuck.
  await boot(watched.server, "127.0.0.1", "boots", () => true);
  const booting = Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const address = `127.0.1.${index + 1}`;
      await boot(watched.server, address, fateOf(address, index), () => isOver);
    }),
  );
  // What a failed test leaves behind is no failure of the next one.
  booting.catch(() => undefined);
  await using browser = await openBrowser();
  const { page, faults } = await openPage(browser, `${watched.url}/`);
  // The page says so by itself, without anybody touching it.
  await page.locator("#tiles li", { hasText: /^2stuck$/ }).waitFor();
  expect(await page.title()).toStartWith("(2 stuck)");
  const rows = page.locator("#clients > li.stuck");
  await rows.nth(1).waitFor();
  const texts = await rows.allTextContents();
  const told = (address: string): string => texts.find((text) => text.includes(address)) ?? "";
  expect(told(MISSES)).toMatch(/images\/initrd-node17\.img is not there, .*put it below the root/s);
  expect(told(STOPS)).toMatch(/images\/vmlinuz does not move: .*% of 300 kB.*cable/s);
  // They stand before the others.
  const first = await page.locator("#clients > li").nth(1).getAttribute("class");
  expect(first).toBe("stuck");
  // What led there.
  await rows.filter({ hasText: MISSES }).locator("button").click();
  const steps = page.getByRole("table", { name: `Boot of ${MISSES}` }).locator("tbody tr");
  await steps.nth(5).waitFor();
  expect((await steps.allTextContents()).map((text) => text.replace(/^[\d:]+/, ""))).toEqual([
    expect.stringMatching(/^pxelinux\.0complete in .*42 kB/),
    expect.stringMatching(/^pxelinux\.cfg\/01-52-54-00-12-34-56refused: File not found$/),
    expect.stringMatching(/^pxelinux\.cfg\/7F000001refused: File not found$/),
    expect.stringMatching(/^pxelinux\.cfg\/defaultcomplete/),
    expect.stringMatching(/^images\/vmlinuzcomplete in .*300 kB/),
    expect.stringMatching(/^images\/initrd-node17\.imgrefused: File not found$/),
  ]);
  // Those that are slow have bars that move.
  const bar = page.locator("#transfers progress").last();
  expect(Number(await bar.getAttribute("max"))).toBe(KERNEL_BYTES);
  await page.getByText("Configuration in force").click();
  await page.getByText("127.0.0.1:" + watched.server.port, { exact: true }).waitFor();
  await takePicture(page, "status-page");
  expect(await seriousFaults(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 800 });
  expect(await seriousFaults(page)).toEqual([]);
  // Nothing has to be scrolled sideways.
  const width = await page.evaluate("document.documentElement.scrollWidth");
  expect(width).toBeLessThanOrEqual(390);
  await takePicture(page, "status-page-phone");
  await page.getByRole("searchbox").fill("127.0.1.29");
  await page.locator("#clients > li").nth(1).waitFor({ state: "detached" });
  isOver = true;
  await booting;
  expect(faults).toEqual([]);
});

testWithBrowser("where a token is asked for, the page asks for it", async () => {
  using folder = temporaryFolder();
  const tokenFile = join(folder.path, "token");
  writeFileSync(tokenFile, "a-secret-of-some-length\n");
  await using watched = await startWatched([], [`token_file = "${tokenFile}"`]);
  await using browser = await openBrowser();
  const { page } = await openPage(browser, `${watched.url}/`);
  const field = page.getByLabel("This server asks for its status token.");
  await field.fill("a-wrong-one");
  await field.press("Enter");
  await page.getByText("a token is needed").waitFor();
  await field.fill("a-secret-of-some-length");
  await field.press("Enter");
  await page.getByText(/^serving on /).waitFor();
  expect(await field.isVisible()).toBe(false);
});

testWithBrowser(
  "names that clients make up are text, and thousands of transfers stay smooth",
  async () => {
    await using watched = await startWatched();
    const { server } = watched;
    const name = '<img src=x onerror="document.title=1">';
    server.put("file", bytesOf(100_000, 1));
    await using browser = await openBrowser();
    const { page, faults } = await openPage(browser, `${watched.url}/`);
    using asker = await openPeer();
    asker.send(readRequest(name), server.port);
    const peers = await Promise.all(Array.from({ length: 500 }, async () => await openPeer()));
    for (const peer of peers) peer.send(readRequest("file"), server.port);
    await page.getByText(`${name} is not there`).first().waitFor();
    await page.getByText(/^100 of [45]\d\d are shown/).waitFor();
    expect(await page.locator("#transfers tr").count()).toBe(100);
    expect(await page.locator("img").count()).toBe(0);
    for (const peer of peers) peer.close();
    expect(faults).toEqual([]);
  },
);

function fateOf(address: string, index: number): Fate {
  if (address === MISSES) return "misses its initrd";
  if (address === STOPS) return "stops in its kernel";
  return index % 8 === 0 ? "slow" : "boots";
}

async function openBrowser(): Promise<Browser> {
  // Root has no sandbox; the pages are our own.
  return await chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] });
}

/** What the page throws or complains of, a broken policy for its content included, is collected. */
async function openPage(
  browser: Browser,
  url: string,
): Promise<{ readonly page: Page; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return { page, faults };
}

async function takePicture(page: Page, name: string): Promise<void> {
  await page.evaluate("scrollTo(0, 0)");
  const picture = await page.screenshot();
  expect(picture.length).toBeGreaterThan(10_000);
  if (!takesPictures) return;
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.png`), picture);
}

/** What axe-core finds that is serious or worse. https://github.com/dequelabs/axe-core */
async function seriousFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    async () => await (globalThis as unknown as { axe: typeof axe }).axe.run(),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}
