// Heatmaps, drawn by Vega; the cell that is pointed at, or walked to with the arrow keys.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const tip = document.getElementById("tip");
const spoken = document.getElementById("spoken");
const pictures = new Set();

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function rampOf(signed) {
  return COLOURS[isDark() ? "dark" : "light"][signed ? "diverging" : "sequential"];
}

// The ramp is asked for once for many cells, since it depends on the theme.
function colourOf(value, scale, ramp) {
  const share = (value - scale.low) / (scale.high - scale.low);
  return ramp[Math.min(ramp.length - 1, Math.max(0, Math.floor(share * ramp.length)))];
}

// One scale for several pictures, as in the figure: from 0, or around it.
function scaleOf(all, signed) {
  let high = 0;
  for (const values of all) {
    for (const value of values) if (Number.isFinite(value)) high = Math.max(high, Math.abs(value));
  }
  high = Math.max(high, 1e-3);
  return { low: signed ? -high : 0, high, signed };
}

// What stands beside a row, where a token may be of any length.
function cut(label, most) {
  const letters = Array.from(clean(label));
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : letters.join("");
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function ticksOf(width) {
  const most = Math.max(2, Math.floor(width / 34));
  if (grid.only) return layers.filter((_, at) => at % Math.ceil(layers.length / most) === 0);
  const every = [1, 2, 4, 5, 8, 10, 16, 20, 32, 64, 128].find((n) => grid.layers / n <= most);
  return layers.filter((layer) => layer % (every ?? grid.layers) === 0);
}

// Where a layer's column begins: one that was not measured is shared by those at its sides.
function edgeOf(at) {
  if (at === 0) return -0.5;
  if (at === layers.length) return grid.layers - 0.5;
  return (layers[at - 1] + layers[at]) / 2;
}

function specOf(picture, width) {
  const { values, scale, rowHeight, labels, marked } = picture.content;
  const gap = width / layers.length > 9 ? 1 : 0;
  const cells = [], ramp = rampOf(scale.signed);
  labels.forEach((_, row) => layers.forEach((layer, at) => {
    const value = values[row * grid.layers + layer];
    const missing = !Number.isFinite(value);
    const colour = missing ? "transparent" : colourOf(value, scale, ramp);
    cells.push({ row, from: edgeOf(at), to: edgeOf(at + 1), missing, colour });
  }));
  const text = { labelColor: css("--muted"), titleColor: css("--muted"), labelFont: css("--font"),
    titleFont: css("--font"), titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12 };
  const place = { x: { scale: "x", field: "from", offset: gap / 2 },
    x2: { scale: "x", field: "to", offset: -gap / 2 }, y: { scale: "y", field: "row" },
    height: { scale: "y", band: 1 } };
  return {
    width, height: labels.length * rowHeight, padding: 0,
    autosize: { type: "fit-x", contains: "padding" },
    background: "transparent",
    signals: [{ name: "labels", value: labels.map((label) => cut(label, 30)) }, { name: "marked", value: marked ?? [] }],
    data: [{ name: "cells", values: cells }, { name: "cursor", values: [] },
      { name: "missing", source: "cells", transform: [{ type: "filter", expr: "datum.missing" }] }],
    scales: [
      { name: "x", type: "linear", domain: [-0.5, grid.layers - 0.5], range: "width",
        zero: false, nice: false },
      { name: "y", type: "band", domain: labels.map((_, row) => row), range: "height",
        paddingInner: 0.05 },
    ],
    axes: [
      { orient: "left", scale: "y", domain: false, ticks: false, labelPadding: 8, aria: false,
        ...text, labelColor: css("--text"),
        encode: { labels: { update: { text: { signal: "labels[datum.value]" },
          fontWeight: { signal: "marked[datum.value] ? 'bold' : 'normal'" } } } } },
      { orient: "bottom", scale: "x", values: ticksOf(width), domain: false, ticks: false,
        format: "d", labelPadding: 6, title: "Layer", titlePadding: 4, aria: false, ...text },
    ],
    marks: [
      { type: "rect", from: { data: "cells" }, aria: false, interactive: false,
        encode: { update: { ...place, fill: { field: "colour" },
          ...(gap ? {} : { stroke: { field: "colour" }, strokeWidth: { value: 0.5 } }) } } },
      { type: "rect", from: { data: "missing" }, aria: false, interactive: false,
        encode: { update: { ...place, stroke: { value: css("--line") } } } },
      { type: "rule", from: { data: "missing" }, aria: false, interactive: false,
        encode: { update: { x: place.x, x2: place.x2, y: { scale: "y", field: "row", band: 1 },
          y2: { scale: "y", field: "row" }, stroke: { value: css("--line") } } } },
      { type: "rect", from: { data: "cursor" }, aria: false, interactive: false,
        encode: { update: { ...place, fill: { value: "transparent" },
          stroke: { value: css("--text") }, strokeWidth: { value: 2 } } } },
    ],
  };
}

class Picture {
  // content: name, values, low, high, n, unit, scale, rowHeight, choose (a cell, or null); where
  // rows are not those of the page, their labels, which are marked, and how many each is of.
  constructor(host, content) {
    this.host = host;
    this.content = content;
    content.labels ??= grid.labels;
    this.cell = null;
    // Vega writes a label of its own on what it draws into.
    this.inside = make("div", { "aria-hidden": "true" });
    host.replaceChildren(this.inside);
    host.className = "heatmap";
    host.tabIndex = 0;
    // Not an image: a screen reader passes an application the arrow keys.
    host.setAttribute("role", "application");
    host.setAttribute("aria-roledescription", "heatmap");
    host.setAttribute("aria-label", this.description());
    host.onpointermove = (event) => this.point(event);
    host.onpointerdown = (event) => this.point(event);
    host.onpointerleave = () => this.leave();
    host.onblur = () => this.leave();
    host.onkeydown = (event) => this.key(event);
    host.onclick = () => this.cell && content.choose?.(this.cell);
    pictures.add(this);
    this.seen = new IntersectionObserver((found) => {
      if (found.some((one) => one.isIntersecting)) this.draw();
    }, { rootMargin: "300px" });
    this.sized = new ResizeObserver(() => {
      if (this.view && Math.abs(host.clientWidth - this.width) > 1) this.draw();
    });
    host.style.minHeight = `${content.labels.length * content.rowHeight + 40}px`;
    this.seen.observe(host);
    this.sized.observe(host);
  }

  description() {
    const { name, values, unit, labels } = this.content;
    const peaks = labels.map((label, row) => {
      let best = -1;
      layers.forEach((layer) => {
        const value = values[row * grid.layers + layer];
        const held = best < 0 ? -Infinity : Math.abs(values[row * grid.layers + best]);
        if (Number.isFinite(value) && Math.abs(value) > held) best = layer;
      });
      if (best < 0) return `${clean(label)} has no number`;
      return `${clean(label)} peaks at ${number(values[row * grid.layers + best])} ${unit} in layer ${best}`;
    });
    return `Heatmap of ${clean(name)}, ${plural(layers.length, "layer")}: ${peaks.join("; ")}. ` +
      "The arrow keys walk over its cells; a table of all numbers follows.";
  }

  draw() {
    this.seen.disconnect();
    this.view?.finalize();
    this.width = this.host.clientWidth;
    if (!this.width) return;
    const parsed = vega.parse(specOf(this, this.width), null, { ast: true });
    this.view = new vega.View(parsed, {
      expr: vegaInterpreter.expressionInterpreter, renderer: "svg", logLevel: vega.Error,
      loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse },
      container: this.inside, hover: false, tooltip: () => {},
    });
    this.view.run();
  }

  close() {
    pictures.delete(this);
    this.seen.disconnect();
    this.sized.disconnect();
    this.view?.finalize();
  }

  point(event) {
    if (!this.view) return;
    const frame = this.host.querySelector("svg").getBoundingClientRect();
    const [left, top] = this.view.origin();
    const at = this.view.scale("x").invert(event.clientX - frame.left - left);
    const row = Math.floor((event.clientY - frame.top - top) / this.content.rowHeight);
    const inside = at >= -0.5 && at < grid.layers - 0.5 && row >= 0 && row < this.content.labels.length;
    if (!inside) return void this.leave();
    const near = layers.findIndex((_, index) => at < edgeOf(index + 1));
    this.show({ row, at: near }, event.clientX, event.clientY);
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Escape") return void this.leave();
    if (event.key === "Enter" && this.cell) return void this.content.choose?.(this.cell);
    if (!step || !this.view) return;
    event.preventDefault();
    const cell = this.cell ?? { row: 0, at: -1 };
    const row = Math.min(this.content.labels.length - 1, Math.max(0, cell.row + step[0]));
    const at = Math.min(layers.length - 1, Math.max(0, cell.at + step[1]));
    const frame = this.host.querySelector("svg").getBoundingClientRect();
    const [left, top] = this.view.origin();
    const x = frame.left + left + this.view.scale("x")(layers[at]);
    this.show({ row, at }, x, frame.top + top + (row + 0.5) * this.content.rowHeight);
    spoken.textContent = tip.innerText.replaceAll("\n", ", ");
  }

  show(cell, x, y) {
    const { values, low, high, n, unit, labels, counts } = this.content;
    const layer = layers[cell.at];
    const index = cell.row * grid.layers + layer;
    if (this.cell?.row !== cell.row || this.cell?.at !== cell.at) {
      this.cell = cell;
      const held = { row: cell.row, from: edgeOf(cell.at), to: edgeOf(cell.at + 1) };
      this.view.data("cursor", [held]).run();
    }
    const lines = [
      make("strong", {}, `${clean(labels[cell.row])}, layer ${layer}`),
      make("span", {}, Number.isFinite(values[index])
        ? `${number(values[index], 4)} ${unit}` : counts ? "no such token" : "the edit does not apply"),
    ];
    if (low && Number.isFinite(low[index])) {
      lines.push(make("span", {}, `95 % interval ${number(low[index], 4)} to ${number(high[index], 4)}`));
    }
    if (counts) lines.push(make("span", {}, counts[cell.row]));
    else if (n !== null) lines.push(make("span", {}, `n = ${n.toLocaleString("en")}`));
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const room = document.documentElement.clientWidth - width - 8;
    tip.style.left = `${Math.max(8, Math.min(room, x + 14))}px`;
    tip.style.top = `${y - height - 14 < 8 ? y + 20 : y - height - 14}px`;
  }

  leave() {
    tip.hidden = true;
    if (this.cell) {
      this.cell = null;
      this.view.data("cursor", []).run();
    }
  }
}

