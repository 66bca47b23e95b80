const find = (id) => document.getElementById(id);
const facts = JSON.parse(find("facts").textContent);
const [channels, height, width] = facts.shape;
const COUNT = 25, UNCUT = 60, WIDEST = facts.threshold ?? 3;

// Bytes of the page

function decode(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

async function unpack(id) {
  const stream = new Blob([decode(find(id).textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  find(id).remove();
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Noise

/** The error function: a series of which all terms are positive (Abramowitz and Stegun, 7.1.6). */
function erf(x) {
  let term = x, sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) sum += term *= (2 * x * x) / (2 * k + 1);
  return Math.abs(x) > 6 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Its inverse: an approximation (Winitzki, 2008), made exact by Newton's method. */
function inverseErf(y) {
  const log = Math.log1p(-y * y), a = 2 / (Math.PI * 0.147) + log / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(a * a - log / 0.147) - a);
  for (let k = 0; k < 4 && x; k++) x -= (erf(x) - y) / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x));
  return x;
}

/** Moves numbers from N(0, 1) within ±before to the same quantiles of N(0, 1) within ±limit. */
function truncated(z, before, limit) {
  const inside = limit === 0 ? 0 : erf(limit / Math.SQRT2) / erf(before / Math.SQRT2);
  return z.map((x) => Math.max(-limit, Math.min(limit, Math.SQRT2 * inverseErf(erf(x / Math.SQRT2) * inside))));
}

/** Uniform numbers in [0, 1) that follow from a seed: mulberry32. */
function uniforms(seed) {
  let state = seed;
  return () => {
    let t = (state = (state + 0x6d2b79f5) | 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The noise of a set of samples: set 0 is that of `ganfw sample`, the others are drawn here. */
function noiseOf(set) {
  if (set === 0) return new Float32Array(decode(facts.noise).buffer);
  const uniform = uniforms(set), z = new Float32Array(COUNT * facts.zDim);
  if (facts.distribution === "uniform") return z.map(() => 2 * uniform() - 1);
  // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958
  const normal = z.map(() => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
  return facts.threshold === null ? normal : truncated(normal, Infinity, facts.threshold);
}

const row = (z, index) => z.subarray(index * facts.zDim, (index + 1) * facts.zDim);
const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);
const mix = (a, b, p, q) => a.map((x, k) => p * x + q * b[k]);

/** As in `ganfw interpolate`: where no arc is defined, the straight line. */
function arc(a, b, t) {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / lengths)));
  if (!lengths || Math.sin(angle) < 1e-4) return mix(a, b, 1 - t, t);
  return mix(a, b, Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle));
}

// Pictures

async function generate(session, z, labels) {
  const rows = z.length / facts.zDim;
  const inputs = { z: new ort.Tensor("float32", z, [rows, facts.zDim]) };
  if (facts.classes !== null) inputs.labels = new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [rows]);
  return (await session.run(inputs)).samples.data;
}

