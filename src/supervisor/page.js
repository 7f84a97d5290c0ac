// The status page (supervisor layer): listens to the API's stream of snapshots and shows it; what changes seldom is asked for
// while it is in sight. Reads only.

import {
  bytesText,
  clockText,
  element,
  graph,
  list,
  rateText,
  rows,
  setProse,
  setText,
  spanText,
} from "./page-parts.js";

const API = "api/v1";
/** Points of a graph, as many as the server keeps. */
const POINTS = 300;
/** How often what is not in snapshots is asked for. */
const SLOW_MS = 5000;
/** How long to wait before the server is asked again that has gone. */
const AGAIN_MS = 2000;

const part = (id) => document.getElementById(id);

/** Columns of the graphs. */
let history = { sent_bytes: [], received_bytes: [], requests: [], refused: [] };
/** The last snapshot's clients; all of them while there is a filter. */
let clients = { total: 0, clients: [] };
/** The addresses whose boots are unfolded. */
const unfolded = new Set();

part("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", part("secret").value);
  part("secret").value = "";
  part("token").hidden = true;
  void follow();
});
part("filter").addEventListener("input", () => void filter());
part("configuration").addEventListener("toggle", () => void showConfiguration());
void follow();
setInterval(() => void showSlow(), SLOW_MS);

