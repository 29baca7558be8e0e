// The graph as SVG, and the eye on it: zoom, pan, and which node is chosen. Every text goes in as
// text, never as markup.

const WIDTH = 246; // of a node: 34 columns of monospace text
const LINE = 15;
const SVG = "http://www.w3.org/2000/svg";
const [NEAREST, FARTHEST] = [3, 0.02];
const READABLE = 0.45; // with some effort
const COMFORTABLE = 0.85;

function shape(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Draws into an <svg>. `choose(id, isByKey)` is called when a node is clicked or entered.
function makeDrawing(svg, choose) {
  const scene = shape("g");
  const arrow = shape("marker", {
    id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7,
    orient: "auto-start-reverse",
  }, shape("path", { d: "M0 0 8 4 0 8z" }));
  svg.append(shape("defs", {}, arrow), scene);
  let [plan, elements, lines, chosen] = [null, new Map(), [], null];
  const eye = { x: 0, y: 0, scale: 1 };

  function draw(nodes, edges) {
    plan = layout(nodes.map((node) => ({ id: node.id, height: heightOf(node) })), edges);
    lines = edges.map((edge) => ({ edge, path: lineOf(edge, plan) })).filter(({ path }) => path);
    elements = new Map(nodes.map((node) => [node.id, nodeOf(node, plan.at.get(node.id))]));
    scene.replaceChildren(...lines.map(({ path }) => path), ...elements.values());
    const kept = elements.has(chosen) ? chosen : nodes.at(-1)?.id;
    for (const element of elements.values()) element.setAttribute("tabindex", -1);
    elements.get(kept)?.setAttribute("tabindex", 0);
    if (elements.has(chosen)) mark(chosen);
  }

  function mark(id) {
    elements.get(chosen)?.classList.remove("chosen");
    elements.get(chosen)?.setAttribute("aria-pressed", "false");
    // Tab leads back to where one was, also when nothing is chosen any more.
    const stop = elements.get(id) ?? elements.get(chosen) ?? elements.values().next().value;
    for (const element of elements.values()) element.setAttribute("tabindex", -1);
    stop?.setAttribute("tabindex", 0);
    chosen = id;
    elements.get(id)?.classList.add("chosen");
    elements.get(id)?.setAttribute("aria-pressed", "true");
    for (const { edge, path } of lines) {
      path.classList.toggle("near", edge.source === id || edge.target === id);
    }
  }

  function look() {
    scene.setAttribute("transform", `translate(${eye.x} ${eye.y}) scale(${eye.scale})`);
  }

  // Have the point (x, y) of the window stay where it is.
  function zoom(factor, x = svg.clientWidth / 2, y = svg.clientHeight / 2) {
    const scale = Math.min(NEAREST, Math.max(FARTHEST, eye.scale * factor));
    eye.x = x - ((x - eye.x) * scale) / eye.scale;
    eye.y = y - ((y - eye.y) * scale) / eye.scale;
    eye.scale = scale;
    look();
  }

  function fit() {
    const [width, height] = [svg.clientWidth || 1, svg.clientHeight || 1];
    eye.scale = Math.min(1, width / (plan.width + 40), height / (plan.height + 40));
    eye.x = (width - plan.width * eye.scale) / 2;
    eye.y = (height - plan.height * eye.scale) / 2;
    look();
  }

  // Look at a node, near enough to read it.
  function show(id) {
    const place = plan.at.get(id);
    if (!place) return;
    if (eye.scale < READABLE) eye.scale = COMFORTABLE;
    eye.x = svg.clientWidth / 2 - (place.x + WIDTH / 2) * eye.scale;
    eye.y = svg.clientHeight / 2 - place.y * eye.scale;
    look();
  }

  // Move a node that was chosen into what is left of the window.
  function reveal(id) {
    const place = plan.at.get(id);
    if (!place) return;
    const [left, middle] = [eye.x + place.x * eye.scale, eye.y + place.y * eye.scale];
    const right = left + WIDTH * eye.scale;
    if (right > svg.clientWidth) eye.x -= right - svg.clientWidth + 20;
    else if (left < 0) eye.x += 20 - left;
    if (middle < 0 || middle > svg.clientHeight) eye.y += svg.clientHeight / 2 - middle;
    look();
  }

  // All of it when that can be read, else its newest node.
  function begin(newest) {
    fit();
    if (eye.scale < READABLE) show(newest);
  }

  function nodeOf(node, place) {
    const middle = place.height / 2;
    const element = shape("g", {
      class: `node ${node.kind} ${node.state}`.trim(),
      transform: `translate(${place.x} ${place.y - middle})`,
      role: "button",
      tabindex: -1,
      "aria-pressed": "false",
      "aria-label": [WORDS[node.kind], ...node.lines].join(", "),
      "data-id": node.id,
    });
    const round = node.kind === "artifact" ? 0 : 7;
    element.append(shape("rect", { width: WIDTH, height: place.height, rx: round }));
    if (node.kind === "dataset") {
      element.append(shape("path", { class: "fold", d: `M7 0V${place.height}M12 0V${place.height}` }));
    }
    if (node.state) {
      element.append(shape("rect", { class: "state", width: 5, height: place.height, rx: 2 }));
    }
    node.lines.forEach((line, index) => {
      const text = shape("text", { x: 18, y: 17 + index * LINE, class: index ? "more" : "heading" });
      text.textContent = line;
      element.append(text);
    });
    return element;
  }

  svg.addEventListener("click", (event) => {
    const element = event.target.closest("[data-id]");
    const isClick = !hands.moved;
    hands.moved = false; // a screen reader's click comes without a press before it
    if (element && isClick) choose(element.dataset.id, false);
  });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    const { left, top } = svg.getBoundingClientRect();
    zoom(Math.exp(-pixels / 400), event.clientX - left, event.clientY - top);
  }, { passive: false });
  const hands = followHands(svg, (dx, dy) => {
    eye.x += dx;
    eye.y += dy;
    look();
  }, zoom);

  return {
    draw, mark, zoom, fit, show, reveal, begin,
    element: (id) => elements.get(id),
    place: (id) => plan.at.get(id),
    places: () => plan.at,
    // For paper: all of the graph, whatever the window shows.
    whole: (isWhole) => {
      if (isWhole) {
        svg.setAttribute("viewBox", `-10 -10 ${plan.width + 20} ${plan.height + 20}`);
        scene.removeAttribute("transform");
      } else {
        svg.removeAttribute("viewBox");
        look();
      }
    },
  };
}

