// Views of noise that is walked through: a path, a plane, single coordinates.

import { button, element, part, slider } from "./figure.js";
import { changesOf, changesText } from "./state.js";
import { View } from "./view.js";

const STEPS = 31, THUMBS = [...Array(11).keys()].map(number => number * 3), PAGE = 16;

export class Path extends View {
  constructor(stage, page) {
    super(stage, page);
    this.explain("From one sample to another: the straight line, and the arc, which stays as far from the origin as samples lie.");
    this.answers = [];
    this.direction = 1;
    this.ways = this.perRun((number, block) => {
      const big = ["Straight line", "Arc"].map(label => this.picture(label, number));
      const strips = ["Straight line, step by step", "Arc, step by step"].map(label => this.picture(label, number));
      block.append(element("div", { className: "two big" }, ...big.map(each => each.element)));
      block.append(element("div", { className: "strip" }, ...strips.map(each => each.element)));
      const feed = this.feed(big[0], samples => {
        this.answers[number] = samples;
        for (const each of [...big, ...strips]) each.element.hidden = false;
        this.drawAll();
      }, [big[1], ...strips]);
      return { number, big, strips, feed };
    });
    const { input, output, label } = slider("Position", {
      min: 0, max: STEPS - 1, step: 1, value: this.state.at, shown: at => `${Math.round(at / (STEPS - 1) * 100)} %`,
    }, at => page.change({ at }));
    Object.assign(this, { position: input, shown: output });
    stage.append(element("div", { className: "along" }, label, input, output));
    const play = this.player(() => {
      const at = Number(this.state.at);
      if (at + this.direction < 0 || at + this.direction >= STEPS) this.direction = -this.direction;
      page.change({ at: `${at + this.direction}` });
    }, 70);
    this.name = element("span", { className: "name" });
    this.tools(play, button("Another pair", () => page.change({ seed: `${Number(page.seed()) + 1}`, from: "", to: "" })), this.name);
  }

  update() {
    const [from, to] = this.page.ends();
    for (const { number, feed } of this.ways) feed.ask(this.page.query(number, "path"));
    this.name.textContent = `from ${spoken(from)} to ${spoken(to)}`;
    this.position.value = this.state.at;
    this.shown.textContent = `${Math.round(this.state.at / (STEPS - 1) * 100)} %`;
    this.drawAll();
  }

  drawAll() {
    const at = Math.min(STEPS - 1, Number(this.state.at));
    for (const { number, big, strips } of this.ways) {
      const samples = this.answers[number];
      if (!samples) continue;
      [0, 1].forEach(way => {
        const along = part(samples, way * STEPS, STEPS), isImages = samples.kind === "images";
        if (isImages) {
          big[way].show(part(along, at, 1));
          strips[way].show(along, { columns: THUMBS.length, rows: THUMBS });
        } else big[way].show(along, { line: true, marks: [at] });
        strips[way].element.hidden = !isImages;
        big[way].say(way ? "arc" : "straight line");
      });
    }
  }
}

const spoken = anchor => {
  const [seed, number] = anchor.split("-");
  return `sample ${Number(number) + 1} of seed ${seed}`;
};

export class Plane extends View {
  constructor(stage, page) {
    super(stage, page);
    this.explain("A plane through three noise vectors, A, B and C. Move in it with the pointer or the arrow keys.");
    this.planes = this.perRun((number, block) => {
      const map = this.picture("Map of the plane; the arrow keys move in it", number), big = this.picture("The sample there", number);
      const cross = element("span", { className: "cross" });
      map.element.classList.add("pad");
      map.frame.append(cross, ...["first", "second", "third"].map((name, place) =>
        element("span", { className: `corner ${name}`, textContent: "ABC"[place] })));
      map.canvas.tabIndex = 0;
      block.append(element("div", { className: "two" }, map.element, big.element));
      const plane = { number, map, big, cross, mapFeed: null, feed: null };
      plane.mapFeed = this.feed(map, samples => {
        if (samples.kind === "images") map.show(samples, { columns: samples.side });
        else map.show(part(samples, 0, 0), { axes: false }); // the points themselves are drawn beside it
        plane.all = samples;
        big.element.hidden = false;
        if (big.samples && samples.kind === "points") this.showPoint(plane, big.samples);
      }, [big]);
      plane.feed = this.feed(big, samples => {
        if (samples.kind === "images") big.show(samples);
        else this.showPoint(plane, samples);
        big.say(`${this.state.x} towards B, ${this.state.y} towards C`);
      });
      this.listen(map);
      return plane;
    });
    this.tools(button("Other vectors", () => page.change({ seed: `${Number(page.seed()) + 1}` })));
  }

