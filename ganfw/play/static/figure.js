// A picture of samples with its caption, and what can be done with it by pointer and keys.

import { pointAt, scatter, tileAt, tiles } from "./draw.js";

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class Picture {
  constructor(label, run = 0) {
    this.run = run;
    this.canvas = element("canvas", { width: 1, height: 1 });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
    this.frame = element("div", { className: "frame" }, this.canvas);
    this.message = element("p", { className: "message", hidden: true });
    this.message.setAttribute("role", "alert");
    this.caption = element("figcaption");
    this.element = element("figure", {}, this.message, this.frame, this.caption);
    this.samples = null;
  }

  say(text) { if (this.caption.textContent !== text) this.caption.textContent = text; }

  fail(text) {
    this.message.textContent = text;
    this.message.hidden = false;
    this.frame.hidden = true;
  }

  show(samples, options = {}) {
    this.message.hidden = true;
    this.frame.hidden = false;
    this.samples = samples;
    this.options = options;
    if (samples.kind === "images") this.placeOf = tiles(this.canvas, samples, options);
    else scatter(this.canvas, samples, { run: this.run, ...options });
  }

  redraw() { if (this.samples) this.show(this.samples, this.options); }

  // Let samples be chosen: `choose(number)` by pointer, and by the arrow keys from the number chosen before.
  choosable(choose, chosen) {
    this.mark = element("span", { className: "mark", hidden: true });
    this.frame.append(this.mark);
    this.frame.classList.add("choose");
    this.canvas.tabIndex = 0;
    this.canvas.addEventListener("click", event => {
      const box = this.canvas.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      if (!this.samples) return;
      const found = this.samples.kind === "images" ? tileAt(this.canvas, this.shown(), x, y)
        : pointAt(this.samples, this.run, x, y);
      if (found !== null) choose(found);
    });
    this.canvas.addEventListener("keydown", event => {
      if (!this.samples) return;
      const columns = this.samples.kind === "images" ? Math.ceil(Math.sqrt(this.shown().count)) : 1;
      const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      const next = chosen() + move;
      if (next >= 0 && next < this.shown().count) choose(next);
    });
  }

  // Translations are drawn below their inputs, and are not chosen.
  shown() { return this.samples.given ? { ...this.samples, count: 0 } : this.samples; }

  markChosen(number) {
    if (!this.mark || !this.samples) return;
    this.mark.hidden = this.samples.kind !== "images" || number >= this.shown().count;
    if (this.samples.kind !== "images") {
      this.show(this.samples, { ...this.options, chosen: number });
    } else if (!this.mark.hidden) {
      const place = this.placeOf(number);
      for (const side of ["left", "top", "width", "height"]) this.mark.style[side] = `${place[side] * 100}%`;
    }
  }
}

let sliders = 0; // labels name them

export function slider(label, { min, max, step, value, shown = value => value }, change) {
  const input = element("input", { type: "range", min, max, step, value, id: `slider-${++sliders}` });
  const output = element("output", { textContent: shown(value) });
  output.htmlFor = input.id;
  input.addEventListener("input", () => {
    output.textContent = shown(input.value);
    change(input.value);
  });
  return { input, output, label: element("label", { htmlFor: input.id, textContent: label }) };
}

export const button = (text, click) => {
  const made = element("button", { type: "button", textContent: text });
  made.addEventListener("click", click);
  return made;
};

// Two images beside each other are drawn from one answer.
export function part(samples, first, count) {
  const values = samples.values.subarray(first * samples.size, (first + count) * samples.size);
  return { ...samples, values, count, shape: [count, ...samples.shape.slice(1)] };
}
