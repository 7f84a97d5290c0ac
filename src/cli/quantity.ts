// Numbers with units on a command line (cli layer): 64k, 2.5, 30s.
// A value, or in words why there is none.

/** The number that `text` is; k, M and G behind it are powers of 1,024. */
export function quantity(
  text: string | undefined,
  least: number,
  most: number,
): number | string | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)([kMG]?)$/.exec(text) ?? [];
  if (digits === undefined) return `${text} is no number`;
  const value = Number(digits) * 1024 ** " kMG".indexOf(unit || " ");
  return value >= least && value <= most ? value : `${text} is not between ${least} and ${most}`;
}

/** The time that `text` is, in microseconds: seconds, where it says nothing else. */
export function durationUs(text: string | undefined, mostUs: number): number | string | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = "s"] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const unitUs = unitsUs.get(unit);
  if (digits === undefined || unitUs === undefined) return `${text} is no time, as 30s or 2m is`;
  const valueUs = Number(digits) * unitUs;
  return valueUs > 0 && valueUs <= mostUs ? valueUs : `${text} is 0 or longer than a day`;
}

const unitsUs: ReadonlyMap<string, number> = new Map([
  ["ms", 1000],
  ["s", 1e6],
  ["m", 60e6],
  ["h", 3600e6],
]);
