// Which fast paths a shard takes (server layer): those that the configuration wants and the kernel grants, found
// by trying, and kept as a record that the banner prints.

import type { Settings } from "#config/settings.ts";
import { tryKernel } from "#io/kernel-report.ts";

import type { FastPath, FastPaths } from "./contract.ts";

/** Tries the features that `settings` wants. */
export function fastPaths(settings: Settings): FastPaths {
  const kernel = tryKernel(["recvmmsg", "sendmmsg", "UDP_SEGMENT", "openat2"]);
  const spin: FastPath =
    settings.spinUs > 0
      ? { isOn: true, because: "" }
      : { isOn: false, because: "off in the configuration" };
  return {
    recvmmsg: choose(settings.useRecvmmsg, kernel.get("recvmmsg")),
    sendmmsg: choose(settings.useSendmmsg, kernel.get("sendmmsg")),
    gso: choose(settings.useGso, kernel.get("UDP_SEGMENT")),
    openat2: choose(true, kernel.get("openat2")),
    spin,
  };
}

function choose(isWanted: boolean, refusal: string | undefined): FastPath {
  if (!isWanted) return { isOn: false, because: "off in the configuration" };
  return { isOn: refusal === undefined, because: refusal ?? "" };
}
