// The hosts that are known by name (policy layer, pure): from a client's addresses, or the serial number in what it asks
// for, to the entry of the configuration that says who it is. Hardware addresses have one form here, `b8:27:eb:01:02:03`.

import { type Address, parseAddress } from "./address.ts";
import { type ByteString, byteStringOf, lowerCase } from "./names.ts";

/** A host as it is configured. Texts that are empty are not given. */
export interface HostSpec {
  readonly name: string;
  readonly mac: string;
  readonly ip: string;
  readonly serial: string;
  readonly group: string;
  /** Its own variables. */
  readonly variables: Readonly<Record<string, string>>;
}

/** A host, with the values of its variables as bytes. */
export interface Host {
  readonly name: ByteString;
  readonly serial: ByteString;
  readonly group: ByteString;
  readonly variables: ReadonlyMap<string, ByteString>;
}

/** Finds hosts. Of several entries with the same address or serial number the first counts. */
export class HostTable {
  readonly #byMac: Map<string, Host> = new Map();
  readonly #byIp: Map<Address, Host> = new Map();
  readonly #bySerial: Map<string, Host> = new Map();

  constructor(specs: readonly HostSpec[]) {
    for (const spec of specs) this.#add(spec);
  }

  /** The host with this hardware address, or else with this IP address, or else with this serial number. */
  find(client: Address, mac: string | undefined, serial: ByteString | undefined): Host | undefined {
    return (
      (mac === undefined ? undefined : this.#byMac.get(mac)) ??
      this.#byIp.get(client) ??
      (serial === undefined ? undefined : this.#bySerial.get(lowerCase(serial)))
    );
  }

  #add(spec: HostSpec): void {
    const host: Host = {
      name: byteStringOf(spec.name),
      serial: byteStringOf(spec.serial),
      group: byteStringOf(spec.group),
      variables: new Map(
        Object.entries(spec.variables).map(([name, value]) => [name, byteStringOf(value)]),
      ),
    };
    addFirst(this.#byMac, parseMac(spec.mac), host);
    addFirst(this.#byIp, parseAddress(spec.ip), host);
    addFirst(this.#bySerial, spec.serial === "" ? undefined : lowerCase(host.serial), host);
  }
}

function addFirst<Key>(hosts: Map<Key, Host>, key: Key | undefined, host: Host): void {
  if (key !== undefined && !hosts.has(key)) hosts.set(key, host);
}

/** A hardware address, or the first bytes of one, as `b8:27:eb`, `B8-27-EB-01-02-03` or `b827.eb01.0203`, in the one form. */
export function parseMac(text: string): string | undefined {
  const isKnownForm =
    /^[\dA-Fa-f]{2}(?:([:-])[\dA-Fa-f]{2})?(?:\1[\dA-Fa-f]{2}){0,4}$/.test(text) ||
    /^[\dA-Fa-f]{4}\.[\dA-Fa-f]{4}\.[\dA-Fa-f]{4}$/.test(text);
  if (!isKnownForm) return undefined;
  const digits = text.replaceAll(/[:.-]/g, "").toLowerCase();
  return digits.replaceAll(/..(?!$)/g, "$&:");
}

/**
 * The serial number that a name begins with: 8 or 16 hexadecimal digits before the first slash, as the boot ROM of a
 * Raspberry Pi asks for `0a1b2c3d/start4.elf`.
 */
export function serialIn(name: ByteString): ByteString | undefined {
  return /^\/?([\dA-Fa-f]{8}(?:[\dA-Fa-f]{8})?)\//.exec(name)?.[1];
}
