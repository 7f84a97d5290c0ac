// The page that bench --report writes, in a real browser: it opens from a file, says what happened, and is readable on a phone.
// With SCREENSHOTS=1 the pictures of the documentation are taken anew.

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import axe from "axe-core";
import { chromium, type Page } from "playwright-core";

import { bytesOf } from "./bytes.ts";
import { clientFolder } from "./client-rig.ts";
import { startServer } from "./server.ts";

setDefaultTimeout(120_000);

const program: string | null = Bun.which("chromium");
const testWithBrowser =
  program === null && process.env["CI"] === undefined
    ? (name: string) => test.skip(`${name} (Debian's chromium is missing)`, () => {})
    : test;

testWithBrowser(
  "a load's page has its figures and charts, light and dark, wide and narrow",
  async () => {
    await using server = await startServer();
    server.put("small", bytesOf(20_000, 1));
    server.put("large", bytesOf(2_000_000, 2));
    using folder = clientFolder();
    const names = ["-s", `127.0.0.1:${server.port}`, "small", "large", "missing"];
    const mix = ["--mix", "small:80,large:15,missing:5"];
    const how = ["--rate=150", "-n", "200", "--server-pid", String(server.pid)];
    const { exitCode } = await folder.run("bench", ...names, ...mix, ...how, "--report=load.html");
    expect(exitCode).toBe(66);
    // Root has no sandbox; the page is our own.
    await using browser = await chromium.launch({
      executablePath: program ?? "",
      args: ["--no-sandbox"],
    });
    const page = await browser.newPage({ viewport: { width: 1100, height: 1000 } });
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text());
    });
    await page.goto(`file://${join(folder.path, "load.html")}`);
    expect(await page.locator("figure svg").count()).toBe(3);
    expect(await page.getByText("it says: File not found (ERROR 1)").first().isVisible()).toBe(
      true,
    );
    expect(await page.getByText("context switches").first().isVisible()).toBe(true);
    expect(await seriousFaults(page)).toEqual([]);
    await takePicture(page, "bench-report");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 390, height: 1400 });
    expect(await seriousFaults(page)).toEqual([]);
    // Nothing has to be scrolled sideways.
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await takePicture(page, "bench-report-phone");
    expect(faults).toEqual([]);
  },
);

async function takePicture(page: Page, name: string): Promise<void> {
  const picture = await page.screenshot();
  expect(picture.length).toBeGreaterThan(10_000);
  if (process.env["SCREENSHOTS"] !== "1") return;
  writeFileSync(resolve(import.meta.dir, "../../docs/img", `${name}.png`), picture);
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
