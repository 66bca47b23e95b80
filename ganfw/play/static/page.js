// The page: its controls, the view that is open, and what it hears of runs that are still training.

import { ask } from "./server.js";
import { changesOf, changesText, linkOf, readState, writeState } from "./state.js";
import { Checkpoints, Nearest, Samples } from "./grids.js";
import { Coordinates, Path, Plane } from "./walks.js";

const $ = id => document.getElementById(id);
const VIEWS = { samples: Samples, path: Path, plane: Plane, coordinates: Coordinates, checkpoints: Checkpoints, nearest: Nearest };
const UNTRUNCATED = 3, EVERY_MS = 2000, WALKS = ["path", "plane", "coordinates"], GRIDS = ["samples", "checkpoints", "nearest"];

class Page {
  constructor({ runs }, steps) {
    Object.assign(this, { runs, steps, state: readState(), view: null, opened: "" });
    this.labels = runs.map(run => runs.some(other => other !== run && other.label === run.label) ? run.path : run.label);
    this.walks = runs.every(run => run.z_dim !== null);
    this.isImages = runs.some(run => run.kind === "images");
    this.drawnSteps = steps.map(each => each.newest);
    $("title").textContent = this.labels.join("  ·  ");
    document.title = `${this.labels.join(", ")} – ganfw play`;
    this.fillChoices();
    this.listen();
    this.update();
    setInterval(() => document.hidden || this.hear(), EVERY_MS);
  }

  // What is asked for

  seed() { return this.state.seed || `${Math.min(this.runs[0].seed, Number.MAX_SAFE_INTEGER)}`; }
  count() { return this.state.count || (this.isImages ? "25" : "250"); }
  chosen() { return Math.min(Number(this.state.number), this.count() - 1); }
  anchor(number = this.chosen()) { return `${this.seed()}-${Math.min(number, this.count() - 1)}-${this.count()}`; }
  ends() { return [this.state.from || `${this.seed()}-0-2`, this.state.to || `${this.seed()}-1-2`]; }

  // A sample that is chosen from a grid of all classes in turn takes its class along.
  classOf() {
    const { classes } = this.runs[0];
    return classes && !this.state.class ? { class: `${this.chosen() % classes}` } : {};
  }

  query(number, view, { step = this.state.step } = {}) {
    const run = this.runs[number], query = new URLSearchParams({ view, run: number });
    if (step) query.set("step", step);
    if (run.truncation && this.state.truncation) query.set("truncation", this.state.truncation);
    const isGrid = view === "grid" || view === "nearest", label = this.state.class || (isGrid ? "" : "0");
    if (run.classes && label) query.set("class", Math.min(label, run.classes - 1));
    const given = {
      grid: () => ({ count: this.count(), seed: this.seed() }),
      nearest: () => ({ count: this.count(), seed: this.seed(), number: this.chosen() }),
      path: () => ({ from: this.ends()[0], to: this.ends()[1] }),
      map: () => ({ seed: this.seed() }),
      plane: () => ({ seed: this.seed(), x: this.state.x, y: this.state.y }),
      coordinates: () => ({ of: this.anchor(), changes: this.changesOf(run) }),
    }[view]();
    for (const [name, value] of Object.entries(given)) query.set(name, value);
    const sampler = run.samplers.find(each => each.name === this.state.sampler);
    if (isGrid && sampler) {
      query.set("sampler", sampler.name);
      if (sampler.inputs) for (const name of ["truncation", "class"]) query.delete(name);
    }
    return query;
  }

  changesOf(run) {
    return changesText([...changesOf(this.state)].filter(([index]) => Number(index) < run.z_dim));
  }

  // What is shown

  change(patch) {
    Object.assign(this.state, patch);
    this.update();
  }

  update() {
    writeState(this.state);
    if (this.opened !== this.state.view) this.open();
    this.updateControls();
    this.view?.update();
  }

