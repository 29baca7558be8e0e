// From what the server told (see pages/drawing.py) to what is drawn: groups folded or opened, files
// shown or left out.

export const MOST_DRAWN = 500;
const WITH_FILES_AT_FIRST = 100;
const FILES_APART = 3;

/** Keeps the graph as told, and what the reader has opened in it. */
export class Model {
  constructor(told) {
    this.jobs = told.jobs;
    this.files = told.files;
    this.groups = told.groups;
    this.opened = new Set();
    this.withFiles = false;
    this.withFiles = this.drawable(true).nodes.length <= WITH_FILES_AT_FIRST;
  }

  /** Whether `change`, a function of this model, leaves few enough nodes; undone if not. */
  attempt(change) {
    const before = [new Set(this.opened), this.withFiles];
    change(this);
    if (this.drawable(this.withFiles).nodes.length <= MOST_DRAWN) return true;
    [this.opened, this.withFiles] = before;
    return false;
  }

  /** The id of the node that stands for a job. */
  standsFor(number) {
    const { group } = this.jobs[number];
    return group === null || this.opened.has(group) ? `j${number}` : `g${group}`;
  }

  /** Nodes { id, kind, … } and edges [from, to] to draw; with files between the jobs, or not. */
  drawable(withFiles = this.withFiles) {
    const nodes = new Map();
    this.jobs.forEach((job, number) => {
      const id = this.standsFor(number);
      if (id[0] === "j") nodes.set(id, { id, kind: "job", job });
      else if (nodes.has(id)) nodes.get(id).jobs.push(job);
      else nodes.set(id, { id, kind: "group", group: this.groups[job.group], jobs: [job] });
    });
    const edges = new Map();
    const tie = (from, to) => from !== to && edges.set(`${from} ${to}`, [from, to]);
    const between = new Map();
    for (const file of this.files) {
      const writer = file.writer === null ? null : this.standsFor(file.writer);
      const readers = [...new Set(file.readers.map((number) => this.standsFor(number)))];
      if (!withFiles) {
        if (writer !== null) readers.forEach((reader) => tie(writer, reader));
        continue;
      }
      const key = `${writer} ${readers.sort().join(" ")}`;
      if (!between.has(key)) between.set(key, { writer, readers, files: [] });
      between.get(key).files.push(file);
    }
    let next = 0;
    for (const { writer, readers, files } of between.values()) {
      // A dataset is worth a node of its own; of many plain files alike, one stands for all.
      const plain = files.filter((file) => !file.isDataset);
      const alike = plain.length > FILES_APART ? [plain] : plain.map((file) => [file]);
      for (const some of [...files.filter((file) => file.isDataset).map((f) => [f]), ...alike]) {
        const id = `f${next++}`;
        nodes.set(id, { id, kind: "files", files: some });
        if (writer !== null) tie(writer, id);
        readers.forEach((reader) => tie(id, reader));
      }
    }
    return { nodes: [...nodes.values()], edges: [...edges.values()] };
  }
}

/** What a node is called: { heading, more, spoken }, texts. */
export function words(node) {
  if (node.kind === "job") {
    const { step, heading, command, failed } = node.job;
    const state = failed ? ", failed" : "";
    return {
      heading: `@${step} ${heading}`,
      more: command,
      spoken: `job, @${step} ${heading}${state}: ${command}`,
    };
  }
  if (node.kind === "group") {
    const { heading } = node.group;
    return {
      heading: `${heading} × ${node.jobs.length}`,
      more: "folded; open it to see each",
      spoken: `group, ${node.jobs.length} jobs of ${heading}, folded`,
    };
  }
  const [file] = node.files;
  const count = node.files.reduce((sum, { count }) => sum + count, 0);
  if (count > 1) {
    return {
      heading: `${count} files`,
      more: `${file.name}, …`,
      spoken: `${count} files: ${file.name} and others`,
    };
  }
  const kind = file.isDataset ? "dataset" : "file";
  return {
    heading: file.name,
    more: file.hash.slice(0, 12),
    spoken: `${kind}, ${file.name}`,
  };
}
