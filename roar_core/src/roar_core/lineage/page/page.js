// The page: what it is made of, search, keys. Its data, written by roar_core/cli/dag_page.py:
//   title, subtitle   what stands at the top
//   with_artifacts    whether artifacts are drawn at first
//   nodes             [id, kind, state, line, line …], in the order of the session
//   steps, artifacts  the ties without and with artifacts: [source, target, label, is superseded]
//   jobs              id -> {title, facts, links, inputs, outputs}
//   bytes             id -> {title, facts, writers, readers}
//   texts             what the numbers in jobs and bytes stand for; facts are label, value, label …

const data = JSON.parse(document.getElementById("data").textContent);
const nodes = new Map(
  data.nodes.map(([id, kind, state, ...lines]) => [id, { id, kind, state, lines }]),
);
const isJob = ({ kind }) => kind !== "artifact" && kind !== "dataset";

const search = element("input", {
  type: "search", id: "search", placeholder: "Search (/)", "aria-label": "Search", autocomplete: "off",
});
const found = element("output", { id: "found", "aria-live": "polite" });
const artifacts = element("input", { type: "checkbox", id: "artifacts" });
const svg = shape("svg", { role: "group", "aria-label": `Graph of ${data.title}` });
const aside = element("aside", { id: "details", "aria-label": "Details" });
const button = (id, sign, label, act) => {
  const made = element("button", { type: "button", id, title: label, "aria-label": label }, sign);
  made.addEventListener("click", act);
  return made;
};
const drawing = makeDrawing(svg, choose);
const details = makeDetails(aside, data, nodes, (id) => choose(id, true));
let chosen = null;
let matches = [];
let edges = [];

aside.hidden = true;
artifacts.checked = data.with_artifacts;
document.body.append(
  element(
    "header", {},
    element("h1", {}, element("bdi", {}, data.title)),
    element("p", {}, data.subtitle),
    element(
      "div", { class: "tools" },
      search, found,
      element("label", {}, artifacts, " artifacts"),
      button("out", "−", "Zoom out (-)", () => drawing.zoom(1 / 1.3)),
      button("in", "+", "Zoom in (+)", () => drawing.zoom(1.3)),
      button("fit", "Fit", "Show all (0)", () => drawing.fit()),
    ),
  ),
  element("main", {}, svg, aside),
  element(
    "footer", {},
    "Drag to move, wheel to zoom, click a node for its details. Keys: arrows go along the ties, " +
      "Enter opens, Esc closes, / searches, + and − zoom, 0 shows all.",
  ),
);
redraw();
drawing.begin(data.nodes.filter(([, kind]) => kind === "job").at(-1)?.[0]);

function redraw() {
  const shown = [...nodes.values()].filter((node) => artifacts.checked || isJob(node));
  edges = (artifacts.checked ? data.artifacts : data.steps).map(
    ([source, target, label, superseded]) => ({
      source, target, label, isSuperseded: Boolean(superseded),
    }),
  );
  drawing.draw(shown, edges);
  seek();
}

function choose(id, isByKey) {
  const before = chosen;
  chosen = id;
  drawing.mark(id);
  if (id === null) {
    details.close();
    drawing.element(before)?.focus();
    return;
  }
  const title = details.open(id);
  if (isByKey) {
    drawing.show(id);
    title.focus();
  } else {
    drawing.reveal(id);
  }
}

// All that a node can be found by, in lower case; put together when it is first asked for.
const heard = new Map();
function hears(node) {
  if (!heard.has(node.id)) {
    const known = data.jobs[node.id] ?? data.bytes[node.id];
    const said = known ? [known.title, ...known.facts.filter((_, i) => i % 2)] : [];
    const paths = (known?.outputs ?? []).map(([, path]) => path);
    const words = [...node.lines, ...[...said, ...paths].map((number) => data.texts[number])];
    heard.set(node.id, words.join("\n").toLowerCase());
  }
  return heard.get(node.id);
}

function seek() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [...nodes.values()].filter((node) => drawing.element(node.id));
  matches = words.length
    ? shown.filter((node) => words.every((word) => hears(node).includes(word)))
    : [];
  const hit = new Set(matches);
  for (const node of shown) {
    const list = drawing.element(node.id).classList;
    list.toggle("dim", words.length > 0 && !hit.has(node));
    list.toggle("hit", hit.has(node));
  }
  found.textContent = words.length ? `${matches.length} of ${shown.length}` : "";
}

function nextMatch(step) {
  if (!matches.length) return;
  const at = matches.findIndex(({ id }) => id === chosen);
  const next = at < 0 ? (step > 0 ? 0 : -1) : (at + step) % matches.length;
  choose(matches.at(next).id, false);
  drawing.show(chosen);
}

// The neighbour in the direction of an arrow: along a tie, or the next of the same column.
function neighbour(id, key) {
  const here = drawing.place(id);
  const nearest = (ids) =>
    ids.filter((other) => drawing.place(other))
      .sort((a, b) => Math.abs(drawing.place(a).y - here.y) - Math.abs(drawing.place(b).y - here.y))[0];
  if (key === "ArrowLeft") {
    return nearest(edges.filter(({ target }) => target === id).map(({ source }) => source));
  }
  if (key === "ArrowRight") {
    return nearest(edges.filter(({ source }) => source === id).map(({ target }) => target));
  }
  const isAhead = key === "ArrowDown" ? (y) => y > here.y : (y) => y < here.y;
  return nearest(
    [...drawing.places()].filter(([, { x, y }]) => x === here.x && isAhead(y)).map(([other]) => other),
  );
}

search.addEventListener("input", seek);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
});
artifacts.addEventListener("change", () => {
  redraw();
  drawing.begin(chosen ?? data.nodes.filter(([, kind]) => kind === "job").at(-1)?.[0]);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return choose(null, true);
  if (event.target === search) return undefined;
  const act = {
    "/": () => search.focus(), "+": () => drawing.zoom(1.3), "=": () => drawing.zoom(1.3),
    "-": () => drawing.zoom(1 / 1.3), "0": () => drawing.fit(),
  }[event.key];
  const id = event.target.dataset?.id;
  if (act) act();
  else if (id && event.key.startsWith("Arrow")) {
    const next = neighbour(id, event.key);
    if (next) {
      drawing.mark(next);
      drawing.show(next);
      drawing.element(next).focus({ preventScroll: true });
    }
  } else if (id && (event.key === "Enter" || event.key === " ")) choose(id, true);
  else return undefined;
  event.preventDefault();
  return undefined;
});
window.addEventListener("beforeprint", () => drawing.whole(true));
window.addEventListener("afterprint", () => drawing.whole(false));
