// Draws a laid-out graph as SVG whose nodes can be focused; colours are the style sheet's.

import { words } from "./model.js";

const SVG = "http://www.w3.org/2000/svg";
const CHARACTER = 7.3; // width of one of the heading's, in the monospaced font of the sheet
const SMALL_CHARACTER = 6.7;
const SIZES = { job: [222, 46], group: [222, 46], files: [168, 46] };

/** The size of a node: [width, height] in units of the drawing. */
export function sizeOf(node) {
  return SIZES[node.kind];
}

function element(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function shortened(text, width, character) {
  const most = Math.floor((width - 20) / character);
  const whole = [...text];
  return whole.length <= most ? text : `${whole.slice(0, most - 1).join("")}…`;
}

function draw(node) {
  const [width, height] = sizeOf(node);
  const { heading, more, spoken } = words(node);
  const classes = ["node", node.kind];
  if (node.kind === "job" && node.job.failed) classes.push("failed");
  if (node.kind === "files" && node.files[0].isDataset) classes.push("dataset");
  const group = element("g", {
    class: classes.join(" "),
    "data-id": node.id,
    role: "button",
    tabindex: "-1",
    "aria-label": spoken.slice(0, 300),
  });
  const many = node.kind === "group" || (node.kind === "files" && node.files.length > 1);
  if (many) group.append(element("rect", { x: 4, y: 4, width, height, rx: 6, class: "behind" }));
  group.append(element("rect", { width, height, rx: 6, class: "box" }));
  if (node.kind === "job") group.append(element("rect", { width: 4, height, rx: 2, class: "state" }));
  group.append(
    element("text", { x: 12, y: 19, class: "heading" }, shortened(heading, width, CHARACTER)),
    element("text", { x: 12, y: 35, class: "more" }, shortened(more, width, SMALL_CHARACTER)),
  );
  return group;
}

/** The points of an edge, from the side where one node ends to the side where the other begins. */
function between(points, [from, to], [fromSize, toSize], direction) {
  const [main, length] = direction === "LR" ? ["x", 0] : ["y", 1];
  const start = { ...from, [main]: from[main] + fromSize[length] / 2 };
  const end = { ...to, [main]: to[main] - toSize[length] / 2 };
  // Against the direction, in a circle: dagre's own points are better.
  return start[main] < end[main] ? [start, ...points.slice(1, -1), end] : points;
}

/** A path through the points, its corners rounded. */
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x},${first.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    if (!next) path += `L${point.x},${point.y}`;
    else path += `Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`;
  });
  return path;
}

/**
 * Fill `view`, a <g>, with nodes and edges at their places ("LR" or "TB").
 * Returns { elements, places }, maps by node id.
 */
export function fill(view, nodes, edges, laid, direction) {
  const places = new Map(laid.nodes.map((place) => [place.id, place]));
  const sizes = new Map(nodes.map((node) => [node.id, sizeOf(node)]));
  const lines = element("g", { class: "edges" });
  edges.forEach(([from, to], index) => {
    const ends = [places.get(from), places.get(to)];
    const points = between(laid.edges[index], ends, [sizes.get(from), sizes.get(to)], direction);
    lines.append(
      element("path", {
        class: "edge",
        d: curve(points),
        "data-from": from,
        "data-to": to,
        "marker-end": "url(#arrow)",
      }),
    );
  });
  const elements = new Map();
  const boxes = element("g", { class: "nodes" });
  for (const node of nodes) {
    const [width, height] = sizeOf(node);
    const { x, y } = places.get(node.id);
    const made = draw(node);
    made.setAttribute("transform", `translate(${x - width / 2},${y - height / 2})`);
    boxes.append(made);
    elements.set(node.id, made);
  }
  view.replaceChildren(lines, boxes);
  return { elements, places };
}
