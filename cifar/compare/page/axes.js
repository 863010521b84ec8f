// Scales and axes of the charts.

const MARGIN = { top: 8, right: 12, bottom: 40, left: 54 };

/** From `domain` to pixels; `.invert` goes back. */
function scale(domain, range, logarithmic = false) {
  const [into, back] = logarithmic ? [Math.log, Math.exp] : [Number, Number];
  const start = into(domain[0]);
  const slope = (range[1] - range[0]) / (into(domain[1]) - start || 1);
  const map = (value) => range[0] + (into(value) - start) * slope;
  map.invert = (pixel) => back(start + (pixel - range[0]) / slope);
  return Object.assign(map, { domain, range, logarithmic });
}

/** The range of `values` with a little room around; of equal values, some room. */
function padded(values, share = 0.04) {
  if (!values.length) return [0, 1];
  const [low, high] = [smallest(values), largest(values)];
  const room = high > low ? (high - low) * share : Math.abs(high) * 0.05 || 0.5;
  return [low - room, high + room];
}

/** Round values of about `count` steps between the ends of `domain`, and the step. */
function ticks([low, high], count, smallestStep = 0) {
  const rough = (high - low) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(smallestStep, power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  const values = [];
  for (let i = first; i * step <= high + step * 1e-9; i++) values.push(i * step);
  return { values, step };
}

/** 1, 2 and 5 of every power of ten; where they are too few, evenly spaced ones. */
function logTicks([low, high], count) {
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    values.push(...[1, 2, 5].map((factor) => factor * 10 ** power).filter((value) => value >= low && value <= high));
  }
  return values.length < 3 ? ticks([low, high], count).values : values;
}

function tickText(value, step) {
  if (Math.abs(value) < step * 1e-6) return "0";
  if (step < 1e-3) return value.toExponential(1).replace("e", " e").replace("-", "−");
  return decimals(value, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))).replace("-", "−");
}

/** Grid, ticks and titles: <g class="axis-x"> and <g class="axis-y">. `whole`: x counts something. */
function axes(x, y, titles, whole = false) {
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  const alongX = Math.max(2, Math.floor((right - left) / (right - left < 500 ? 55 : 90)));
  const ofX = x.logarithmic
    ? logTicks(x.domain, alongX).map((value) => [value, String(Number(value.toPrecision(2)))])
    : labelled(ticks(x.domain, alongX, whole ? 1 : 0));
  const ofY = labelled(ticks(y.domain, Math.max(2, Math.floor((bottom - top) / 50))));
  return [
    shape("g", { class: "axis-x" },
      ofX.map(([value, text]) => [
        shape("line", { x1: x(value), x2: x(value), y1: top, y2: bottom }),
        shape("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, text),
      ]),
      shape("text", { class: "axis-title", x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, titles.x)),
    shape("g", { class: "axis-y" },
      ofY.map(([value, text]) => [
        shape("line", { x1: left, x2: right, y1: y(value), y2: y(value) }),
        shape("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, text),
      ]),
      shape("text", {
        class: "axis-title", "text-anchor": "middle", transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`,
      }, titles.y)),
  ];
}

const labelled = ({ values, step }) => values.map((value) => [value, tickText(value, step)]);

/** The pixel ranges of a chart's two axes. */
function ranges(width, height) {
  return {
    x: [MARGIN.left, Math.max(MARGIN.left + 40, width - MARGIN.right)],
    y: [height - MARGIN.bottom, MARGIN.top],
  };
}

/** Give `svg` its size and its content. */
function fill(svg, width, height, label, ...content) {
  filled(svg, { width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": label }, []);
  svg.replaceChildren(...content.flat(Infinity).filter(known));
}

const message = ({ x, y }, text) =>
  shape("text", { class: "message", x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2, "text-anchor": "middle" }, text);

/** Where a pointer is, in the pixels of `svg`. */
function pointerIn(svg, event) {
  const box = svg.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}
