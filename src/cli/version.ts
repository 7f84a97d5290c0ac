// The version and commit of this executable (cli layer). build.ts compiles them in;
// a run from the sources says so.

import packageJson from "../../package.json" with { type: "json" };

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

/** `0.1.0`. */
export const version: string =
  typeof BUILD_VERSION === "string" ? BUILD_VERSION : packageJson.version;

/** The commit that was built, `+` behind it when files differed from it; `source` when nothing was built. */
export const commit: string = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "source";
