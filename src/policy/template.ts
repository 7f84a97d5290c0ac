// Virtual files (policy layer, pure): a pattern of names and the text that answers them, filled in for each client. The text
// is rendered whole before anything is granted, so that its size is known.

import type { PolicyFault } from "./fault.ts";
import { compilePattern, type PatternSpec } from "./pattern.ts";
import type { Regex } from "./regex.ts";
import { isTextFault, parseText, type Text } from "./text.ts";

/** A template as it is configured. */
export interface TemplateSpec {
  readonly pattern: PatternSpec;
  readonly text: string;
}

/** A compiled template. */
export interface Template {
  readonly regex: Regex;
  readonly text: Text;
}

/** Checks and compiles a template; `known` are the variables that its text may name. */
export function compileTemplate(
  spec: TemplateSpec,
  known: ReadonlySet<string>,
): Template | PolicyFault {
  const regex = compilePattern(spec.pattern);
  if ("message" in regex) return { ...regex, key: spec.pattern.kind };
  const text = parseText(spec.text, known, regex.captures);
  if (!isTextFault(text)) return { regex, text };
  return {
    key: "text",
    message: text.message,
    remedy: text.remedy,
    at: text,
  };
}
