// What the process gives up before it serves (io layer): the user that it was started as, capabilities, the file system but for
// what it needs, system calls. Each measure is taken where the kernel grants it, and told where not.

import { Errno, errnoName } from "#ffi/errno.ts";
import { confineToPaths, landlockVersion, type PathRule } from "#ffi/landlock.ts";
import {
  allowOpenFiles,
  becomeUser,
  boundCapabilities,
  boundingSet,
  Capability,
  forbidNewPrivileges,
  type Identity,
  keepCapabilities,
} from "#ffi/privileges.ts";
import { effectiveUid } from "#ffi/process.ts";
import { sealProcess } from "#ffi/seccomp.ts";

import type { StartFault } from "./start.ts";

export type { PathRule } from "#ffi/landlock.ts";

/** One thing that was given up, or could not be. */
export interface Measure {
  readonly name: string;
  readonly isOn: boolean;
  /** What is left, or why it is off. */
  readonly because: string;
}

export interface Confinement {
  /** Whom the process becomes; undefined: it stays who it is. */
  readonly identity: (Identity & { readonly name: string }) | undefined;
  /** All that may be opened from now on; undefined: everything, as far as the user may. */
  readonly paths: readonly PathRule[] | undefined;
  readonly openFiles: number;
}

/**
 * Confines the calling thread and whatever it starts or becomes, to be followed by a program that takes this one's place: other
 * threads of this process go on as before. A fault is about the user alone; a measure that the kernel refuses is reported.
 */
export function confine(wanted: Confinement): readonly Measure[] | StartFault {
  const files = allowOpenFiles(wanted.openFiles);
  const staysRoot =
    wanted.identity === undefined ? effectiveUid() === 0 : wanted.identity.uid === 0;
  const kept = staysRoot ? CAPABILITIES_OVER_FILES : [];
  // The bounding set first: to change it takes a capability that goes with the user.
  const bounded = boundCapabilities(kept);
  const fault = wanted.identity === undefined ? undefined : become(wanted.identity);
  if (fault !== undefined) return fault;
  const capabilities = keepCapabilities(kept);
  const forbidden = forbidNewPrivileges();
  const measures = [
    userMeasure(wanted.identity?.name, staysRoot),
    measure("capabilities", capabilities, staysRoot ? "those over files" : "none"),
    ...(bounded < 0 ? [boundMeasure(bounded, capabilities >= 0 && forbidden >= 0)] : []),
    measure("no new privileges", forbidden, ""),
  ];
  if (files < wanted.openFiles) measures.push(fewFiles(files, wanted.openFiles));
  const landlock = wanted.paths === undefined ? OFF : confineToPaths(wanted.paths);
  return [...measures, measure("Landlock", landlock, `version ${landlockVersion()}`)];
}

/**
 * Seals all threads of this process and what they start later: only the system calls of the server are left. What cannot be
 * started now never will be.
 */
export function seal(isWanted: boolean, mayStartPrograms: boolean): Measure {
  const sealed = isWanted ? sealProcess(mayStartPrograms) : OFF;
  return measure("seccomp", sealed, mayStartPrograms ? "programs may be started" : "no programs");
}

/** Reading and writing files of others, and giving them away, as root is expected to; everything else that root may goes. */
const CAPABILITIES_OVER_FILES: readonly number[] = [
  Capability.CAP_CHOWN,
  Capability.CAP_DAC_OVERRIDE,
  Capability.CAP_DAC_READ_SEARCH,
  Capability.CAP_FOWNER,
];

/** The answer of a measure that was not asked for. No call fails like that. */
const OFF = -Errno.ECANCELED;

function become(identity: Identity & { readonly name: string }): StartFault | undefined {
  const { name, uid } = identity;
  if (effectiveUid() === uid && uid !== 0) return undefined;
  const result = becomeUser(identity);
  if (result >= 0) return undefined;
  return {
    fault: `cannot become the user ${name}: ${errnoName(result)}`,
    remedy:
      result === -Errno.EPERM
        ? "start as root, or leave `user` out of [process] and start as that user"
        : "correct `user`, `group` and `supplementary_groups` in [process]",
  };
}

function userMeasure(name: string | undefined, staysRoot: boolean): Measure {
  if (staysRoot) return { name: "user", isOn: false, because: "root; name one in [process]" };
  return { name: "user", isOn: true, because: name ?? String(effectiveUid()) };
}

function measure(name: string, result: number, granted: string): Measure {
  if (result >= 0) return { name, isOn: true, because: granted };
  const because = result === OFF ? "off in the configuration" : errnoName(result);
  return { name, isOn: false, because };
}

/**
 * Of a bounding set that could not be emptied, for that takes a capability. It says what a program could be given; where nothing
 * can be given any more, and nothing is held, what stays in it is a word.
 */
function boundMeasure(result: number, isWithoutEffect: boolean): Measure {
  const name = "bounding set";
  if (!isWithoutEffect) return { name, isOn: false, because: errnoName(result) };
  const left = boundingSet();
  const named =
    left.length <= NAMED_MAX ? left.map(capabilityName).join(", ") : `all ${left.length}`;
  return { name, isOn: true, because: `without effect; it still names ${named}` };
}

/** A service unit leaves one or two; more are no use to name. */
const NAMED_MAX = 3;

function capabilityName(number: number): string {
  return (
    Object.entries(Capability).find(([, value]) => value === number)?.[0] ?? `number ${number}`
  );
}

function fewFiles(granted: number, wanted: number): Measure {
  const because = granted < 0 ? errnoName(granted) : `${granted} of ${wanted}`;
  return { name: "open files", isOn: false, because };
}
