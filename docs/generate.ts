// Writes the pages that are made from tables: `bun docs/generate.ts`. With `--check` it writes nothing and
// exits with 1 if a page is stale.

import { configurationPage } from "./configuration-page.ts";
import { metricsPage } from "./metrics-page.ts";

/** File name in this folder → the function that writes its text. */
export const pages: Readonly<Record<string, () => string>> = {
  "configuration.md": configurationPage,
  "metrics.md": metricsPage,
};

/** The names of the pages whose file differs from what their function writes. */
export async function stalePages(): Promise<string[]> {
  const stale: string[] = [];
  for (const [name, write] of Object.entries(pages)) {
    const file = Bun.file(`${import.meta.dir}/${name}`);
    if (!(await file.exists()) || (await file.text()) !== write()) stale.push(name);
  }
  return stale;
}

async function main(): Promise<void> {
  const stale = await stalePages();
  const isCheck = process.argv.includes("--check");
  for (const name of stale) {
    if (isCheck) {
      process.stderr.write(`docs/${name} is stale; run: bun docs/generate.ts\n`);
      process.exitCode = 1;
    } else {
      await Bun.write(`${import.meta.dir}/${name}`, pages[name]?.() ?? "");
      process.stdout.write(`docs/${name} written\n`);
    }
  }
}

if (import.meta.main) await main();
