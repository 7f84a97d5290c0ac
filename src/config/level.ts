// Log levels as configuration files write them (config layer): a bare level, or a filter such as
// `info,tokio=warn`, of which the first bare level counts.

/** The least severe kind of line that is printed; `off` prints none. */
export type LogLevel = "off" | "error" | "warn" | "info" | "debug" | "trace";

/** All levels, the quietest first. */
export const logLevels: readonly LogLevel[] = ["off", "error", "warn", "info", "debug", "trace"];

/**
 * The level that a filter asks for, or undefined if it names none. Upper case counts too, and 0–5 for
 * `off`–`trace`. In a filter of targets alone (`snow_owl_tftp=debug`) the first target's level counts.
 */
export function parseLevel(filter: string): LogLevel | undefined {
  const directives = filter.split(",").map((directive) => directive.trim().toLowerCase());
  const bare = directives.find((directive) => levelNamed(directive) !== undefined);
  return levelNamed(bare ?? directives[0]?.split("=").pop() ?? "");
}

function levelNamed(word: string): LogLevel | undefined {
  return /^[0-5]$/u.test(word) ? logLevels[Number(word)] : logLevels.find((name) => name === word);
}
