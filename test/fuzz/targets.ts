// All that is fuzzed, by name.

import { configTarget } from "./config-target.ts";
import { nameTargets } from "./name-targets.ts";
import type { Target } from "./target.ts";
import { wireTargets } from "./wire-targets.ts";

export const targets: readonly Target[] = [...wireTargets, ...nameTargets, configTarget];
