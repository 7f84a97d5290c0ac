// What the [[listener]] tables of a configuration mean together (config layer): no two may claim the same place or name, and none a
// port that is another's.

import { at } from "#base/bytes.ts";
import { parseAddress } from "#policy/address.ts";

import type { Config } from "./config.ts";
import { error, type Finding, warning } from "./finding.ts";
import type { Entry } from "./schema.ts";
import { listenerName, type ListenerSettings, resolveListeners } from "./settings-listeners.ts";

/** Each costs every worker a few sockets: a guess, more than there are networks with TFTP clients on one machine. */
const LISTENERS_MAX = 64;

/** Every finding on the listeners; none where there are no such tables. */
export function checkListeners(config: Config): readonly Finding[] {
  const { listener: entries } = config;
  if (entries.length === 0) return [];
  const listeners = resolveListeners(config, 1);
  return [
    ...checkCount(entries),
    ...checkBindAddress(config),
    ...listeners.flatMap((listener, index) => {
      const entry = at(entries, index);
      const earlier = listeners.slice(0, index);
      return [
        checkName(entry, listener, earlier),
        checkPlace(entry, listener, earlier),
        checkInterface(entry),
        checkRange(entry, listener, listeners),
      ].flat();
    }),
  ];
}

/** Names in a rule that no listener has. */
export function checkRuleListeners(rule: Entry<"rule">, { listener }: Config): readonly Finding[] {
  const names = listener.map(listenerName);
  return rule.listener.flatMap((name, element) => {
    if (names.includes(name)) return [];
    const place = rule.sources.get(`listener[${element}]`) ?? rule.place;
    const message = `\`rule.listener\` has ${JSON.stringify(name)}, which is no listener`;
    const known = names.length === 0 ? "there is no [[listener]]" : `there are ${names.join(", ")}`;
    return [error(place, message, `write the \`name\` of a [[listener]]; ${known}.`)];
  });
}

function checkCount(entries: readonly Entry<"listener">[]): readonly Finding[] {
  const first = entries[LISTENERS_MAX];
  if (first === undefined) return [];
  const message = `there are ${entries.length} listeners, and at most ${LISTENERS_MAX} are possible`;
  return [
    error(first.place, message, "listen on [::] or 0.0.0.0, and tell requests apart by rules."),
  ];
}

/** A flag that has no effect would be worse than one that is refused. */
function checkBindAddress({ sources }: Config): readonly Finding[] {
  const place = sources.get("bind_addr");
  if (place === undefined) return [];
  const message = "`bind_addr` has no effect beside [[listener]]";
  if (place.line > 0) return [warning("bind_addr", message, "remove it, or the listeners.")];
  return [error("bind_addr", message, "leave --bind out, or take the listeners out of the file.")];
}

function checkName(
  { sources, place }: Entry<"listener">,
  { name }: ListenerSettings,
  earlier: readonly ListenerSettings[],
): readonly Finding[] {
  if (!earlier.some((other) => other.name === name)) return [];
  const message = `another listener is called ${JSON.stringify(name)}`;
  return [error(sources.get("name") ?? place, message, "give each a name of its own.")];
}

function checkPlace(
  { sources, place }: Entry<"listener">,
  listener: ListenerSettings,
  earlier: readonly ListenerSettings[],
): readonly Finding[] {
  const at = sources.get("bind_addr") ?? place;
  if (listener.listen.port === 0) {
    const remedy = "write the port that clients ask: 69 unless they are told another.";
    return [error(at, "`listener.bind_addr` cannot have port 0", remedy)];
  }
  const twin = earlier.find((other) => placeKey(other) === placeKey(listener));
  if (twin === undefined) return [];
  const message = `the listener ${JSON.stringify(twin.name)} listens there already`;
  const remedy = "write another address, port or interface, or join the two.";
  return [error(at, message, remedy)];
}

/** The same text for the same place, however its address is written. */
function placeKey({ listen, interface: device }: ListenerSettings): string {
  const { address, port, scope } = listen;
  return JSON.stringify([parseAddress(address), port, scope, device]);
}

function checkInterface({
  interface: name,
  sources,
  place,
}: Entry<"listener">): readonly Finding[] {
  if (name === "" || /^[^\s/]{1,15}$/u.test(name)) return [];
  const message = `\`listener.interface\` is ${JSON.stringify(name)}, which is no name of an interface`;
  const remedy = "write one that `ip link` lists, without its address.";
  return [error(sources.get("interface") ?? place, message, remedy)];
}

function checkRange(
  { sources, place }: Entry<"listener">,
  { singlePort, portRange: range }: ListenerSettings,
  listeners: readonly ListenerSettings[],
): readonly Finding[] {
  const at = sources.get("port_range") ?? place;
  if (range === undefined) return [];
  if (singlePort) {
    if (!sources.has("port_range")) return [];
    const message = "`port_range` has no effect while `single_port` is on";
    return [warning(at, message, "remove one of the two.")];
  }
  const taken = listeners.find(({ listen: { port } }) => port >= range.first && port <= range.last);
  if (taken === undefined) return [];
  const { name, listen } = taken;
  const message = `the range holds port ${listen.port}, on which ${JSON.stringify(name)} listens`;
  return [
    error(at, message, "move the range, or write single_port = true to use that port alone."),
  ];
}
