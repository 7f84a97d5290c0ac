// What this machine's kernel knows of clients (supervisor layer): hardware addresses and names of interfaces, for the audit.
// Asked in the main thread; an answer is remembered for some seconds.

import { monotonicUs } from "#io/clock.ts";
import { Interfaces } from "#io/interfaces.ts";
import { Neighbours } from "#io/neighbours.ts";
import { parseAddress } from "#policy/address.ts";
import { bytesOf } from "#policy/names.ts";

import type { ClientLookup } from "./boots.ts";

export function kernelLookup(): ClientLookup {
  const neighbours = new Neighbours();
  const interfaces = new Interfaces();
  return {
    macOf: (text, interfaceIndex) => {
      const address = parseAddress(text);
      return address && neighbours.macOf(bytesOf(address), interfaceIndex);
    },
    interfaceName: (index) => interfaces.nameOf(index, monotonicUs()),
  };
}
