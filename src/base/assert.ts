// Assertions for our own mistakes (base layer). They stay on in production: a violated invariant
// ends the shard, which the supervisor replaces; it never turns into wrong bytes on the wire.

/** Thrown when an invariant of our own code is violated; never for a fault of a peer or the kernel. */
class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** Throws {@link AssertionError} unless `claim` holds. `message` is a constant, so that passing costs nothing. */
export function assert(claim: boolean, message: string): asserts claim {
  if (!claim) throw new AssertionError(message);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