  open() {
    this.view?.close();
    this.view = null;
    this.opened = this.state.view;
    for (const tab of $("tabs").children) {
      const isOpen = tab.id === `tab-${this.opened}`;
      tab.setAttribute("aria-selected", isOpen);
      tab.tabIndex = isOpen ? 0 : -1;
      if (isOpen) {
        $("stage").setAttribute("aria-labelledby", tab.id);
        tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    }
    $("stage").replaceChildren();
    const cannot = this.blocker();
    if (cannot) $("stage").append(Object.assign(document.createElement("p"), { className: "message", textContent: cannot }));
    else this.view = new VIEWS[this.opened]($("stage"), this);
  }

  blocker() {
    if (this.runs.every(run => run.kind === "other"))
      return "The samples of this run are neither images nor points in the plane, which is all that this page draws. "
        + "ganfw sample RUN -o samples.npy writes them as numbers.";
    if (WALKS.includes(this.opened) && !this.walks)
      return "This run has no generator with noise to walk through: its samples are made from inputs.";
    if (this.opened === "nearest" && this.runs.some(run => run.inputs))
      return "The samples of this run are made from inputs; only those that are made from noise have neighbours here.";
    return "";
  }

  drawn(number, step) {
    this.drawnSteps[number] = step;
    this.updateLead();
  }

  stepOf(number) {
    const { steps, newest } = this.steps[number];
    if (!this.state.step) return newest;
    return steps.filter(step => step <= Number(this.state.step)).at(-1) ?? steps[0];
  }

  updateLead() {
    const text = this.runs.map((run, number) => {
      const newest = this.drawnSteps[number] === this.steps[number].newest ? ", the newest checkpoint" : "";
      return `${run.recipe}, step ${this.drawnSteps[number]?.toLocaleString("en")}${newest}`;
    }).join("  ·  ");
    if ($("lead").textContent !== text) $("lead").textContent = text;
  }

  // Controls

  fillChoices() {
    const counts = this.isImages ? [4, 9, 16, 25, 36, 49, 64, 100] : [25, 100, 250, 500, 1000];
    if (!counts.includes(Number(this.count()))) counts.push(Number(this.count()));
    $("count").replaceChildren(...counts.map(count => new Option(count, count)));
    const classes = Math.max(...this.runs.map(run => run.classes ?? 0));
    $("class").replaceChildren(new Option("each in turn", ""), ...[...Array(Math.min(classes, 1000)).keys()].map(each => new Option(each, each)));
    const samplers = new Map(this.runs.flatMap(run => run.samplers.map(each => [each.name, each])));
    $("sampler").replaceChildren(new Option("as trained", ""), ...[...samplers.values()].map(each => new Option(each.label, each.name)));
    this.samplers = samplers;
    this.classes = classes;
  }

  allSteps() { return [...new Set(this.steps.flatMap(each => each.steps))].sort((one, other) => one - other); }

  nextStep() {
    const steps = this.allSteps(), at = steps.indexOf(Number(this.state.step));
    this.change({ step: `${steps[(at + 1) % steps.length]}` });
  }

  updateControls() {
    const { state } = this, steps = this.allSteps(), isGrid = GRIDS.includes(this.opened);
    const newest = Math.max(...this.steps.map(each => each.newest ?? 0));
    const at = steps.findLastIndex(step => step <= (state.step ? Number(state.step) : newest));
    $("step").max = Math.max(0, steps.length - 1);
    $("step").value = Math.max(0, at);
    $("step").disabled = steps.length < 2;
    $("step-shown").textContent = steps.length ? `step ${steps[Math.max(0, at)].toLocaleString("en")}` : "none";
    $("step").setAttribute("aria-valuetext", $("step-shown").textContent);
    $("follow").checked = !state.step;
    $("truncation-control").hidden = !this.runs.some(run => run.truncation);
    $("truncation").value = state.truncation === "" ? UNTRUNCATED : state.truncation;
    $("truncation-shown").textContent = state.truncation === "" ? "none" : Number(state.truncation).toFixed(2);
    $("truncation").setAttribute("aria-valuetext", $("truncation-shown").textContent);
    if (document.activeElement !== $("seed")) $("seed").value = this.seed();
    $("count").value = this.count();
    $("count-control").hidden = !isGrid;
    $("class-control").hidden = !this.classes;
    $("class").options[0].hidden = !isGrid;
    $("class").value = state.class || (isGrid ? "" : "0");
    $("sampler-control").hidden = !this.samplers.size || !isGrid;
    $("sampler").value = this.samplers.has(state.sampler) ? state.sampler : "";
    $("sampler-hint").textContent = this.samplers.get(state.sampler)?.help ?? "";
    this.updateLead();
  }

  listen() {
    $("step").addEventListener("input", () => this.change({ step: `${this.allSteps()[$("step").value]}` }));
    $("follow").addEventListener("change", () =>
      this.change({ step: $("follow").checked ? "" : `${this.allSteps()[$("step").value] ?? ""}` }));
    $("truncation").addEventListener("input", () => {
      const value = Number($("truncation").value);
      this.change({ truncation: value >= UNTRUNCATED ? "" : `${value}` });
    });
    $("seed").addEventListener("input", () => /^\d{1,15}$/.test($("seed").value) && this.newSeed($("seed").value));
    $("next-seed").addEventListener("click", () => this.newSeed(`${Number(this.seed()) + 1}`));
    for (const name of ["count", "class", "sampler"]) $(name).addEventListener("change", () => this.change({ [name]: $(name).value }));
    $("controls").addEventListener("submit", event => event.preventDefault());
    const tabs = [...$("tabs").children];
    tabs.forEach((tab, place) => {
      tab.addEventListener("click", () => this.change({ view: tab.id.replace("tab-", "") }));
      tab.addEventListener("keydown", event => {
        const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: -1 }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        const other = tabs.at(next % tabs.length);
        other.click();
        other.focus();
      });
    });
    addEventListener("hashchange", () => {
      this.state = readState();
      this.opened = "";
      this.update();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.view?.redraw());
    this.listenToButtons();
  }

  newSeed(seed) { this.change({ seed, ...(this.opened === "path" ? { from: "", to: "" } : {}) }); }

  listenToButtons() {
    const hint = $("link-hint");
    const copy = async (text, done, failed) => {
      try {
        await navigator.clipboard.writeText(text);
        done();
      } catch {
        failed();
      }
    };
    $("copy-link").addEventListener("click", () => {
      history.replaceState(null, "", linkOf(this.state));
      copy(location.href, () => { hint.textContent = "Copied. It works for as long as this server runs."; },
        () => { hint.textContent = "Copy it from the address bar."; });
    });
    $("code-run").replaceChildren(...this.labels.map((label, number) => new Option(label, number)));
    $("code-run-control").hidden = this.runs.length < 2;
    $("code-run").addEventListener("change", () => this.showCode());
    $("show-code").addEventListener("click", async () => {
      await this.showCode();
      $("code").showModal();
    });
    $("close-code").addEventListener("click", () => $("code").close());
    for (const each of document.querySelectorAll("[data-copy]")) {
      const text = each.textContent, say = word => {
        each.textContent = word;
        setTimeout(() => { each.textContent = text; }, 1500);
      };
      each.addEventListener("click", () => copy($(each.dataset.copy).textContent, () => say("Copied"), () => say("Select it")));
    }
  }

  async showCode() {
    const number = Number($("code-run").value || 0), view = { samples: "grid", checkpoints: "grid" }[this.opened] ?? this.opened;
    let code;
    try {
      code = await ask(`api/code?${this.query(number, view, { step: `${this.stepOf(number)}` })}`);
    } catch (error) {
      code = { python: "", command: null, why: error.message };
    }
    $("command").textContent = code.command ?? "";
    $("command").hidden = $("command").previousElementSibling.lastElementChild.hidden = !code.command;
    $("why").textContent = code.why;
    $("python").textContent = code.python;
  }

  // Runs that train

  async hear() {
    try {
      const steps = await ask("api/steps");
      $("problem").hidden = true;
      if (JSON.stringify(steps) === JSON.stringify(this.steps)) return;
      this.steps = steps;
      if (!this.state.step) this.view?.feeds.forEach(feed => feed.forget());
      this.update();
    } catch (error) {
      complain(error);
    }
  }
}

function complain(error) {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
}

try {
  const [runs, steps] = [await ask("api/runs"), await ask("api/steps")];
  new Page(runs, steps);
} catch (error) {
  complain(error);
}