/** Follows the stream for as long as the page is open. */
async function follow() {
  for (;;) {
    try {
      history = await ask("history");
      void showSlow();
      await readStream(await request("live"));
      stand("the server has closed the connection; asking again …");
    } catch (fault) {
      if (fault.status === 401) {
        stand("a token is needed");
        part("token").hidden = false;
        part("secret").focus();
        return;
      }
      stand(`no answer from the server (${fault.message}); asking again …`);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function request(path) {
  const token = sessionStorage.getItem("token");
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(`${API}/${path}`, { headers });
  if (response.ok) return response;
  const fault = new Error(`${response.status}`);
  fault.status = response.status;
  throw fault;
}

async function ask(path) {
  return (await request(path)).json();
}

/** Server-sent events by hand, because EventSource cannot show a token. */
async function readStream(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    // One that is behind shows the newest.
    const last = events.findLast((event) => event.startsWith("event: snapshot\n"));
    if (last !== undefined) show(JSON.parse(last.slice(last.indexOf("data: ") + 6)));
  }
}

function show(snapshot) {
  const { status } = snapshot;
  const stuck = status.clients_stuck;
  document.title = stuck === 0 ? "snow-owl-tftp" : `(${stuck} stuck) snow-owl-tftp`;
  const why = status.because === "" ? "" : ` (${status.because})`;
  stand(`${status.state}${why} on ${status.address}, version ${status.version}`);
  showTiles(status);
  if (part("filter").value === "") {
    ({ clients } = snapshot);
    showClients(clients.clients);
  }
  showTransfers(snapshot.transfers);
  showErrors(snapshot.errors);
  addPoint(status);
}

function stand(text) {
  setText(part("standing"), text);
}

function showTiles(status) {
  const tiles = [
    ["stuck", String(status.clients_stuck), status.clients_stuck > 0 ? "bad" : ""],
    ["loading", String(status.clients_loading)],
    ["idle", String(status.clients_idle)],
    ["transfers", String(status.transfers)],
    ["sent", rateText(status.sent_bytes_per_second)],
    ["requests", `${status.requests_per_second}/s`],
    ["up for", spanText(status.uptime_ms)],
  ];
  list(
    part("tiles"),
    tiles,
    ([name]) => name,
    ([name]) => element("li", {}, element("strong"), name),
    (tile, [, value, mood = ""]) => {
      tile.className = mood;
      setText(tile.firstElementChild, value);
    },
  );
}

async function filter() {
  if (part("filter").value !== "") clients = await ask("clients?limit=10000");
  const text = part("filter").value.toLowerCase();
  const has = ({ client, mac, file }) =>
    [client, mac ?? "", file].some((each) => each.toLowerCase().includes(text));
  showClients(clients.clients.filter(has));
}

/** How many of a long list are shown at once. */
const SHOWN = 100;

function showClients(found) {
  const shown = found.slice(0, SHOWN);
  list(part("clients"), shown, ({ client }) => client, newClient, updateClient);
  const { total } = clients;
  const none = total === 0 ? "Nobody has asked for anything yet." : "";
  const more = total > shown.length ? `${shown.length} of ${total} are shown.` : none;
  setText(part("clients-note"), more);
}

function newClient({ client }) {
  const names = ["state", "who", "sentence", "remedy"];
  const button = element(
    "button",
    { class: "client", "aria-expanded": "false", type: "button" },
    ...names.map((name) => element("span", { class: name })),
  );
  const item = element("li", {}, button);
  button.addEventListener("click", () => {
    const isOpen = !unfolded.delete(client);
    if (isOpen) unfolded.add(client);
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) void showTimeline(item, client);
    else item.querySelector(".timeline")?.remove();
  });
  return item;
}

function updateClient(item, view) {
  const { client, mac, state, sentence, remedy } = view;
  const [stateName, who, what, help] = item.firstElementChild.children;
  item.className = state;
  stateName.className = `state ${state}`;
  setText(stateName, state);
  setText(who, mac === null ? client : `${client} (${mac})`);
  setText(what, sentence);
  setProse(help, remedy);
  if (unfolded.has(client)) void showTimeline(item, client);
}

/** What a client asked for, in order. */
async function showTimeline(item, client) {
  let boot;
  try {
    boot = await ask(`clients/${encodeURIComponent(client)}`);
  } catch {
    // It was forgotten meanwhile; the next snapshot takes it away.
    return;
  }
  if (!unfolded.has(client)) return;
  let place = item.querySelector(".timeline");
  if (place === null) {
    place = newTimeline(client);
    item.append(place);
  }
  const { boot_started: started, boots } = boot.client;
  const times = boots > 1 ? `, boot ${boots} of those seen` : "";
  const dropped =
    boot.steps_dropped > 0 ? `; ${boot.steps_dropped} earlier steps are not kept` : "";
  setText(place.firstElementChild, `began at ${clockText(started)}${times}${dropped}`);
  rows(
    place.querySelector("tbody"),
    boot.steps,
    (_step, index) => index + boot.steps_dropped,
    ["number", "name", "", "number", "number"],
    (step, row) => {
      row.className = step.state;
      return [
        clockText(step.time),
        step.file,
        stepText(step),
        step.bytes === 0 ? "" : bytesText(step.bytes),
        step.bytes === 0 ? "" : rateText(step.bytes_per_second),
      ];
    },
  );
}

function newTimeline(client) {
  const names = [
    ["at", "number"],
    ["asked for", ""],
    ["what came of it", ""],
    ["bytes", "number"],
    ["rate", "number"],
  ];
  const heads = names.map(([name, kind]) => element("th", { scope: "col", class: kind }, name));
  const table = element(
    "table",
    { "aria-label": `Boot of ${client}` },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody"),
  );
  const scroll = element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Boot of ${client}` },
    table,
  );
  return element("div", { class: "timeline" }, element("p", { class: "note" }), scroll);
}

function stepText({
  state,
  because,
  detail,
  times,
  duration_ms: durationMs,
  bytes,
  file_bytes: all,
}) {
  const often = times > 1 ? `, ${times} times` : "";
  const took = durationMs > 0 ? ` in ${spanText(durationMs)}` : "";
  if (state === "running") return `running, ${percentText(bytes, all)}`;
  if (state === "refused") return `refused: ${detail}${often}`;
  if (state === "complete") return because === "probe" ? "told its size" : `complete${took}`;
  return `${state} (${because}) at ${percentText(bytes, all)}${took}${often}`;
}

function percentText(bytes, all) {
  return all === null || all === 0 ? bytesText(bytes) : `${Math.floor((100 * bytes) / all)} %`;
}

function showTransfers({ total, transfers }) {
  rows(
    part("transfers"),
    transfers,
    ({ id }) => id,
    ["", "name", "number", "number", "number", "number"],
    (transfer, row) => [
      transfer.client,
      transfer.file,
      progressOf(transfer, row),
      rateText(transfer.bytes_per_second),
      String(transfer.blocks_repeated),
      spanText(transfer.silent_ms),
    ],
  );
  const none = total === 0 ? "None." : "";
  const more = total > transfers.length ? `${transfers.length} of ${total} are shown.` : none;
  setText(part("transfers-note"), more);
}

/** The bar of this row, or a new one. */
function progressOf({ client, file, bytes, file_bytes: all }, row) {
  const known = row.querySelector("span.bar");
  const bar = known ?? element("span", { class: "bar" }, element("progress"), element("span"));
  const [progress, text] = bar.children;
  progress.setAttribute("aria-label", `${file} to ${client}`);
  if (all === null) progress.removeAttribute("value");
  else [progress.max, progress.value] = [Math.max(1, all), bytes];
  setText(text, percentText(bytes, all));
  return bar;
}

function showErrors(errors) {
  let said = "";
  list(
    part("errors"),
    errors,
    ({ event, sentence }) => `${event} ${sentence}`,
    newError,
    (item, { time, client, sentence, remedy, times }) => {
      const [when, what, help] = item.children;
      setText(when, clockText(time));
      const often = times > 1 ? ` (${times} times)` : "";
      setText(what, `${client === null ? "" : `${client}: `}${sentence}${often}`);
      // What helps against several that follow each other stands at the first.
      setProse(help, remedy === said ? "" : remedy);
      said = remedy;
    },
  );
  setText(part("errors-note"), errors.length === 0 ? "None." : "");
}

function newError() {
  const names = ["faint", "name", "remedy"];
  return element("li", {}, ...names.map((name) => element("span", { class: name })));
}

function addPoint(status) {
  const columns = {
    sent_bytes: status.sent_bytes_per_second,
    received_bytes: status.received_bytes_per_second,
    requests: status.requests_per_second,
    refused: status.refused_per_second,
  };
  for (const [name, value] of Object.entries(columns)) {
    history[name].push(value);
    if (history[name].length > POINTS) history[name].shift();
  }
  graph(part("bytes"), [history.sent_bytes, history.received_bytes], POINTS - 1);
  graph(part("requests"), [history.requests, history.refused], POINTS - 1);
  const most = (name) => Math.max(0, ...history[name]);
  setText(
    part("bytes-caption"),
    `sent: ${rateText(columns.sent_bytes)} now, ${rateText(most("sent_bytes"))} at the most; received: ${rateText(columns.received_bytes)}`,
  );
  setText(
    part("requests-caption"),
    `requests: ${columns.requests}/s now, ${most("requests")}/s at the most; refused: ${columns.refused}/s`,
  );
}

async function showSlow() {
  if (document.hidden || !part("token").hidden) return;
  try {
    const [files, { shards }, kernel] = await Promise.all(
      ["files?limit=20", "shards", "kernel"].map(ask),
    );
    showFiles(files);
    showShards(shards);
    showKernel(kernel);
    if (part("filter").value !== "") await filter();
  } catch {
    // The stream says that the server has gone.
  }
}

function showFiles({ total, files }) {
  rows(
    part("files"),
    files,
    ({ file }) => file,
    ["name", "number", "number", "number", "number"],
    ({ file, bytes, completed, failed, refused }) => [
      file,
      bytesText(bytes),
      ...[completed, failed, refused].map(String),
    ],
  );
  const more = total > files.length ? `${files.length} of ${total} are shown.` : "";
  setText(part("files-note"), total === 0 ? "None." : more);
}

function showShards(shards) {
  rows(
    part("shards"),
    shards,
    ({ shard }) => shard,
    ["number", "number", "number", "", "number", "number"],
    (view) => [
      String(view.shard),
      `${view.transfers} of ${view.transfers_max}`,
      String(view.waiting_to_send + view.waiting_for_socket + view.waiting_for_disk),
      `${bytesText(view.cache_bytes)} of ${bytesText(view.cache_bytes_max)}`,
      hitsText(view),
      String(view.sent_datagrams),
    ],
  );
}

function hitsText({ cache_hits: hits, cache_misses: misses }) {
  return hits + misses === 0 ? "" : `${Math.floor((100 * hits) / (hits + misses))} %`;
}

function showKernel({ features, confinement }) {
  list(
    part("kernel"),
    features,
    ({ feature }) => feature,
    () => element("li"),
    (item, { feature, is_on: isOn, because }) =>
      setText(item, isOn ? `✓ ${feature}` : `✗ ${feature}: ${because}`),
  );
  setText(part("confinement-note"), confinement.length === 0 ? "Nothing: see [process]." : "");
  list(
    part("confinement"),
    confinement,
    ({ measure }) => measure,
    () => element("li"),
    (item, { measure, is_on: isOn, because }) =>
      setText(item, `${isOn ? "✓" : "✗"} ${measure}${because === "" ? "" : `: ${because}`}`),
  );
}

async function showConfiguration() {
  if (!part("configuration").open) return;
  const { file, settings } = await ask("configuration");
  const all = [{ name: "file", value: file === "" ? "none" : file }, ...settings];
  const pairs = all.flatMap(({ name, value }) => [
    element("dt", {}, name),
    element("dd", {}, value),
  ]);
  part("settings").replaceChildren(...pairs);
}