function refuse() {
  return Promise.reject(new Error("a report loads nothing"));
}

function redraw() {
  for (const picture of pictures) if (picture.view) picture.draw();
  for (const legend of document.querySelectorAll(".legend")) legend.paint?.();
}

// The colours of a scale, from its low end to its high one.
function legendOf(scale, metric) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  const unit = metric.unit ? ` (${clean(metric.unit)})` : "";
  const legend = make("div", { class: "legend" },
    make("span", { class: "what" }, `${clean(metric.label)}${unit}`),
    make("span", {}, number(scale.low, 2)), bar, make("span", {}, number(scale.high, 2)));
  legend.paint = () => {
    bar.style.backgroundImage = `linear-gradient(to right, ${rampOf(scale.signed).join(",")})`;
  };
  legend.paint();
  return legend;
}

// The table behind a picture: made when it is opened, since there may be hundreds.
function tableOf(content) {
  const details = make("details", { class: "numbers" }, make("summary", {}, "Table"));
  details.addEventListener("toggle", () => {
    if (details.querySelector("table")) return;
    const labels = content.labels ?? grid.labels;
    const heads = labels.map((label, row) =>
      make("th", { scope: "col" }, clean(label) + (content.counts ? `, ${content.counts[row]}` : "")));
    const body = make("tbody");
    for (const layer of layers) {
      const cells = labels.map((_, row) => {
        const at = row * grid.layers + layer;
        const range = content.low && Number.isFinite(content.low[at])
          ? ` (${number(content.low[at], 4)} to ${number(content.high[at], 4)})` : "";
        return make("td", {}, number(content.values[at], 4) + range);
      });
      body.append(make("tr", {}, make("th", { scope: "row" }, String(layer)), ...cells));
    }
    const said = content.n === null ? clean(content.name) : `${clean(content.name)}, n = ${content.n}`;
    details.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": said },
      make("table", {}, make("caption", {}, said),
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Layer"), ...heads)), body)));
  }, { once: false });
  return details;
}