const WORDS = {
  job: "step", other: "earlier job", tasks: "tasks", artifact: "artifact", dataset: "dataset",
};

function heightOf(node) {
  return 12 + node.lines.length * LINE;
}

function lineOf(edge, { at, bends }) {
  const [source, target] = [at.get(edge.source), at.get(edge.target)];
  if (!source || !target || source === target) return null;
  const isBack = source.x >= target.x;
  const start = { x: source.x + (isBack ? 0 : WIDTH), y: source.y };
  const end = { x: target.x + (isBack ? WIDTH : 0), y: target.y };
  let way = `M${start.x} ${start.y}`;
  let from = start;
  const curve = (to) => {
    const half = (to.x - from.x) / 2;
    way += `C${from.x + half} ${from.y} ${to.x - half} ${to.y} ${to.x} ${to.y}`;
  };
  for (const { x, y } of bends.get(edge) ?? []) {
    // Straight past the nodes of the layer, bent between the layers.
    const [near, far] = isBack ? [x + WIDTH, x] : [x, x + WIDTH];
    curve({ x: near, y });
    way += `H${far}`;
    from = { x: far, y };
  }
  curve(end);
  const kind = edge.isSuperseded ? "edge superseded" : "edge";
  const path = shape("path", { class: kind, d: way, "marker-end": "url(#arrow)" });
  if (edge.label) {
    const title = shape("title");
    title.textContent = edge.isSuperseded ? `${edge.label}, superseded` : edge.label;
    path.append(title);
  }
  return path;
}

// One pointer drags, two pinch. `moved` says whether the last press went further than a click.
function followHands(svg, drag, zoom) {
  const hands = { moved: false };
  const down = new Map();
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (!down.size) hands.moved = false;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY, way: 0 });
  });
  svg.addEventListener("pointermove", (event) => {
    const hand = down.get(event.pointerId);
    if (!hand) return;
    if (event.buttons === 0) {
      down.delete(event.pointerId); // let go outside of the window
      return;
    }
    const [dx, dy] = [event.clientX - hand.x, event.clientY - hand.y];
    hand.way += Math.abs(dx) + Math.abs(dy);
    if (hand.way > 4 && !hands.moved) {
      hands.moved = true;
      svg.setPointerCapture(event.pointerId);
    }
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    if (others.length === 1) {
      const [other] = others;
      const before = Math.hypot(hand.x - other.x, hand.y - other.y) || 1;
      const now = Math.hypot(event.clientX - other.x, event.clientY - other.y) || 1;
      const { left, top } = svg.getBoundingClientRect();
      zoom(now / before, other.x - left, other.y - top);
    } else if (hands.moved) {
      drag(dx, dy);
    }
    [hand.x, hand.y] = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => down.delete(event.pointerId));
  }
  return hands;
}
