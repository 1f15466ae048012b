// The list of prompts: searched, sorted, and each with its own heatmap.

// Of how many prompts the list begins with, and goes on by.
const PAGE = matchMedia("(min-width: 62rem)").matches ? 100 : 25;

const Prompts = {
  list: document.getElementById("list"),
  detail: null,
  // Of the prompt that is open: its heatmap, and its maps.
  pictures: [],
  open: null,
  mapped: false,
  shown: PAGE,
  order: [],
  cell: null,
  metric: null,

  begin(metric) {
    this.metric = metric;
    this.words = prompts.map((prompt, at) => [
      prompt.text, prompt.subject, prompt.id, prompt.relation ?? "", prompt.answers.join(" "),
      prompt.answer ?? "", prompt.prediction, shown.categories[at] ?? "", prompt.flags.join(" "),
    ].join("\n").normalize("NFKC").toLocaleLowerCase());
    this.search = document.getElementById("search");
    this.sorter = document.getElementById("sort");
    this.search.addEventListener("input", () => this.again());
    this.sorter.addEventListener("change", () => this.again());
    document.getElementById("turn").addEventListener("click", (event) => {
      const turned = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(turned));
      this.again();
    });
    document.getElementById("more").addEventListener("click", () => {
      this.shown += PAGE;
      this.fill();
    });
    this.wide = matchMedia("(min-width: 62rem)");
    this.wide.addEventListener("change", () => this.place());
    this.again();
    const named = /^#prompt-(\d+)$/.exec(location.hash);
    if (named && Number(named[1]) < prompts.length) this.choose(Number(named[1]), true);
    else if (this.wide.matches && this.order.length) this.choose(this.order[0], false);
  },

  // What prompts can be sorted by: name, and a number of each.
  keys() {
    const found = [["Order of the file", (_, at) => at]];
    if (this.cell) {
      const { row, layer } = this.cell;
      found.push([`${clean(grid.labels[row])}, layer ${layer}`,
        (prompt) => -cellsOf(prompt, this.metric)[row * grid.layers + layer]]);
    }
    grid.whole.forEach((row, at) => {
      if (row !== "floor") found.push([clean(grid.whole_labels[at]), (prompt) => -wholeOf(prompt, row)]);
    });
    grid.rows.forEach((_, row) => found.push([`Peak of ${clean(grid.labels[row])}`, (prompt) => {
      const cells = cellsOf(prompt, this.metric).slice(row * grid.layers, (row + 1) * grid.layers);
      return -cells.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
    }]));
    const mean = floats(shown.views[this.metric].all[0].mean);
    found.push(["Farthest from the average", (prompt) => {
      let sum = 0;
      cellsOf(prompt, this.metric).forEach((value, at) => {
        if (Number.isFinite(value - mean[at])) sum += (value - mean[at]) ** 2;
      });
      return -sum;
    }]);
    found.push(["Probability of the prediction", (prompt) => -prompt.probability]);
    found.push(["Entropy", (prompt) => -prompt.entropy]);
    return found;
  },

  byCell(row, layer) {
    this.cell = { row, layer };
    this.names();
    this.sorter.selectedIndex = 1;
    document.getElementById("turn").setAttribute("aria-pressed", "false");
    this.again();
    document.getElementById("prompts").scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
    if (this.wide.matches && this.order.length) this.choose(this.order[0], false);
  },

  names() {
    const chosen = this.sorter.selectedIndex;
    this.sorter.replaceChildren(...this.keys().map(([name]) => make("option", {}, name)));
    this.sorter.selectedIndex = Math.max(0, chosen);
  },

  again() {
    if (!this.sorter.options.length) this.names();
    const words = this.search.value.normalize("NFKC").toLocaleLowerCase().split(/\s+/u).filter(Boolean);
    const [, key] = this.keys()[this.sorter.selectedIndex];
    const turned = document.getElementById("turn").getAttribute("aria-pressed") === "true";
    const found = prompts.map((_, at) => at)
      .filter((at) => words.every((word) => this.words[at].includes(word)));
    const keys = new Map(found.map((at) => [at, key(prompts[at], at)]));
    const sign = turned ? -1 : 1;
    found.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
      return sign * (x - y) || a - b;
    });
    this.order = found;
    this.shown = PAGE;
    this.fill();
  },

  fill() {
    const kept = this.order.slice(0, this.shown);
    this.list.replaceChildren(...kept.map((at) => this.item(at)));
    document.getElementById("more").hidden = kept.length === this.order.length;
    const count = this.order.length === prompts.length
      ? plural(prompts.length, "prompt")
      : `${this.order.length.toLocaleString("en")} of ${plural(prompts.length, "prompt")}`;
    document.getElementById("count").textContent = count;
    this.place();
  },

  item(at) {
    const prompt = prompts[at], category = shown.categories[at];
    const meta = make("span", { class: "meta" });
    if (category) meta.append(make("span", { class: `tag ${category}`, title: CATEGORY_NAMES[category] ?? "" }, category));
    meta.append(make("span", { class: "says" }, clean(prompt.answer ?? prompt.prediction).trim() || "(nothing)"));
    const reliance = wholeOf(prompt, "reliance");
    if (Number.isFinite(reliance)) meta.append(make("span", { class: "num" }, `reliance ${number(reliance, 2)}`));
    const button = make("button", { type: "button", class: "prompt", "aria-expanded": "false", "data-at": at },
      make("span", { class: "line" }, marked(prompt, at), this.thumbnail(prompt)), meta);
    button.addEventListener("click", () => this.choose(this.open === at && !this.wide.matches ? null : at, true));
    return make("li", {}, button);
  },

  // The prompt's heatmap, a pixel for each cell.
  thumbnail(prompt) {
    const canvas = make("canvas", { class: "thumbnail", "aria-hidden": "true",
      width: layers.length, height: grid.rows.length });
    const values = cellsOf(prompt, this.metric), scale = this.scaleOf(values);
    const brush = canvas.getContext("2d"), ramp = rampOf(scale.signed);
    grid.rows.forEach((_, row) => layers.forEach((layer, at) => {
      const value = values[row * grid.layers + layer];
      if (!Number.isFinite(value)) return;
      brush.fillStyle = colourOf(value, scale, ramp);
      brush.fillRect(at, row, 1, 1);
    }));
    return canvas;
  },

  // The same for all prompts, where the metric has a largest number.
  scaleOf(values) {
    const metric = metrics.get(this.metric);
    return metric.most === null ? scaleOf([values], metric.signed)
      : { low: 0, high: metric.most, signed: false };
  },

  choose(at, named) {
    for (const picture of this.pictures) picture.close();
    this.detail?.remove();
    this.detail = null;
    this.pictures = [];
    this.open = at;
    if (at !== null) this.detail = this.detailOf(at);
    if (named && at !== null) history.replaceState(null, "", `#prompt-${at}`);
    this.place();
  },

  // Beside the list where there is room, or below the prompt that was clicked.
  place() {
    for (const button of this.list.querySelectorAll(".prompt")) {
      button.setAttribute("aria-expanded", String(Number(button.dataset.at) === this.open));
    }
    if (!this.detail) return;
    const side = document.getElementById("side");
    const button = this.list.querySelector(`[data-at="${this.open}"]`);
    const home = this.wide.matches || !button ? side : button.parentElement;
    if (this.detail.parentElement !== home) home.append(this.detail);
  },

  detailOf(at) {
    const prompt = prompts[at], category = shown.categories[at], metric = metrics.get(this.metric);
    const [right, why, judge] = shown.verdicts[at];
    const values = cellsOf(prompt, this.metric);
    const scale = this.scaleOf(values);
    const content = { name: `the prompt ${clean(prompt.id)}`, values, low: null, high: null, n: null,
      unit: clean(metric.unit), scale, rowHeight: grid.rows.length > 6 ? 22 : 30 };
    const tokens = prompt.tokens.map((token, index) => {
      const inside = index >= prompt.span[0] && index < prompt.span[1];
      return make(inside ? "mark" : "span", { class: "token" }, clean(token) || "·");
    });
    const facts = make("dl", { class: "facts" });
    const fact = (name, said) => {
      if (said !== null && said !== "") facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, clean(said))));
    };
    fact("Predicted next", `${JSON.stringify(prompt.prediction)}, ${number(100 * prompt.probability, 1)} %`);
    fact("Answer", prompt.answer === null ? null : JSON.stringify(prompt.answer));
    fact("Accepted", prompt.answers.join(", "));
    if (right !== null) fact("Verdict", `${right ? "right" : "wrong"}: ${why}${judge === "rule" ? "" : ` (${judge})`}`);
    if (category) fact("Category", `${category}, ${CATEGORY_NAMES[category] ?? ""}`);
    fact("Relation", prompt.relation);
    grid.whole.forEach((row, index) => fact(grid.whole_labels[index], `${number(wholeOf(prompt, row))} nats`));
    fact("Entropy", `${number(prompt.entropy)} nats`);
    fact("Corrupted", corruption({ ...doc.sources, ...prompt.source }));
    fact("Flags", prompt.flags.join(", "));
    fact("Looked up", prompt.popularity === null ? null : prompt.popularity.toLocaleString("en"));
    fact("Id", prompt.id);
    const host = make("div");
    this.pictures = [new Picture(host, content)];
    return make("article", { class: "detail", "aria-label": `Prompt ${clean(prompt.id)}` },
      make("p", { class: "tokens", "aria-label": `Tokens: ${clean(prompt.text)}` }, ...tokens),
      host, legendOf(scale, metric), tableOf(content), this.mapOf(at), facts);
  },

  // The prompt's maps, behind its heatmap: tokens down, layers across, the subject's marked.
  mapOf(at) {
    if (!shown.maps) return null;
    if (!mapsAt.has(at)) return make("p", { class: "said" }, "There was no room for this prompt's map.");
    const details = make("details", { class: "map" }, make("summary", {}, "Map of its tokens"));
    const host = make("div", { class: "stack" });
    details.append(host);
    details.addEventListener("toggle", async () => {
      this.mapped = details.open;
      if (!details.open || host.hasChildNodes()) return;
      const prompt = prompts[at], metric = metrics.get(this.metric), [start, end] = prompt.span;
      const found = await mapsOf(prompt, this.metric);
      if (host.hasChildNodes() || this.open !== at) return;
      const marked = prompt.tokens.map((_, token) => token >= start && token < end);
      const labels = prompt.tokens.map((token, index) =>
        (cut(token, 22).trim() || "·") + (marked[index] ? " *" : ""));
      const all = found.map(([, values]) => values);
      const scale = metric.most === null ? scaleOf(all, metric.signed) : this.scaleOf(all[0]);
      for (const [name, values] of found) {
        const content = { name: `${clean(name)} of the prompt ${clean(prompt.id)}`, values, labels,
          marked, low: null, high: null, n: null, unit: clean(metric.unit), scale,
          rowHeight: labels.length > 12 ? 17 : 22 };
        const picture = make("div");
        host.append(make("figure", {}, make("figcaption", {}, clean(name)), picture,
          legendOf(scale, metric), tableOf(content)));
        this.pictures.push(new Picture(picture, content));
      }
      host.append(make("p", { class: "hint" }, "* The subject's tokens."));
    });
    details.open = this.mapped;
    return details;
  },
};

function corruption(source) {
  if (source.kind === "noise") {
    return "deviation" in source ? `noise of deviation ${number(source.deviation, 4)}` : "noise";
  }
  return source.subject ? `${source.kind}: ${source.subject}` : source.kind;
}

// A prompt's text, its subject marked.
function marked(prompt, at) {
  const start = shown.places[at];
  if (start < 0) return make("span", { class: "text" }, clean(prompt.text));
  const text = Array.from(prompt.text);  // places count characters, not halves of them
  const end = start + Array.from(prompt.subject).length;
  const part = (from, to) => clean(text.slice(from, to).join(""));
  return make("span", { class: "text" }, part(0, start), make("mark", {}, part(start, end)), part(end));
}
