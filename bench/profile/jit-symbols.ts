// The names of functions that the engine has compiled, for perf (bench): from the file that it writes with useJITDump to the map that perf reads.
// perf's own `inject --jit` knows such files only by names that the engine does not give them.

/** What follows the file's header: one record for each piece of code, of tools/perf/Documentation/jitdump-specification.txt. */
const HEADER_SIZE_AT = 8;
const MAGIC = 0x4a695444;
const RECORD_BYTES = 16;
const CODE_LOAD = 0;
const CODE_ADDRESS_AT = 32;
const CODE_SIZE_AT = 40;
const NAME_AT = 56;

/** A piece of code. */
export interface JitSymbol {
  readonly address: bigint;
  readonly bytes: bigint;
  readonly name: string;
}

/** Every piece of code in a jitdump; a record that the engine was still writing is left out. Throws of what is no jitdump. */
export function jitSymbolsOf(dump: Uint8Array): readonly JitSymbol[] {
  const view = new DataView(dump.buffer, dump.byteOffset, dump.byteLength);
  if (dump.length < RECORD_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new Error("this is no jitdump");
  }
  const symbols: JitSymbol[] = [];
  let at = view.getUint32(HEADER_SIZE_AT, true);
  while (at + RECORD_BYTES <= dump.length) {
    const bytes = view.getUint32(at + 4, true);
    if (bytes < RECORD_BYTES || at + bytes > dump.length) break;
    if (view.getUint32(at, true) === CODE_LOAD) {
      const end = dump.indexOf(0, at + NAME_AT);
      symbols.push({
        address: view.getBigUint64(at + CODE_ADDRESS_AT, true),
        bytes: view.getBigUint64(at + CODE_SIZE_AT, true),
        name: new TextDecoder().decode(dump.subarray(at + NAME_AT, end)),
      });
    }
    at += bytes;
  }
  return symbols;
}

/** Those that were written over by none that came after them: memory of code that was given up is used again. */
export function livingOf(symbols: readonly JitSymbol[]): readonly JitSymbol[] {
  // By address, so that what may lie in the way of a piece stands beside it.
  const living: JitSymbol[] = [];
  for (const symbol of symbols.toReversed()) {
    const next = firstFrom(living, symbol.address);
    const [before, behind] = [living[next - 1], living[next]];
    const isFree =
      (before === undefined || before.address + before.bytes <= symbol.address) &&
      (behind === undefined || symbol.address + symbol.bytes <= behind.address);
    if (isFree) living.splice(next, 0, symbol);
  }
  return living;
}

/** The index of the first of `sorted` that is not below `address`. */
function firstFrom(sorted: readonly JitSymbol[], address: bigint): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.address ?? address) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The map, as perf reads it from /tmp/perf-PID.map: address and size in hexadecimal digits, and the name. */
export function perfMapOf(symbols: readonly JitSymbol[]): string {
  return symbols
    .map(({ address, bytes, name }) => `${address.toString(16)} ${bytes.toString(16)} ${name}\n`)
    .join("");
}
