// What is known of a node, beside the graph. Texts of the page's data are numbers into `texts`.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Only what a browser opens as a page: no javascript:, data: or file: of a tracker's making.
function webAddress(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
}

// `go(id)` is called when another node is asked for.
function makeDetails(aside, data, nodes, go) {
  const text = (number) => data.texts[number];
  const button = (id, ...words) => {
    const made = element("button", { type: "button", class: "to", "data-to": id }, ...words);
    made.addEventListener("click", () => go(id));
    return made;
  };

  function facts(numbers) {
    const list = element("dl");
    for (let i = 0; i < numbers.length; i += 2) {
      const value = element("dd", {}, element("bdi", {}, text(numbers[i + 1])));
      if (text(numbers[i + 1]).length > 400) value.setAttribute("tabindex", 0); // it scrolls
      list.append(element("dt", {}, text(numbers[i])), value);
    }
    return list;
  }

  function links(pairs) {
    return pairs.map(([title, address]) => {
      const url = webAddress(text(address));
      if (!url) return element("p", {}, `${text(title)}: ${text(address)}`);
      const rel = "noopener noreferrer";
      return element("p", {}, element("a", { href: url, rel, target: "_blank" }, text(title)));
    });
  }

  function edges(heading, rows) {
    if (!rows.length) return [element("h3", {}, `no ${heading}`)];
    const items = rows.map(([id, path, remark]) =>
      element(
        "li", {},
        button(id, element("bdi", {}, text(path))),
        element("small", {}, [text(remark), hashOf(id)].filter(Boolean).join(" · ")),
      ));
    return [element("h3", {}, `${heading} (${rows.length})`), element("ul", {}, ...items)];
  }

  function hashOf(id) {
    const told = data.bytes[id].facts;
    for (let i = 0; i < told.length; i += 2) if (text(told[i]) === "hash") return text(told[i + 1]);
    return "";
  }

  function jobs(heading, ids) {
    if (!ids.length) return [];
    const items = ids.map((id) => element("li", {}, button(id, nodes.get(id).lines[0])));
    return [element("h3", {}, `${heading} (${ids.length})`), element("ul", {}, ...items)];
  }

  function of(id) {
    const job = data.jobs[id];
    if (job) {
      return [
        facts(job.facts),
        ...links(job.links),
        ...edges("inputs", job.inputs),
        ...edges("outputs", job.outputs),
      ];
    }
    const bytes = data.bytes[id];
    return [
      facts(bytes.facts),
      ...jobs("written by", bytes.writers),
      ...jobs("read by", bytes.readers),
    ];
  }

  return {
    open(id) {
      const known = data.jobs[id] ?? data.bytes[id];
      const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
      close.addEventListener("click", () => go(null));
      const title = element("h2", { tabindex: -1 }, element("bdi", {}, text(known.title)));
      aside.replaceChildren(close, title, ...of(id));
      aside.hidden = false;
      aside.scrollTop = 0;
      return title;
    },
    close() {
      aside.hidden = true;
      aside.replaceChildren();
    },
  };
}
