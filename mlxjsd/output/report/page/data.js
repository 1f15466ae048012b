// What the report holds, read once, and the words for it.

const doc = JSON.parse(document.getElementById("mlxjsd-data").textContent);
const shown = doc.shown;
const grid = shown.grid;
const layers = grid.only ?? Array.from({ length: grid.layers }, (_, layer) => layer);
const prompts = doc.prompts ?? [];
const metrics = new Map(shown.metrics.map((metric) => [metric.key, metric]));

function bytes(text) {
  const characters = atob(text), found = new Uint8Array(characters.length);
  for (let at = 0; at < found.length; at++) found[at] = characters.charCodeAt(at);
  return found;
}

function floats(text) {
  if (text === null) return null;
  const view = new DataView(bytes(text).buffer);
  const count = view.byteLength / 4;
  return Float64Array.from({ length: count }, (_, at) => view.getFloat32(4 * at, true));
}

const unpacked = new WeakMap();

// The cells of a prompt, of one metric: rows x layers, NaN where an edit does not apply.
function cellsOf(prompt, metric) {
  const size = grid.rows.length * grid.layers;
  const { low, step } = doc.packing[metric];
  if (!unpacked.has(prompt)) unpacked.set(prompt, new DataView(bytes(prompt.cells).buffer));
  const view = unpacked.get(prompt), found = new Float64Array(size);
  const first = [...metrics.keys()].indexOf(metric) * size;
  for (let at = 0; at < size; at++) {
    const level = view.getUint16(2 * (first + at), true);
    found[at] = level === 0xffff ? NaN : low + level * step;
  }
  return found;
}

function wholeOf(prompt, row, metric = "jsd") {
  const at = [...metrics.keys()].indexOf(metric) * grid.whole.length + grid.whole.indexOf(row);
  return grid.whole.includes(row) ? floats(prompt.whole)[at] : NaN;
}

// Text as one line that cannot reorder or hide what stands around it.
function clean(text) {
  return String(text)
    .replace(/[\n\r]/gu, "↵")
    .replace(/\t/gu, "→")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, "");
}

function number(value, digits = 3) {
  if (value === null || !Number.isFinite(value)) return "n/a";
  const small = value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits;
  return small ? value.toExponential(1) : value.toFixed(digits);
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

// An element with attributes and children; a child that is text stays text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const CATEGORY_NAMES = {
  FA: "factual association",
  AH: "associated hallucination",
  UH: "unassociated hallucination",
  wrong: "wrong answer",
};
