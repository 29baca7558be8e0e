// The interactive graph of a page: everything it tells stands in the page's list too.

import { Camera } from "./camera.js";
import { describe } from "./details.js";
import { fill, sizeOf } from "./drawing.js";
import { Model, MOST_DRAWN, words } from "./model.js";

const section = document.getElementById("graph");
const svg = section.querySelector("svg");
const view = svg.querySelector("g");
const panel = section.querySelector(".details");
const status = section.querySelector("[role=status]");
const search = section.querySelector("input[type=search]");
const files = section.querySelector("input[type=checkbox]");
const direction = innerWidth < 700 ? "TB" : "LR";
const camera = new Camera(svg, view);
const worker = new Worker(section.dataset.layout);

let model, nodes, edges, elements, places;
let chosen = null;
let current = null; // the node that Tab leads to
let number = 0;

function tell(text) {
  status.textContent = text;
}

/** Lay out and draw what the model shows now; then `after`. */
function redraw(after = () => {}) {
  ({ nodes, edges } = model.drawable());
  number += 1;
  tell("Laying out…");
  worker.onmessage = ({ data }) => {
    if (data.number !== number) return; // the reader asked for something else meanwhile
    ({ elements, places } = fill(view, nodes, edges, data, direction));
    camera.show(data.width, data.height, places.get(nodes.at(-1)?.id));
    const folded = nodes.filter((node) => node.kind === "group").length;
    tell(`${nodes.length} nodes${folded ? `, ${folded} of them groups` : ""}`);
    if (!elements.has(current)) current = nodes.at(-1)?.id ?? null;
    elements.get(current)?.setAttribute("tabindex", "0");
    if (!elements.has(chosen)) close();
    find();
    section.dataset.drawn = String(number);
    after();
  };
  worker.postMessage({
    number,
    nodes: nodes.map((node) => {
      const [width, height] = sizeOf(node);
      return { id: node.id, width, height };
    }),
    edges,
    direction,
  });
}

/** Have Tab lead to a node, and to no other. */
function lead(id) {
  elements.get(current)?.setAttribute("tabindex", "-1");
  current = id;
  elements.get(id).setAttribute("tabindex", "0");
}

function focus(id) {
  lead(id);
  camera.reveal(places.get(id));
  elements.get(id).focus({ preventScroll: true });
}