  // The point on top of those of the map.
  showPoint({ big, all }, point) {
    const last = part(point, point.count - 1, 1), others = all ? [...all.values] : [], count = others.length / 2 + 1;
    big.show({ ...last, values: Float32Array.of(...others, ...last.values), count, shape: [count, 2] }, { marks: [count - 1] });
  }

  listen({ canvas }) {
    const move = event => {
      const box = canvas.getBoundingClientRect();
      this.go((7 * (event.clientX - box.left) / box.width - 0.5) / 6, (7 * (box.bottom - event.clientY) / box.height - 0.5) / 6);
    };
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    canvas.addEventListener("pointermove", event => {
      if (event.pointerType === "mouse" || canvas.hasPointerCapture(event.pointerId)) move(event);
    });
    canvas.addEventListener("keydown", event => {
      const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
      if (x === undefined) return;
      event.preventDefault();
      this.go(Number(this.state.x) + x / 24, Number(this.state.y) + y / 24);
    });
  }

  go(x, y) {
    const within = value => `${Number(Math.min(13 / 12, Math.max(-1 / 12, value)).toFixed(3))}`;
    this.page.change({ x: within(x), y: within(y) });
  }

  update() {
    for (const { number, mapFeed, feed, cross } of this.planes) {
      mapFeed.ask(this.page.query(number, "map"));
      feed.ask(this.page.query(number, "plane"));
      cross.style.left = `${(Number(this.state.x) * 6 + 0.5) / 7 * 100}%`;
      cross.style.bottom = `calc(${(Number(this.state.y) * 6 + 0.5) / 7 * 100}% - .75rem)`;
    }
  }
}

export class Coordinates extends View {
  constructor(stage, page) {
    super(stage, page);
    this.explain("One sample, and the same with single coordinates of its noise changed. Choose another among the samples.");
    this.z = [];
    this.pairs = this.perRun((number, block) => {
      const [drawn, changed] = ["The sample as it is drawn", "The sample changed"].map(label => this.picture(label, number));
      block.append(element("div", { className: "two big" }, drawn.element, changed.element));
      const feed = this.feed(drawn, samples => {
        drawn.show(part(samples, 0, 1));
        changed.show(part(samples, 1, 1));
        drawn.say(`sample ${page.chosen() + 1} of seed ${page.seed()}`);
        changed.say("changed");
        changed.element.hidden = false;
        if (number === 0 && `${this.z}` !== `${samples.z}`) {
          this.z = samples.z;
          this.updateSliders();
        }
      }, [changed]);
      return { number, feed };
    });
    this.pages = element("span", { className: "name" });
    this.before = button("Previous 16", () => this.turn(-1));
    this.after = button("Next 16", () => this.turn(1));
    this.tools(this.pages, this.before, this.after, button("Reset", () => page.change({ changes: "" })));
    this.rows = [...Array(PAGE).keys()].map(place => {
      const each = slider("", { min: -4, max: 4, step: 0.01, value: 0, shown: value => Number(value).toFixed(2) }, value => {
        const changes = changesOf(this.state);
        changes.set(`${this.first + place}`, Number(value).toString());
        page.change({ changes: changesText(changes) });
      });
      each.element = element("div", {}, element("div", { className: "row" }, each.label, each.output), each.input);
      return each;
    });
    stage.append(element("div", { className: "sliders" }, ...this.rows.map(each => each.element)));
  }

  get first() { return Math.min(Number(this.state.page) * PAGE, Math.max(0, Math.ceil(this.z.length / PAGE) - 1) * PAGE); }

  turn(by) { this.page.change({ page: `${Math.max(0, this.first / PAGE + by)}` }); }

  update() {
    for (const { number, feed } of this.pairs) feed.ask(this.page.query(number, "coordinates"));
    this.updateSliders();
  }

  updateSliders() {
    const changes = changesOf(this.state), last = Math.min(this.z.length, this.first + PAGE);
    this.rows.forEach(({ element: row, label, input, output }, place) => {
      const index = this.first + place, changed = changes.get(`${index}`);
      row.hidden = index >= this.z.length;
      if (row.hidden) return;
      row.classList.toggle("changed", changed !== undefined);
      label.textContent = `z${index}`;
      input.value = changed ?? this.z[index];
      output.textContent = Number(changed ?? this.z[index]).toFixed(2);
    });
    this.pages.textContent = this.z.length ? `Coordinates ${this.first} to ${last - 1} of ${this.z.length}` : "";
    this.before.disabled = this.first === 0;
    this.after.disabled = last >= this.z.length;
  }
}
