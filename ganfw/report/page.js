"use strict";
// The page is whole without this script. With it, a slider moves through the grids, and tables can be sorted.

document.documentElement.classList.add("js");

function newestUpTo(items, step) {
  let chosen = items[0];
  for (const item of items) if (item.step <= step) chosen = item;
  return chosen;
}

function scrubThrough(scrubber) {
  const steps = scrubber.dataset.steps.split(",").map(Number);
  const [slider, output, button] = ["input", "output", "button"].map((name) => scrubber.querySelector(name));
  const lapses = [...document.querySelectorAll("[data-lapse]")].map((lapse) => ({
    stage: lapse.querySelector("[data-stage]"),
    caption: lapse.querySelector("[data-caption]"),
    strip: lapse.querySelector(".strip"),
    items: [...lapse.querySelectorAll("li[data-step]")].map((li) => ({
      li, step: Number(li.dataset.step), image: li.querySelector("img"), words: li.querySelector("figcaption").textContent,
    })),
  }));

  function show() {
    const step = steps[slider.value];
    output.textContent = `step ${step.toLocaleString("en")}`;
    slider.setAttribute("aria-valuetext", output.textContent);
    for (const { stage, caption, strip, items } of lapses) {
      const now = newestUpTo(items, step);
      stage.src = now.image.src;
      stage.alt = now.image.alt;
      stage.width = now.image.getAttribute("width");
      stage.height = now.image.getAttribute("height");
      caption.textContent = now.words;
      for (const { li } of items) li.classList.toggle("now", li === now.li);
      strip.scrollLeft = now.li.offsetLeft - strip.offsetLeft - (strip.clientWidth - now.li.clientWidth) / 2;
    }
  }

  let timer = 0;
  function pause() {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
    button.setAttribute("aria-label", "Play");
  }
  function play() {
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Pause";
    button.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      slider.stepUp();
      show();
      if (slider.value === slider.max) pause();
    }, 200);
  }

  button.addEventListener("click", () => (timer ? pause() : play()));
  slider.addEventListener("input", () => { pause(); show(); });
  for (const { items } of lapses) {
    for (const { li, step } of items) {
      li.addEventListener("click", () => {
        pause();
        slider.value = steps.findLastIndex((each) => each <= step);
        show();
      });
    }
  }
  for (const image of document.querySelectorAll("[data-real]")) {
    image.src = image.closest("[data-lapse]").querySelector(".real img").src;
  }
  for (const figure of document.querySelectorAll(".stage")) figure.hidden = false;
  scrubber.hidden = steps.length < 2;
  show();
}

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => ({ row, key: row.cells[column].dataset.key }));
  const numeric = keyed.every(({ key }) => key === "" || Number.isFinite(Number(key)));
  keyed.sort((a, b) => {
    if (a.key === "" || b.key === "") return (a.key === "") - (b.key === ""); // no value: always last
    const order = numeric ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true });
    return descending ? -order : order;
  });
  body.append(...keyed.map(({ row }) => row));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
    });
  });
}

for (const scrubber of document.querySelectorAll(".scrubber")) scrubThrough(scrubber);
for (const table of document.querySelectorAll("[data-sortable]")) makeSortable(table);

const opened = [];
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) opened.push(details);
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened.splice(0)) details.open = false;
});
