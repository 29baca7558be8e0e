// Where nodes and edges lie: a layered drawing after Sugiyama, Tagawa and Toda (1981), from left to
// right. Pure: it knows sizes and ties, and nothing of the page. No function recurses, since a
// session may be a chain of ten thousand steps.

const COLUMN = 310; // from one layer to the next, in the units of the drawing
const GAP = 14; // between two nodes of a layer
const SWEEPS = 8;
// Long edges bend around nodes at a point in every layer they cross, while there are not too many.
const MAX_BENDS = 20000;

// nodes: [{id, height}], edges: [{source, target}], both in the order of the session.
// Returns {at: Map(id -> {x, y, height}), bends: Map(edge -> [{x, y}]), width, height};
// x and y are a node's left and middle.
function layout(nodes, edges) {
  const cells = new Map(nodes.map((node) => [node.id, cellOf(node.id, node.height)]));
  const ties = edges.filter((edge) => edge.source !== edge.target);
  for (const edge of ties) {
    cells.get(edge.source).after.push(cells.get(edge.target));
  }
  const forward = withoutCycles([...cells.values()]);
  layer([...cells.values()], forward);
  const bends = new Map();
  const layers = intoLayers([...cells.values()]);
  const crossed = ({ source, target }) => Math.abs(cells.get(source).layer - cells.get(target).layer);
  if (ties.reduce((sum, edge) => sum + crossed(edge), 0) <= MAX_BENDS) {
    for (const edge of ties) bends.set(edge, bend(edge, cells, layers));
  }
  tie(ties, cells, bends);
  order(layers);
  place(layers);
  return measured(cells, bends);
}

function cellOf(id, height) {
  return { id, height, after: [], left: [], right: [], layer: 0, x: 0, y: 0 };
}

// Pairs [source, target] of cells, turned around where they would close a cycle.
function withoutCycles(cells) {
  const open = new Set();
  const done = new Set();
  const forward = [];
  for (const start of cells) {
    if (done.has(start)) continue;
    const path = [[start, 0]];
    open.add(start);
    while (path.length) {
      const step = path[path.length - 1];
      const [cell, next] = step;
      if (next === cell.after.length) {
        path.pop();
        open.delete(cell);
        done.add(cell);
        continue;
      }
      step[1] += 1;
      const target = cell.after[next];
      if (open.has(target)) {
        forward.push([target, cell]);
        continue;
      }
      forward.push([cell, target]);
      if (!done.has(target)) {
        open.add(target);
        path.push([target, 0]);
      }
    }
  }
  return forward;
}

// Each cell one layer after the last that it comes from; what comes from nothing just before it is
// needed.
function layer(cells, forward) {
  const waiting = new Map(cells.map((cell) => [cell, 0]));
  const following = new Map(cells.map((cell) => [cell, []]));
  for (const [source, target] of forward) {
    waiting.set(target, waiting.get(target) + 1);
    following.get(source).push(target);
  }
  const roots = cells.filter((cell) => waiting.get(cell) === 0);
  const ready = [...roots];
  for (let cell = ready.pop(); cell; cell = ready.pop()) {
    for (const target of following.get(cell)) {
      target.layer = Math.max(target.layer, cell.layer + 1);
      waiting.set(target, waiting.get(target) - 1);
      if (waiting.get(target) === 0) ready.push(target);
    }
  }
  for (const root of roots) {
    const nearest = following.get(root).reduce((least, { layer }) => Math.min(least, layer), Infinity);
    if (nearest !== Infinity) root.layer = nearest - 1;
  }
}

function intoLayers(cells) {
  const layers = [];
  for (const cell of cells) {
    while (layers.length <= cell.layer) layers.push([]);
    layers[cell.layer].push(cell);
  }
  return layers;
}

// Put a small cell into each layer that an edge crosses; return them from source to target.
function bend(edge, cells, layers) {
  const ends = [cells.get(edge.source).layer, cells.get(edge.target).layer];
  const points = [];
  for (let at = Math.min(...ends) + 1; at < Math.max(...ends); at++) {
    const point = cellOf(null, 4);
    point.layer = at;
    points.push(point);
    layers[at].push(point);
  }
  return ends[0] > ends[1] ? points.reverse() : points;
}

// Tell every cell its neighbours in the layers before and after.
function tie(ties, cells, bends) {
  for (const edge of ties) {
    const chain = [cells.get(edge.source), ...(bends.get(edge) ?? []), cells.get(edge.target)];
    for (let i = 1; i < chain.length; i++) {
      const [one, other] =
        chain[i - 1].layer <= chain[i].layer ? [chain[i - 1], chain[i]] : [chain[i], chain[i - 1]];
      one.right.push(other);
      other.left.push(one);
    }
  }
}

// Sort each layer by where the neighbours stand, forth and back: edges then cross less.
function order(layers) {
  const number = (cells) => cells.forEach((cell, index) => (cell.index = index));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const side = sweep % 2 ? "right" : "left";
    for (const cells of sweep % 2 ? [...layers].reverse() : layers) {
      for (const cell of cells) {
        cell.wish = cell[side].length ? mean(cell[side], (other) => other.index) : cell.index;
      }
      cells.sort((one, other) => one.wish - other.wish || one.index - other.index);
      number(cells);
    }
  }
}

// Give each cell the height of its neighbours as far as its own layer leaves room.
function place(layers) {
  layers.forEach((cells) => spread(cells, (cell) => cell.y));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const side = sweep % 2 ? "right" : "left";
    for (const cells of sweep % 2 ? [...layers].reverse() : layers) {
      spread(cells, (cell) => (cell[side].length ? mean(cell[side], (other) => other.y) : cell.y));
    }
  }
}

// The nearest to what the cells wish that keeps their order and their gaps: isotonic regression, by
// pooling neighbours who stand in each other's way.
function spread(cells, wish) {
  const pools = [];
  let offset = 0;
  cells.forEach((cell, index) => {
    if (index) offset += (cells[index - 1].height + cell.height) / 2 + GAP;
    cell.offset = offset;
    let pool = { sum: wish(cell) - offset, count: 1 };
    while (pools.length && pools.at(-1).sum / pools.at(-1).count > pool.sum / pool.count) {
      const last = pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  });
  let index = 0;
  for (const { sum, count } of pools) {
    for (const end = index + count; index < end; index++) {
      cells[index].y = sum / count + cells[index].offset;
    }
  }
}

function mean(values, of) {
  return values.reduce((sum, value) => sum + of(value), 0) / values.length;
}

function measured(cells, bends) {
  let [top, bottom, width] = [Infinity, -Infinity, 0];
  for (const { layer, y, height } of [...cells.values(), ...[...bends.values()].flat()]) {
    top = Math.min(top, y - height / 2);
    bottom = Math.max(bottom, y + height / 2);
    width = Math.max(width, (layer + 1) * COLUMN);
  }
  const at = new Map();
  for (const [id, { layer, y, height }] of cells) {
    at.set(id, { x: layer * COLUMN, y: y - top, height });
  }
  const lines = new Map();
  for (const [edge, points] of bends) {
    lines.set(edge, points.map(({ layer, y }) => ({ x: layer * COLUMN, y: y - top })));
  }
  return { at, bends: lines, width, height: cells.size ? bottom - top : 0 };
}
