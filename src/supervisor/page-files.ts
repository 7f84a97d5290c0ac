// The files of the status page (supervisor layer), which the executable holds as text. They say nothing of the server by
// themselves, so that everybody may have them; what they show they ask the API for.

// oxlint-disable-next-line import/default -- it is text
import parts from "./page-parts.js" with { type: "text" };
import html from "./page.html" with { type: "text" };
// oxlint-disable-next-line import/default -- it is text
import script from "./page.js" with { type: "text" };

import css from "./page.css" with { type: "text" };

/** What browsers may do for this page: nothing that was not served with it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface PageFile {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** By path. */
export const pageFiles: ReadonlyMap<string, PageFile> = new Map([
  // As text it is no bundle of Bun's, which is how Bun declares pages.
  ["/", file(html as unknown as string, "text/html")],
  ["/page.css", file(css, "text/css")],
  ["/page.js", file(script, "text/javascript")],
  ["/page-parts.js", file(parts, "text/javascript")],
]);

function file(text: string, type: string): PageFile {
  return {
    text,
    headers: {
      "Content-Type": `${type}; charset=utf-8`,
      "Content-Security-Policy": POLICY,
      "Referrer-Policy": "no-referrer",
    },
  };
}
