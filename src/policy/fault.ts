// What is wrong with a rule, a template or a chain of roots (policy layer, pure): told by the key that is to blame, so that
// whoever read the file can point at it.

/** A fault of a table of the configuration. */
export interface PolicyFault {
  /** The key, as the file calls it. */
  readonly key: string;
  /** Which element of the key's array. */
  readonly element?: number;
  /** The stretch of the text that is to blame, in UTF-16 units. */
  readonly at?: { readonly start: number; readonly length: number };
  /** Continues "`key` …". */
  readonly message: string;
  readonly remedy: string;
}

/** Whether the answer of one of this folder's compilers is a fault. */
export function isPolicyFault(answer: object): answer is PolicyFault {
  return "remedy" in answer;
}
