// The panel beside the graph: what the chosen node is, as text and links.

const MOST_LISTED = 200;

function made(name, text = null, more = {}) {
  const element = Object.assign(document.createElement(name), more);
  if (text !== null) element.textContent = text;
  return element;
}

function link(text, href) {
  return made("a", text, { href });
}

function list(title, entries) {
  if (!entries.length) return [];
  const items = made("ul");
  entries.slice(0, MOST_LISTED).forEach((entry) => {
    const item = made("li");
    item.append(entry);
    items.append(item);
  });
  const left = entries.length - MOST_LISTED;
  if (left > 0) items.append(made("li", `and ${left} more`));
  return [made("h3", `${title} (${entries.length})`), items];
}

const jobLink = (job) => link(`@${job.step} ${job.heading}`, `/jobs/${job.address}`);

function fileLink(file) {
  const alike = file.count > 1 ? ` and ${file.count - 1} more` : "";
  return link(file.name + alike, `/artifacts/${file.hash}`);
}

/** Everything about a node, as elements; `open` opens a group. */
export function describe(node, model, open) {
  if (node.kind === "group") {
    const button = made("button", "Open the group", { type: "button" });
    button.addEventListener("click", open);
    return [
      made("h2", `${node.group.heading} × ${node.jobs.length}`),
      button,
      ...list("jobs", node.jobs.map(jobLink)),
    ];
  }
  if (node.kind === "files") {
    const [{ name, writer, readers }] = node.files;
    const several = node.files.length > 1 || node.files[0].count > 1;
    return [
      made("h2", several ? `${node.files.length} files` : name),
      ...list(several ? "files" : "file", node.files.map(fileLink)),
      ...list("written by", writer === null ? [] : [jobLink(model.jobs[writer])]),
      ...list("read by", readers.map((number) => jobLink(model.jobs[number]))),
    ];
  }
  const { job } = node;
  const number = model.jobs.indexOf(job);
  const folded = job.group !== null;
  const title = made("h2");
  title.append(jobLink(job));
  const parts = [title, made("pre", job.command)];
  if (job.failed) parts.push(made("p", "It failed.", { className: "failed" }));
  parts.push(
    ...list("read", model.files.filter((file) => file.readers.includes(number)).map(fileLink)),
    ...list("wrote", model.files.filter((file) => file.writer === number).map(fileLink)),
  );
  if (folded) {
    const button = made("button", "Fold the group again", { type: "button" });
    button.addEventListener("click", open);
    parts.push(button);
  }
  return parts;
}
