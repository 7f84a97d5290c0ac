// A running server whose web server for status answers (end-to-end tests), with two workers.

import { freeTcpPort, type Server, startServer } from "./server.ts";

export interface Watched extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  readonly page: (accept?: string) => Promise<string>;
}

/** Starts one with these tables, and these keys of `[status]`. */
export async function startWatched(
  tables: readonly string[] = [],
  keys: readonly string[] = [],
): Promise<Watched> {
  const port = await freeTcpPort();
  const status = ["[status]", `bind_addr = "127.0.0.1:${port}"`, ...keys];
  const server = await startServer({ tables: [...status, ...twoWorkers, ...tables] });
  const url = `http://127.0.0.1:${port}`;
  return {
    server,
    url,
    page: async (accept = "text/plain") => {
      const response = await fetch(`${url}/metrics`, { headers: { Accept: accept } });
      return await response.text();
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

const twoWorkers = ["[performance.platform.worker_pool]", "worker_count = 2"];
