// What all views have: a part of the page, pictures, and feeds that fill them.

import { Feed } from "./server.js";
import { Picture, button, element } from "./figure.js";

export class View {
  constructor(stage, page) {
    this.page = page;
    this.stage = stage;
    this.feeds = [];
    this.pictures = [];
    this.timer = 0;
  }

  get state() { return this.page.state; }

  feed(picture, show, others = []) {
    const made = new Feed(
      samples => { this.page.drawn(picture.run, samples.step); show(samples); },
      text => { picture.fail(text); for (const other of others) other.element.hidden = true; },
      waits => picture.element.classList.toggle("waiting", waits),
    );
    this.feeds.push(made);
    return made;
  }

  picture(label, run = 0) {
    const made = new Picture(this.page.runs.length > 1 ? `${label}, ${this.page.labels[run]}` : label, run);
    this.pictures.push(made);
    return made;
  }

  // A block for each run, with its name where there are two.
  perRun(build) {
    const blocks = element("div", { className: "runs" });
    this.stage.append(blocks);
    return this.page.runs.map((run, number) => {
      const block = element("div", { className: "run" });
      if (this.page.runs.length > 1) block.append(element("h3", { textContent: this.page.labels[number] }));
      blocks.append(block);
      return build(number, block);
    });
  }

  explain(...text) { this.stage.append(element("p", { className: "explain" }, ...text)); }

  tools(...children) { this.stage.append(element("div", { className: "tools" }, ...children)); }

  redraw() { for (const each of this.pictures) each.redraw(); }

  // A button that moves something on until it is pressed again.
  player(advance, milliseconds) {
    const play = button("Play", () => {
      if (this.timer) this.stop();
      else {
        play.textContent = "Pause";
        this.timer = setInterval(advance, milliseconds);
      }
    });
    this.stop = () => {
      clearInterval(this.timer);
      this.timer = 0;
      play.textContent = "Play";
    };
    return play;
  }

  close() {
    clearInterval(this.timer);
    for (const each of this.feeds) each.close();
  }
}
