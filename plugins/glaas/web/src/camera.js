// What part of the drawing is seen: moved by dragging, zoomed by buttons, keys and Ctrl + wheel.

const NEAREST = 2.5;
const FARTHEST = 0.04;
const READABLE = 0.6; // below, text is too small
const [LEAST_HIGH, MOST_HIGH] = [240, 576];

export class Camera {
  constructor(svg, view) {
    this.svg = svg;
    this.view = view;
    [this.x, this.y, this.scale] = [0, 0, 1];
    [this.width, this.height] = [1, 1];
    this.moved = false;
    this.#listen();
  }

  /** Show a new drawing: all of it where it can be read then, else the end of it, at `last`. */
  show(width, height, last) {
    // A flat graph needs no tall stage.
    const { width: wide } = this.svg.getBoundingClientRect();
    const scale = Math.max(READABLE, Math.min(1, wide / width));
    const high = Math.min(MOST_HIGH, Math.max(LEAST_HIGH, height * scale + 24));
    this.svg.parentElement.style.setProperty("--high", `${high}px`);
    this.fit(width, height);
    if (this.scale >= READABLE || !last) return;
    this.scale = READABLE;
    const box = this.svg.getBoundingClientRect();
    const [right, bottom] = [width * READABLE, height * READABLE];
    const place = (size, room, middle) =>
      size > room ? Math.min(0, Math.max(room - size, room / 2 - middle)) : (room - size) / 2;
    this.x = place(right, box.width, last.x * READABLE);
    this.y = place(bottom, box.height, last.y * READABLE);
    this.#apply();
  }

  /** Show all of a drawing of this size, never larger than life. */
  fit(width = this.width, height = this.height) {
    [this.width, this.height] = [width, height];
    const { width: wide, height: high } = this.svg.getBoundingClientRect();
    this.scale = Math.max(FARTHEST, Math.min(1, wide / width, high / height));
    this.x = (wide - width * this.scale) / 2;
    this.y = (high - height * this.scale) / 2;
    this.#apply();
  }

  /** Zoom around a point of the element, its middle by default. */
  zoom(factor, at = null) {
    const { width, height } = this.svg.getBoundingClientRect();
    const { x, y } = at ?? { x: width / 2, y: height / 2 };
    const scale = Math.max(FARTHEST, Math.min(NEAREST, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#apply();
  }

  /** Bring a point of the drawing into view; `readable`: and large enough to be read. */
  reveal({ x, y }, readable = true) {
    const { width, height } = this.svg.getBoundingClientRect();
    if (readable && this.scale < READABLE) this.scale = 0.85;
    const [left, top] = [x * this.scale + this.x, y * this.scale + this.y];
    if (left < 120 || left > width - 120) this.x += width / 2 - left;
    if (top < 40 || top > height - 40) this.y += height / 2 - top;
    this.#apply();
  }

  #apply() {
    this.view.setAttribute(
      "transform",
      `translate(${this.x.toFixed(2)},${this.y.toFixed(2)}) scale(${this.scale.toFixed(4)})`,
    );
  }

  #listen() {
    let last = null;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0) last = { x: event.clientX, y: event.clientY };
      this.moved = false;
    });
    addEventListener("pointermove", (event) => {
      if (!last) return;
      const [right, down] = [event.clientX - last.x, event.clientY - last.y];
      if (!this.moved && Math.abs(right) + Math.abs(down) < 5) return;
      this.moved = true;
      this.x += right;
      this.y += down;
      last = { x: event.clientX, y: event.clientY };
      this.#apply();
    });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (last = null));
    this.svg.addEventListener(
      "wheel",
      (event) => {
        // Without Ctrl the wheel is the page's; a pinch on a touchpad comes with it.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const box = this.svg.getBoundingClientRect();
        const at = { x: event.clientX - box.left, y: event.clientY - box.top };
        this.zoom(Math.exp(-event.deltaY / 400), at);
      },
      { passive: false },
    );
  }
}
