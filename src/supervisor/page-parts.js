// What the status page is built with (supervisor layer): elements, lists that change in place, graphs, numbers in words.
// Texts come from clients and are only ever set as text.

/** An element with attributes, and texts or elements inside. */
export function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

/**
 * Makes the children of `parent` those of `items`, in their order. A child whose key was there before is kept and updated, so that
 * focus, selection and what is unfolded stay.
 */
export function list(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const [index, item] of items.entries()) {
    const key = String(keyOf(item, index));
    let child = known.get(key);
    known.delete(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

/** Rows of a table: `cells` says the text or the element of each column. */
export function rows(body, items, keyOf, classes, cells) {
  list(
    body,
    items,
    keyOf,
    () => element("tr", {}, ...classes.map((name) => element("td", { class: name }))),
    (row, item) => {
      for (const [index, content] of cells(item, row).entries()) {
        const cell = row.children[index];
        if (typeof content !== "string") cell.replaceChildren(content);
        else setText(cell, content);
      }
    },
  );
}

/** Sets a text that differs: what stays the same is not announced again, and stays selected. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Sets a text in which `words` between backticks are code. */
export function setProse(target, text) {
  if (target.dataset.text === text) return;
  target.dataset.text = text;
  const parts = text.split("`");
  target.replaceChildren(
    ...parts.map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part)),
  );
}

/** Draws columns of numbers, the newest at the right end of `width`, as lines on one scale; the first one has an area. */
export function graph(svg, columns, width) {
  const height = Math.max(1, ...columns.flat());
  svg.setAttribute("viewBox", `0 0 ${width} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  const paths = columns.flatMap((column, index) => {
    const left = width - column.length + 1;
    const points = column.map((value, x) => `${left + x},${98 - (value / height) * 96}`).join(" ");
    const line = shape("polyline", points, index === 0 ? "line" : "line second");
    if (index > 0) return [line];
    return [shape("polygon", `${left},100 ${points} ${width},100`, "area"), line];
  });
  svg.replaceChildren(...paths);
}

function shape(tag, points, name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  made.setAttribute("points", points);
  made.setAttribute("class", name);
  return made;
}

/** `512 B`, `8.1 MB`: decimal units, as the log has them. */
export function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 9.95 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function rateText(bytesPerSecond) {
  return `${bytesText(bytesPerSecond)}/s`;
}

/** `35 ms`, `1.4 s`, `42 s`, `7 min`, `3 h`, `2 d`. */
export function spanText(ms) {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}

/** The reader's own time of day. */
export function clockText(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}