function paint(canvas, samples, index) {
  const picture = new ImageData(width, height), size = width * height;
  for (let place = 0; place < size; place++) {
    for (let colour = 0; colour < 3; colour++) {
      const channel = channels === 1 ? 0 : colour;
      picture.data[4 * place + colour] = Math.round(255 * samples[(index * channels + channel) * size + place]);
    }
    picture.data[4 * place + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The page

const state = { set: 0, base: noiseOf(0), from: 0, to: 1 };
const grid = document.querySelector(".grid");

for (let index = 0; index < COUNT; index++) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(document.createElement("canvas"));
  button.addEventListener("click", () => {
    if (index === state.to) return;
    [state.from, state.to] = [state.to, index];
    show();
  });
  grid.append(button);
}
for (const canvas of document.querySelectorAll("canvas")) [canvas.width, canvas.height] = [width, height];

const classOf = (index) => (find("class")?.value ? Number(find("class").value) : index % facts.classes);

function describe() {
  for (const [index, button] of [...grid.children].entries()) {
    const end = index === state.from ? "from" : index === state.to ? "to" : "";
    if (end) button.dataset.end = end;
    else delete button.dataset.end;
    const ofClass = facts.classes === null ? "" : `, class ${classOf(index)}`;
    button.setAttribute("aria-label", `Sample ${index + 1}${ofClass}${end && `, ${end} here`}`);
  }
  if (find("which")) {
    find("which").textContent = state.set
      ? `Set ${state.set}, drawn in this page.`
      : `The first ones are those that ${facts.command} draws.`;
    find("first").disabled = state.set === 0;
  }
  find("share").textContent = `${find("way").value} %`;
  find("from").nextElementSibling.lastElementChild.textContent = `sample ${state.from + 1}`;
  const kept = facts.classes === null ? "" : `, as class ${classOf(state.from)}`;
  find("to").nextElementSibling.lastElementChild.textContent = `sample ${state.to + 1}${kept}`;
}

function noise() {
  const slider = find("truncation");
  if (!slider) return state.base;
  const limit = (Number(slider.value) / UNCUT) * WIDEST, off = Number(slider.value) === UNCUT;
  const none = facts.threshold === null ? "none" : `${facts.threshold}, as in training`;
  find("threshold").textContent = off ? none : `t = ${limit.toFixed(2)}`;
  slider.setAttribute("aria-valuetext", find("threshold").textContent);
  return off ? state.base : truncated(state.base, facts.threshold ?? Infinity, limit);
}

async function draw(session) {
  describe();
  const z = noise(), a = row(z, state.from), b = row(z, state.to), t = Number(find("way").value) / 100;
  const walk = [a, mix(a, b, 1 - t, t), arc(a, b, t), b];
  const all = new Float32Array(z.length + walk.length * facts.zDim);
  all.set(z);
  walk.forEach((each, place) => all.set(each, z.length + place * facts.zDim));
  const labels = [...Array(COUNT).keys()].map(classOf).concat(walk.map(() => classOf(state.from)));
  const samples = await generate(session, all, labels);
  [...grid.querySelectorAll("canvas")].forEach((canvas, index) => paint(canvas, samples, index));
  ["from", "linear", "spherical", "to"].forEach((id, place) => paint(find(id), samples, COUNT + place));
}

let wanted = false, drawing = null, session = null;

/** Draws what is asked for; while it is being drawn, only the newest wish counts. */
async function show() {
  wanted = true;
  drawing ??= (async () => {
    grid.setAttribute("aria-busy", true);
    while (wanted) {
      wanted = false;
      await draw(session);
    }
    drawing = null;
    grid.setAttribute("aria-busy", false);
  })();
  await drawing;
}

let playing = false;

function play() {
  playing = !playing;
  find("play").textContent = playing ? "Pause" : "Play";
  let begun = null;
  const first = (Math.acos(1 - Number(find("way").value) / 50) / Math.PI) * 4000;
  const move = async (now) => {
    if (!playing) return;
    begun ??= now - first;
    find("way").value = Math.round(50 * (1 - Math.cos(((now - begun) / 4000) * Math.PI)));
    await show();
    requestAnimationFrame(move);
  };
  if (playing) requestAnimationFrame(move);
}

function change(set) {
  Object.assign(state, { set, base: noiseOf(set) });
  show();
}

try {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpack("wasm");
  session = await ort.InferenceSession.create(await unpack("model"), { executionProviders: ["wasm"] });
  await show();
  for (const id of ["truncation", "class", "way"]) find(id)?.addEventListener("input", show);
  find("new")?.addEventListener("click", () => change(state.set + 1));
  find("first")?.addEventListener("click", () => change(0));
  find("play").addEventListener("click", play);
  document.querySelector(".bench").hidden = false;
  find("status").hidden = true;
} catch (error) {
  find("status").className = "failed";
  find("status").textContent = `The generator does not run in this browser: ${error.message ?? error}`;
}
