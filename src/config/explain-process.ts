// As whom the server runs and what it gives up, in words (config layer): lines of `check`. What the kernel grants of it is seen
// when the server starts.

import type { ProcessSettings } from "./settings-process.ts";

/** Lines of `check`, as names and values. */
export function explainProcess(settings: ProcessSettings): readonly (readonly [string, string])[] {
  return [
    ["user", describeUser(settings)],
    ["confined", describeConfinement(settings)],
    ["hand-over", describeHandover(settings)],
  ];
}

function describeUser({ identity }: ProcessSettings): string {
  if (identity === undefined) return "whoever starts it";
  const { name, uid, gid, supplementaryGids } = identity;
  return `${name} (user ${uid}, groups ${[gid, ...supplementaryGids].join(", ")}), if root starts it`;
}

function describeConfinement(settings: ProcessSettings): string {
  const { isPathConfined, isCallConfined, readFolders, writeFolders } = settings;
  const means = [
    ...(isPathConfined ? ["Landlock"] : []),
    ...(isCallConfined ? ["seccomp"] : []),
    "no new privileges",
  ];
  const besides = [
    ...readFolders.map((folder) => `reads ${folder}`),
    ...writeFolders.map((folder) => `writes ${folder}`),
  ];
  return [means.join(", "), ...besides].join("; ");
}

function describeHandover({ handoverMs, pidFile }: ProcessSettings): string {
  const file = pidFile === undefined ? "" : `; the PID file is ${pidFile}`;
  if (handoverMs === 0) return `none${file}`;
  return `by SIGUSR2, to what is ready within ${handoverMs / 1000} s${file}`;
}