function choose(id) {
  chosen = id;
  lead(id);
  for (const [other, element] of elements) element.classList.toggle("chosen", other === id);
  for (const line of view.querySelectorAll(".edge")) {
    line.classList.toggle("near", line.dataset.from === id || line.dataset.to === id);
  }
  const node = nodes.find((one) => one.id === id);
  panel.querySelector(".told").replaceChildren(...describe(node, model, () => fold(node)));
  panel.hidden = false; // which leaves the drawing less room
  camera.reveal(places.get(id), false);
  const heading = panel.querySelector("h2");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function close() {
  chosen = null;
  panel.hidden = true;
  for (const marked of view.querySelectorAll(".chosen, .near")) {
    marked.classList.remove("chosen", "near");
  }
}

/** Open a group, or fold the one that a job belongs to. */
function fold(node) {
  const group = node.kind === "group" ? node.jobs[0].group : node.job.group;
  const first = model.jobs.findIndex((job) => job.group === group);
  const fits = model.attempt(({ opened }) => {
    if (!opened.delete(group)) opened.add(group);
  });
  if (!fits) {
    tell(`That would be more than ${MOST_DRAWN} nodes; its jobs are listed beside`);
    return;
  }
  close();
  redraw(() => focus(model.standsFor(first)));
}

/** Dim what does not hold the words typed; returns the ids of what does. */
function find() {
  const sought = search.value.trim().toLowerCase();
  const hits = nodes.filter((node) => sought && textOf(node).includes(sought)).map(({ id }) => id);
  const isHit = new Set(hits);
  for (const [id, element] of elements) {
    element.classList.toggle("dim", sought !== "" && !isHit.has(id));
    element.classList.toggle("hit", isHit.has(id));
  }
  if (sought) tell(`${hits.length} of ${nodes.length} nodes`);
  return hits;
}

function textOf(node) {
  const { heading, more } = words(node);
  const inside =
    node.kind === "files"
      ? node.files.map(({ name, hash }) => `${name} ${hash}`)
      : (node.jobs ?? [node.job]).map(({ command, uid }) => `${command} ${uid}`);
  return [heading, more, ...inside].join("\n").toLowerCase();
}

/** Where an arrow key leads: along the edges on the main axis, to neighbours on the other. */
function neighbour(key) {
  const [main, across] = direction === "LR" ? ["x", "y"] : ["y", "x"];
  const forward = direction === "LR" ? "ArrowRight" : "ArrowDown";
  const backward = direction === "LR" ? "ArrowLeft" : "ArrowUp";
  const here = places.get(current);
  const nearest = (ids, axis) =>
    ids.sort((a, b) => Math.abs(places.get(a)[axis] - here[axis]) - Math.abs(places.get(b)[axis] - here[axis]))[0];
  if (key === forward) return nearest(edges.filter(([from]) => from === current).map(([, to]) => to), across);
  if (key === backward) return nearest(edges.filter(([, to]) => to === current).map(([from]) => from), across);
  const sign = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
  const beside = nodes
    .map(({ id }) => id)
    .filter((id) => (places.get(id)[across] - here[across]) * sign > 0)
    .filter((id) => Math.abs(places.get(id)[main] - here[main]) < 110);
  return nearest(beside, across);
}

svg.addEventListener("click", (event) => {
  const node = event.target.closest("[data-id]");
  if (node && !camera.moved) choose(node.dataset.id);
});

// Not on the drawing itself: Chromium lets Tab stop at an svg that listens for the focus.
svg.parentElement.addEventListener("focusin", (event) => {
  const node = event.target.closest("[data-id]");
  if (node && node.matches(":focus-visible")) camera.reveal(places.get(node.dataset.id));
});

section.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !panel.hidden) {
    close();
    focus(current);
    return;
  }
  if (!event.target.closest("[data-id]")) return;
  if (event.key.startsWith("Arrow")) {
    const next = neighbour(event.key);
    if (next) focus(next);
  } else if (event.key === "Enter" || event.key === " ") choose(current);
  else if (event.key === "Home") focus(nodes[0].id);
  else if (event.key === "End") focus(nodes.at(-1).id);
  else if (event.key === "+" || event.key === "=") camera.zoom(1.25);
  else if (event.key === "-") camera.zoom(0.8);
  else if (event.key === "0") camera.fit();
  else return;
  event.preventDefault();
});

search.addEventListener("input", () => {
  find();
  if (!search.value.trim()) tell(`${nodes.length} nodes`);
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const hits = find();
  // After the last comes the first.
  if (hits.length) choose(hits[(hits.indexOf(chosen) + 1) % hits.length]);
  if (hits.length) camera.reveal(places.get(chosen));
  search.focus();
});
files.addEventListener("change", () => {
  const wanted = files.checked;
  if (model.attempt((changed) => (changed.withFiles = wanted))) return redraw();
  files.checked = false;
  return tell(`With files there would be more than ${MOST_DRAWN} nodes`);
});
for (const [name, act] of Object.entries({
  in: () => camera.zoom(1.25),
  out: () => camera.zoom(0.8),
  fit: () => camera.fit(),
  close: () => {
    close();
    focus(current);
  },
})) {
  section.querySelector(`[data-act=${name}]`).addEventListener("click", act);
}

section.hidden = false;
tell("Reading…");
fetch(section.dataset.source)
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
  .then((told) => {
    model = new Model(told);
    files.checked = model.withFiles;
    redraw();
  })
  .catch((error) => tell(`The graph cannot be read: ${error.message}. The list below has it all.`));
