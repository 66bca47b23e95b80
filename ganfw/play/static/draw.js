// Samples on a canvas: images as tiles, one pixel for each of theirs, points as a scatter.

const FRAME = [64, 64, 64];

export function tiles(canvas, samples, { columns = Math.ceil(Math.sqrt(samples.count)), rows: chosen } = {}) {
  const [, channels, height, width] = samples.shape, gap = Math.max(1, Math.round(width / 28));
  const numbers = chosen ?? [...Array(samples.count).keys()], lines = Math.ceil(numbers.length / columns);
  canvas.width = columns * (width + gap) + (columns > 1 ? gap : -gap);
  canvas.height = lines * (height + gap) + (lines > 1 ? gap : -gap);
  canvas.classList.remove("points");
  const image = new ImageData(canvas.width, canvas.height), data = image.data;
  for (let at = 0; at < data.length; at += 4) data.set([...FRAME, 255], at);
  const left = columns > 1 ? gap : 0, top = lines > 1 ? gap : 0, plane = height * width;
  numbers.forEach((number, place) => {
    const from = number * samples.size;
    const x0 = left + (place % columns) * (width + gap), y0 = top + Math.floor(place / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      let at = ((y0 + y) * canvas.width + x0) * 4, value = from + y * width;
      for (let x = 0; x < width; x++, at += 4, value++) {
        data[at] = samples.values[value];
        data[at + 1] = samples.values[channels === 3 ? value + plane : value];
        data[at + 2] = samples.values[channels === 3 ? value + 2 * plane : value];
      }
    }
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return (place, columnsOf = columns) => ({
    left: (left - gap / 2 + (place % columnsOf) * (width + gap)) / canvas.width,
    top: (top - gap / 2 + Math.floor(place / columnsOf) * (height + gap)) / canvas.height,
    width: (width + gap) / canvas.width, height: (height + gap) / canvas.height,
  });
}

export function tileAt(canvas, samples, fractionX, fractionY) {
  const columns = Math.ceil(Math.sqrt(samples.count)), rows = Math.ceil(samples.count / columns);
  const place = Math.floor(fractionY * rows) * columns + Math.floor(fractionX * columns);
  return place >= 0 && place < samples.count ? place : null;
}

const reach = new Map(); // how far the axes of a run go: they grow, and do not move while a slider does

export function scatter(canvas, samples, { run, chosen = null, line = false, marks = [], axes = true }) {
  const side = 720, style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name);
  canvas.width = canvas.height = side;
  canvas.classList.add("points");
  const far = samples.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const limit = Math.max(reach.get(run) ?? 1, Number.isFinite(far) ? Math.ceil(far * 1.05 * 2) / 2 : 1);
  reach.set(run, limit);
  const context = canvas.getContext("2d"), at = value => side / 2 + value / limit * side / 2;
  const place = number => [at(samples.values[2 * number]), side - at(samples.values[2 * number + 1])];
  context.strokeStyle = colour("--grid");
  context.lineWidth = 2;
  for (let tick = -Math.floor(limit); tick <= limit; tick++) {
    context.beginPath();
    context.moveTo(at(tick), 0); context.lineTo(at(tick), side);
    context.moveTo(0, at(tick)); context.lineTo(side, at(tick));
    if (axes) context.stroke();
  }
  if (!axes) return;
  context.fillStyle = colour("--soft");
  context.font = `22px ${colour("--sans")}`;
  context.fillText(`${-limit}`, 8, side / 2 - 8);
  context.textAlign = "right";
  context.fillText(`${limit}`, side - 8, side / 2 - 8);
  context.textAlign = "left";
  context.fillStyle = context.strokeStyle = colour("--c0");
  if (line) {
    context.lineWidth = 4;
    context.beginPath();
    for (let number = 0; number < samples.count; number++) context.lineTo(...place(number));
    context.stroke();
  }
  context.globalAlpha = samples.count > 60 ? 0.6 : 0.9;
  for (let number = 0; number < samples.count; number++) dot(context, place(number), samples.count > 60 ? 5 : 8);
  context.globalAlpha = 1;
  context.fillStyle = context.strokeStyle = colour("--c1");
  for (const mark of marks) dot(context, place(mark), 8);
  if (chosen !== null && chosen < samples.count) {
    context.lineWidth = 4;
    context.beginPath();
    context.arc(...place(chosen), 14, 0, 2 * Math.PI);
    context.stroke();
  }
}

function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

export function pointAt(samples, run, fractionX, fractionY) {
  const limit = reach.get(run), x = (2 * fractionX - 1) * limit, y = (1 - 2 * fractionY) * limit;
  let nearest = null, least = Infinity;
  for (let number = 0; number < samples.count; number++) {
    const far = Math.hypot(samples.values[2 * number] - x, samples.values[2 * number + 1] - y);
    if (far < least) [nearest, least] = [number, far];
  }
  return nearest;
}
