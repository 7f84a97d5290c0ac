// Coverage marks (base layer): a test can ask that a named branch was taken.
// A no-op in production.

let observer: ((name: string) => void) | undefined;

/** Says that the branch called `name` was taken. `docs/rfc.md` ties each name to a clause and a test. */
export function mark(name: string): void {
  if (observer !== undefined) observer(name);
}

/** Runs `body` and returns the set of marks that it hit. For tests; calls do not nest. */
export function marksOf(body: () => void): ReadonlySet<string> {
  const seen = new Set<string>();
  observer = (name) => seen.add(name);
  try {
    body();
  } finally {
    observer = undefined;
  }
  return seen;
}
