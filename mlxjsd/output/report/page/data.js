// What the report holds, read once, and the words for it.

const doc = JSON.parse(document.getElementById("mlxjsd-data").textContent);
const shown = doc.shown;
const grid = shown.grid;
const layers = grid.only ?? Array.from({ length: grid.layers }, (_, layer) => layer);
// A browser of before 2023 shows averages alone: it cannot unpack what single prompts have.
const unpacks = typeof DecompressionStream === "function";
const prompts = unpacks ? doc.prompts ?? [] : [];
const places = new Map(prompts.map((prompt, at) => [prompt, at]));
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

// Levels as they were before they were packed, so many columns in a row: high bytes, then low ones,
// each the step from the column before.
async function levelsOf(text, columns) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const found = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = found.length / 2, levels = new Uint16Array(count);
  for (let at = 0; at < count; at++) {
    levels[at] = ((found[at] << 8) | found[count + at]) + (at % columns ? levels[at - 1] : 0);
  }
  return levels;
}

// Rows of measured layers as numbers of all layers, NaN where an edit does not apply.
function numbersOf(levels, first, rows, { low, step }) {
  const found = new Float64Array(rows * grid.layers).fill(NaN);
  for (let row = 0; row < rows; row++) {
    layers.forEach((layer, at) => {
      const level = levels[(first + row) * layers.length + at];
      if (level !== 0xffff) found[row * grid.layers + layer] = low + level * step;
    });
  }
  return found;
}

const cells = new Map();
await Promise.all(prompts.length ? [...metrics.keys()].map(async (metric) => {
  cells.set(metric, await levelsOf(doc.cells[metric], layers.length));
}) : []);

// The cells of a prompt, of one metric: rows x layers.
function cellsOf(prompt, metric) {
  const rows = grid.rows.length;
  return numbersOf(cells.get(metric), places.get(prompt) * rows, rows, doc.packing[metric]);
}

// Where each prompt's maps begin, in rows of one token; of those that carry them.
const mapsAt = new Map();
(doc.maps?.prompts ?? []).reduce((first, at) => {
  mapsAt.set(at, first);
  return first + shown.maps.names.length * doc.prompts[at].tokens.length;
}, 0);
const maps = new Map();

// The maps of a prompt, of one metric: for each its name and tokens x layers.
async function mapsOf(prompt, metric) {
  if (!maps.has(metric)) maps.set(metric, levelsOf(doc.maps.levels[metric], layers.length));
  const levels = await maps.get(metric), count = prompt.tokens.length;
  const first = mapsAt.get(places.get(prompt));
  return shown.maps.names.map(([, name], at) =>
    [name, numbersOf(levels, first + at * count, count, doc.maps.packing[metric])]);
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
