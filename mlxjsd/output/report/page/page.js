// What stands where on the page, and what is chosen there.

const GROUPINGS = { category: "Category", relation: "Relation", correct: "Right and wrong" };
let metric = doc.first.metric ?? shown.metrics[0].key;
let grouping = [doc.first.by, ...Object.keys(GROUPINGS)].find((by) => by in shown.views[metric]) ?? null;

function contentOf(panel, scale, rowHeight, choose = null) {
  const known = metrics.get(metric);
  return { name: panel.name, values: floats(panel.mean), low: floats(panel.low), high: floats(panel.high),
    n: panel.n, unit: clean(known.unit), scale, rowHeight, choose };
}

function rowHeight(most) {
  return grid.rows.length > 6 ? Math.round(most * 0.7) : most;
}

function drawAverages() {
  const host = document.getElementById("average-pictures");
  const known = metrics.get(metric), panels = shown.views[metric].all;
  const plain = panels.filter((panel) => !panel.is_difference);
  const scale = scaleOf(plain.map((panel) => floats(panel.mean)), known.signed);
  clear(host);
  const choose = prompts.length > 1
    ? ({ row, at }) => Prompts.byCell(row, layers[at]) : null;
  for (const panel of panels) {
    const own = panel.is_difference ? scaleOf([floats(panel.mean)], true) : scale;
    const content = contentOf(panel, own, rowHeight(44), choose);
    const picture = make("div");
    const caption = panels.length > 1
      ? make("figcaption", {}, clean(panel.name), panel.n === null ? null : count(panel.n)) : null;
    const written = document.getElementById("average-table");
    const same = metric === shown.metrics[0].key;
    host.append(make("figure", {}, caption, picture, legendOf(own, known),
      written && same ? null : tableOf(content)));
    if (written) written.hidden = !same;
    new Picture(picture, content);
  }
}

function count(n) {
  return make("span", { class: "num" }, ` n = ${n.toLocaleString("en")}`);
}

function drawGroups() {
  const host = document.getElementById("group-pictures");
  if (!host) return;
  clear(host);
  const known = metrics.get(metric), panels = shown.views[metric][grouping];
  const scale = scaleOf(panels.map((panel) => floats(panel.mean)), known.signed);
  const legend = document.getElementById("group-legend");
  legend.replaceChildren(legendOf(scale, known));
  panels.forEach((panel, at) => {
    const picture = make("div");
    const content = contentOf(panel, scale, rowHeight(28));
    const letter = panels.length <= 26 ? `(${String.fromCharCode(97 + at)}) ` : "";
    host.append(make("figure", {},
      make("figcaption", {}, `${letter}${clean(panel.name)}`, count(panel.n)),
      picture,
      panel.reading.length && grouping === "category"
        ? make("p", { class: "said" }, panel.reading.map(clean).join(" ")) : null,
      tableOf(content)));
    new Picture(picture, content);
  });
  const left = shown.left_out[grouping];
  if (left) host.append(make("p", { class: "said" }, `${plural(left, "smaller group")} left out here.`));
}

// Averages of maps over the tokens of each role.
function drawRoles() {
  const host = document.getElementById("role-pictures");
  if (!host) return;
  clear(host);
  const known = metrics.get(metric), panels = shown.maps.views[metric];
  const scale = scaleOf(panels.map((panel) => floats(panel.mean)), known.signed);
  document.getElementById("role-legend").replaceChildren(legendOf(scale, known));
  panels.forEach((panel, at) => {
    const name = shown.maps.names[at][1], picture = make("div");
    const counts = panel.counts.map((n, role) => `n = ${n.toLocaleString("en")}` +
      (panel.tokens[role] > n ? ` (${plural(panel.tokens[role], "token")})` : ""));
    const content = { ...contentOf({ ...panel, name, n: null }, scale, 28), counts,
      labels: shown.maps.roles.map((role, row) => `${role} (${panel.counts[row].toLocaleString("en")})`) };
    host.append(make("figure", {}, make("figcaption", {}, clean(name)), picture, tableOf(content)));
    new Picture(picture, content);
  });
}

function clear(host) {
  for (const picture of pictures) if (host.contains(picture.host)) picture.close();
  host.replaceChildren();
}

function radios(host, name, choices, chosen, choose) {
  for (const [key, label] of choices) {
    const input = make("input", { type: "radio", name, value: key, id: `${name}-${key}` });
    input.checked = key === chosen;
    input.addEventListener("change", () => choose(key));
    host.append(input, make("label", { for: `${name}-${key}` }, label));
  }
}

function chooseTheme() {
  const button = document.getElementById("theme");
  const names = ["auto", "light", "dark"];
  const say = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[name];
    button.setAttribute("aria-label", `Colours: ${name}. Change`);
  };
  let at = 0;
  say(names[at]);
  button.hidden = false;
  button.addEventListener("click", () => {
    at = (at + 1) % names.length;
    say(names[at]);
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

function repaint() {
  redraw();
  if (prompts.length) Prompts.fill();
}

chooseTheme();
drawAverages();
const groups = document.getElementById("by");
if (groups && grouping) {
  const choices = Object.entries(GROUPINGS).filter(([by]) => by in shown.views[metric]);
  radios(groups, "by", choices, grouping, (by) => {
    grouping = by;
    drawGroups();
  });
  drawGroups();
}
drawRoles();
const choice = document.getElementById("metric");
if (choice && metrics.size > 1) {
  radios(choice, "metric", shown.metrics.map((one) => [one.key, clean(one.label)]), metric, (key) => {
    metric = Prompts.metric = key;
    drawAverages();
    drawGroups();
    drawRoles();
    if (!prompts.length) return;
    Prompts.names();
    Prompts.again();
    if (Prompts.open !== null) Prompts.choose(Prompts.open, false);
  });
}
if (prompts.length) Prompts.begin(metric);
else if (doc.kind === "run") {
  document.getElementById("prompts").append(make("p", { class: "warning" },
    "This browser is too old to unpack the numbers of single prompts: bring it up to date to see them."));
}
document.documentElement.dataset.ready = "true";
