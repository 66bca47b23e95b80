// Views of a grid: samples, the same noise along a run, and what is nearest to one of them.

import { askSamples } from "./server.js";
import { Picture, button, element, part } from "./figure.js";
import { View } from "./view.js";

const FRAMES = 24;

class Grids extends View {
  build() {
    const figures = element("div", { className: `figures${this.page.runs.length > 1 ? "" : " one"}` });
    this.stage.append(figures);
    this.grids = this.page.runs.map((run, number) => {
      const picture = this.picture("Samples; the arrow keys choose one", number);
      figures.append(picture.element);
      picture.choosable(chosen => this.page.change({ number: `${chosen}` }), () => this.page.chosen());
      return { picture, feed: this.feed(picture, samples => this.show(picture, samples)) };
    });
  }

  show(picture, samples) {
    const name = this.page.runs.length > 1 ? `${this.page.labels[picture.run]}, ` : "";
    if (samples.given) {
      const columns = Math.min(10, samples.given), rows = [];
      for (let first = 0; first < samples.given; first += columns) {
        const line = [...Array(Math.min(columns, samples.given - first)).keys()].map(each => first + each);
        const blank = Array(columns - line.length).fill(samples.count); // beyond the values: drawn black
        rows.push(...line, ...blank, ...line.map(each => each + samples.given), ...blank);
      }
      picture.show(samples, { columns, rows });
      picture.say(`${name}step ${samples.step}: inputs above, below each what is made of it`);
    } else {
      picture.show(samples);
      picture.say(`${name}step ${samples.step}`);
    }
    picture.markChosen(this.page.chosen());
  }

  update() {
    for (const { picture, feed } of this.grids) {
      feed.ask(this.page.query(picture.run, "grid"));
      picture.markChosen(this.page.chosen());
    }
  }
}

export class Samples extends Grids {
  constructor(stage, page) {
    super(stage, page);
    this.build();
    this.name = element("span", { className: "name" });
    this.name.setAttribute("role", "status");
    const to = (text, view, patch = () => ({})) => button(text, () => page.change({ view, ...page.classOf(), ...patch() }));
    this.choices = element("div", { className: "tools choices" }, this.name);
    if (page.walks) {
      this.choices.append(
        to("Path from here", "path", () => ({ from: page.anchor(), to: this.state.to || page.anchor(this.neighbour()) })),
        to("Path to here", "path", () => ({ to: page.anchor(), from: this.state.from || page.anchor(this.neighbour()) })),
        to("Its coordinates", "coordinates", () => ({ changes: "" })),
      );
    }
    if (!page.runs.every(run => run.inputs)) this.choices.append(to("Nearest training samples", "nearest"));
    stage.append(this.choices);
  }

  neighbour() { return this.page.chosen() ? 0 : 1; }

  update() {
    super.update();
    this.name.textContent = `Sample ${this.page.chosen() + 1}`;
    this.choices.hidden = this.page.runs.every(run => run.inputs);
  }
}

export class Checkpoints extends Grids {
  constructor(stage, page) {
    super(stage, page);
    this.explain("The same noise at each checkpoint: the chosen sample along the run, and all samples at one.");
    this.films = page.runs.map((run, number) => {
      const film = element("div", { className: "film" });
      film.setAttribute("aria-label", "The chosen sample at each checkpoint");
      film.setAttribute("role", "group");
      stage.append(film);
      return { film, number, shown: "", frames: [] };
    });
    this.hint = element("p", { className: "hint" });
    this.tools(this.player(() => page.nextStep(), 350), this.hint);
    this.build();
  }

  update() {
    super.update();
    for (const film of this.films) this.updateFilm(film);
    const { keep, every_steps: every } = this.page.runs[0].keeps;
    this.hint.textContent = keep ? `${this.page.labels[0]} keeps its ${keep} newest checkpoints, one every ${every} steps. A run keeps `
      + "more with: --set callbacks.checkpoint.keep=50 --set callbacks.checkpoint.every_steps=100" : "";
  }

  updateFilm(each) {
    const all = this.page.steps[each.number].steps, count = Math.min(FRAMES, all.length);
    const steps = [...Array(count).keys()].map(place => all[Math.round(place * (all.length - 1) / Math.max(1, count - 1))]);
    if (each.shown !== `${steps}`) {
      each.shown = `${steps}`;
      each.frames = steps.map(step => each.frames.find(frame => frame.step === step) ?? this.frameOf(each.number, step));
      each.film.replaceChildren(...each.frames.map(frame => frame.button));
    }
    this.drawFilm(each);
    this.load(each);
  }

  frameOf(number, step) {
    const picture = new Picture(`Step ${step}`, number), made = button("", () => this.page.change({ step: `${step}` }));
    made.append(picture.canvas, `${step}`);
    return { step, picture, button: made, query: "", samples: null };
  }

  // One frame after the other, until the state changes again.
  async load(each) {
    const turn = each.turn = (each.turn ?? 0) + 1;
    for (const frame of each.frames) {
      const query = `${this.page.query(each.number, "grid", { step: `${frame.step}` })}`;
      if (frame.query === query) continue;
      try {
        frame.samples = await askSamples(query);
        frame.query = query;
      } catch {
        frame.samples = null; // the grid says why, or its training has removed the checkpoint
      }
      if (each.turn !== turn) return;
      this.drawFilm(each);
    }
  }

  close() {
    super.close();
    for (const film of this.films) film.turn++;
  }

  drawFilm({ frames, number }) {
    const now = this.page.stepOf(number), chosen = this.page.chosen();
    for (const frame of frames) {
      frame.button.setAttribute("aria-current", frame.step === now);
      const last = frame.samples ? (frame.samples.given ?? frame.samples.count) : 0;
      if (last && frame.samples.kind === "points") frame.picture.show(frame.samples, { chosen });
      else if (last) frame.picture.show(part(frame.samples, Math.min(chosen, last - 1) + (frame.samples.given ?? 0), 1));
    }
  }
}

export class Nearest extends Grids {
  constructor(stage, page) {
    super(stage, page);
    this.explain("Choose a sample: beside it stand the training samples that are nearest to it, value by value.");
    this.found = this.perRun((number, block) => {
      const sample = this.picture("The chosen sample", number);
      const others = [...Array(8).keys()].map(place => this.picture(`Nearest training sample ${place + 1}`, number));
      const neighbours = element("div", { className: "neighbours" }, ...others.map(each => each.element));
      block.append(element("div", { className: "nearest" }, sample.element, neighbours));
      const feed = this.feed(sample, samples => {
        const isImages = samples.kind === "images";
        neighbours.hidden = !isImages;
        if (isImages) {
          sample.show(part(samples, 0, 1));
          others.forEach((each, place) => {
            each.element.hidden = place + 1 >= samples.count;
            if (each.element.hidden) return;
            each.show(part(samples, place + 1, 1));
            each.say(samples.distances[place].toFixed(3));
          });
        } else sample.show(samples, { marks: [0] });
        const near = isImages ? "" : `; the nearest are ${samples.distances[0]} to ${samples.distances.at(-1)} away`;
        sample.say(`sample ${this.page.chosen() + 1}, step ${samples.step}${near}`);
      }, others);
      return { number, feed };
    });
    this.explain("Distances are the root of the mean squared difference of values.");
    this.build();
  }

  update() {
    super.update();
    for (const { number, feed } of this.found) feed.ask(this.page.query(number, "nearest"));
  }
}
