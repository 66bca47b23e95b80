// What is shown, as a value that stands in the address behind the #: a link reproduces the view.

const DEFAULTS = {
  view: "samples", step: "", seed: "", count: "", truncation: "", class: "", sampler: "", number: "0",
  from: "", to: "", at: "0", x: "0.5", y: "0.5", changes: "", page: "0",
};
const SHAPES = {
  view: /^(samples|path|plane|coordinates|checkpoints|nearest)$/,
  step: /^\d{0,15}$/, seed: /^\d{0,16}$/, count: /^\d{0,4}$/, truncation: /^(\d(\.\d{1,4})?)?$/, class: /^\d{0,9}$/,
  sampler: /^[\w.:-]*$/, number: /^\d{1,4}$/, from: /^(\d+-\d+-\d+)?$/, to: /^(\d+-\d+-\d+)?$/, at: /^\d{1,2}$/,
  x: /^-?\d(\.\d{1,4})?$/, y: /^-?\d(\.\d{1,4})?$/, changes: /^[\d:,.-]*$/, page: /^\d{1,5}$/,
};

export function readState() {
  const given = new URLSearchParams(location.hash.slice(1)), state = { ...DEFAULTS };
  for (const [key, value] of given) if (SHAPES[key]?.test(value)) state[key] = value;
  return state;
}

let writing = 0;
export function writeState(state) {
  clearTimeout(writing); // browsers refuse an address that changes too often
  writing = setTimeout(() => history.replaceState(null, "", linkOf(state)), 150);
}

export function linkOf(state) {
  const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return `${location.pathname}#${new URLSearchParams(changed)}`;
}

export const changesOf = state => new Map(state.changes.split(",").filter(Boolean).map(word => word.split(":")));
export const changesText = changes => [...changes].map(pair => pair.join(":")).join(",");
