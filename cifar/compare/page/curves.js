// Learning curves: a line a group (the mean of its seeds, in a band from the lowest to the highest), or a line a run.

const METRICS = ["val/acc", "train/acc", "val/loss", "train/loss", "lr", "images_per_second"];
const isShare = (metric) => report.columns[metric] === "fraction";
const TIP_LINES = 16;
const SPOKEN_LINES = 5;

function showCurves(root) {
  const metrics = METRICS.filter((name) => runs.some((run) => run.metrics?.[name]?.some(known)));
  if (!metrics.length) return root.append(nothing("No epoch is recorded yet."));
  const chart = { metric: metrics[0], axis: "epoch", single: false, view: null, lines: [] };
  chart.svg = shape("svg", { class: "chart zoomable", tabindex: 0, role: "img" });
  const plot = figure(chart.svg, (width) => drawCurves(chart, width));
  chart.update = (changes) => {
    Object.assign(chart, changes);
    hideTip();
    plot.redraw();
  };
  const changeLines = (changes) => chart.update({ ...changes, view: null });
  const shownMetrics = metrics.map((name) => [name, name.replaceAll("_", " ")]);
  root.append(
    element("div", { class: "controls" },
      select("Show", shownMetrics, chart.metric, (metric) => changeLines({ metric })),
      select("over", [["epoch", "epochs"], ["seconds", "training time"]], chart.axis, (axis) => changeLines({ axis })),
      checkbox("single runs", chart.single, (single) => chart.update({ single })),
      zoomButtons(chart)),
    element("div", { class: "with-legend" }, plot, legend()),
    element("p", { class: "muted note screen-only" },
      "Drag a box to zoom, pinch, or turn the wheel after a click (with Ctrl at any time). Arrow keys move the readout."));
  listenToReadout(chart);
  listenToZoom(chart);
  shown.listeners.push(() => chart.update({}));
}

/** [{group, name, size, points: [{x, y, low, high, count}]}], in the units that are shown. */
function curveLines(chart) {
  const visible = groups.filter((group) => shown.groups.has(group));
  const unit = chart.axis === "seconds" ? timeUnit(largest(runs.map(trainedSeconds))) : { name: "epoch", seconds: 1 };
  chart.unit = unit.name;
  const line = (group, name, some) => ({ group, name, size: some.length, ...meanCurve(some, chart) });
  const lines = visible.flatMap((group) =>
    chart.single
      ? ofGroup(group).map((run) => line(group, `${group.label}, seed ${run.seed ?? NONE}`, [run]))
      : [line(group, group.label, ofGroup(group))]);
  lines.forEach(({ points }) => points.forEach((point) => (point.x /= unit.seconds)));
  return lines.filter(({ recorded }) => recorded.length);
}

const trainedSeconds = (run) => (run.metrics?.seconds ?? []).reduce((sum, seconds) => sum + (seconds ?? 0), 0);

/** The mean of `some` runs, epoch by epoch, over those that have come that far. */
function meanCurve(some, { metric, axis }) {
  const epochs = new Map();
  for (const { metrics } of some) {
    (metrics?.epoch ?? []).forEach((epoch, row) => {
      if (!epochs.has(epoch)) epochs.set(epoch, { values: [], durations: [] });
      const entry = epochs.get(epoch);
      const value = metrics[metric]?.[row];
      if (known(value)) entry.values.push(isShare(metric) ? 100 * value : value);
      if (known(metrics.seconds?.[row])) entry.durations.push(metrics.seconds[row]);
    });
  }
  let elapsed = 0;
  const points = [...epochs].sort(([a], [b]) => a - b).map(([epoch, { values, durations }]) => {
    elapsed += durations.length ? mean(durations) : 0;
    return { x: axis === "epoch" ? epoch : elapsed, y: values.length ? mean(values) : null,
      low: smallest(values), high: largest(values), count: values.length };
  });
  return { points, recorded: points.filter((point) => known(point.y)) };
}

function drawCurves(chart, width) {
  const height = width < 600 ? 300 : 400;
  chart.lines = curveLines(chart);
  chart.full = fullRange(chart);
  const view = chart.view ?? chart.full;
  const pixels = ranges(width, height);
  chart.x = scale(view.x, pixels.x);
  chart.y = scale(view.y, pixels.y);
  chart.recorded = recordedX(chart);
  chart.marks = shape("g", { class: "marks" });
  const name = chart.metric.replaceAll("_", " ");
  const titles = {
    x: chart.axis === "epoch" ? "epoch" : `training time, ${chart.unit}`,
    y: isShare(chart.metric) ? `${name}, %` : name,
  };
  const label = `${titles.y} over ${titles.x}, ${plural(chart.lines.length, "line")}`;
  fill(chart.svg, width, height, label,
    clipTo("curves-clip", pixels), axes(chart.x, chart.y, titles, chart.axis === "epoch"),
    shape("g", { "clip-path": "url(#curves-clip)" }, curveShapes(chart)), chart.marks,
    chart.lines.length ? null : message(pixels, "No group is shown."));
}

function fullRange({ lines, axis }) {
  const points = lines.flatMap((line) => line.recorded);
  const xs = points.map((point) => point.x);
  return {
    x: axis === "seconds" ? [0, padded(xs)[1]] : padded(xs, 0.02),
    y: padded(points.flatMap((point) => [point.low, point.high])),
  };
}

const clipTo = (id, { x, y }) =>
  shape("clipPath", { id }, shape("rect", { x: x[0], y: y[1], width: x[1] - x[0], height: y[0] - y[1] }));

/** Bands below all lines, so that no line is hidden by a band. */
function curveShapes({ lines, x, y, single }) {
  const at = (point, key = "y") => `${x(point.x).toFixed(1)},${y(point[key]).toFixed(1)}`;
  const bands = lines.flatMap((line) =>
    unbroken(line.points).filter((part) => part.some((point) => point.count > 1)).map((part) =>
      shape("path", {
        class: "band", fill: line.group.colour,
        d: `M${part.map((p) => at(p, "high")).join("L")}L${part.toReversed().map((p) => at(p, "low")).join("L")}Z`,
      })));
  const strokes = lines.map((line) => {
    const parts = unbroken(line.points);
    return shape("g", { class: "line", "data-name": line.name, "data-group": line.group.index },
      shape("path", {
        d: parts.map((part) => `M${part.map((point) => at(point)).join("L")}`).join(""), stroke: line.group.colour,
        "stroke-dasharray": line.group.dash, "stroke-width": single ? 1.3 : 1.9,
      }),
      parts.filter((part) => part.length === 1).map(([point]) => markerAt(line.group, x(point.x), y(point.y), 4)));
  });
  return [...bands, ...strokes];
}

/** The stretches of points that have a value. */
function unbroken(points) {
  const parts = [[]];
  for (const point of points) {
    if (known(point.y)) parts.at(-1).push(point);
    else if (parts.at(-1).length) parts.push([]);
  }
  return parts.filter((part) => part.length);
}

/** Every line's point at `x`; a line that does not reach there has none. */
function pointsAt({ lines, axis }, x) {
  return lines.flatMap((line) => {
    const points = line.recorded;
    const point = points.reduce((a, b) => (Math.abs(b.x - x) < Math.abs(a.x - x) ? b : a));
    const step = (points.at(-1).x - points[0].x) / (points.length - 1) || points[0].x;
    const reaches = axis === "epoch" ? point.x === x : x >= points[0].x - step / 2 && x <= points.at(-1).x + step / 2;
    return reaches ? [{ line, point }] : [];
  });
}

function recordedX({ lines, x }) {
  const values = new Set(lines.flatMap((line) => line.recorded.map((point) => point.x)));
  return [...values].filter((value) => value >= x.domain[0] && value <= x.domain[1]).sort((a, b) => a - b);
}

function listenToReadout(chart) {
  let current = -1;
  const show = (index, pointer) => {
    if (!chart.recorded.length) return;
    current = Math.max(0, Math.min(chart.recorded.length - 1, index));
    readOut(chart, chart.recorded[current], pointer);
  };
  const hide = () => {
    hideTip();
    chart.marks.replaceChildren();
  };
  const follow = (event) => {
    if (chart.busy || !chart.recorded.length) return hide();
    const pointer = pointerIn(chart.svg, event);
    const x = chart.x.invert(pointer.x);
    const distances = chart.recorded.map((value) => Math.abs(value - x));
    show(distances.indexOf(smallest(distances)), pointer);
  };
  chart.svg.addEventListener("pointermove", follow);
  chart.svg.addEventListener("pointerdown", follow); // a tap does not move
  chart.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  chart.svg.addEventListener("blur", hide);
  chart.svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(current + step, null);
  });
}

/** Tooltip and dots at `x`; without a pointer (by keyboard) it is spoken, too. */
function readOut(chart, x, pointer) {
  const found = pointsAt(chart, x).sort((a, b) => b.point.y - a.point.y);
  const distance = (entry) => Math.abs(chart.y(entry.point.y) - pointer.y);
  const nearest = pointer && found.toSorted((a, b) => distance(a) - distance(b)).slice(0, TIP_LINES);
  const head = chart.axis === "epoch" ? `epoch ${x}` : `${significant(x, 3)} ${chart.unit}`;
  const listed = pointer ? found.filter((entry) => nearest.includes(entry)) : found.slice(0, TIP_LINES);
  chart.marks.replaceChildren(
    shape("line", { class: "cursor", x1: chart.x(x), x2: chart.x(x), y1: chart.y.range[1], y2: chart.y.range[0] }),
    ...listed.filter(({ point }) => point.y >= chart.y.domain[0] && point.y <= chart.y.domain[1])
      .map(({ line, point }) => markerAt(line.group, chart.x(point.x), chart.y(point.y), 3.4, { class: "outlined" })));
  const rest = found.length - listed.length;
  const box = chart.svg.getBoundingClientRect();
  showTip(box.left + chart.x(x), box.top + (pointer?.y ?? box.height / 2),
    element("strong", {}, head),
    element("table", {}, listed.map((entry) => tipRow(chart, entry, entry === nearest?.[0]))),
    rest ? element("div", { class: "muted" }, `and ${rest} more`) : null);
  const spoken = ({ line, point }) => `${line.name} ${curveText(chart, point.y)}`;
  if (!pointer) announce(`${head}: ${listed.slice(0, SPOKEN_LINES).map(spoken).join("; ")}`);
}

function tipRow(chart, { line, point }, closest) {
  const range = point.count > 1 ? `${curveText(chart, point.low)} to ${curveText(chart, point.high)}` : "";
  const partly = point.count < line.size ? `${point.count} of ${line.size} runs` : "";
  return element("tr", { class: closest ? "closest" : null },
    element("td", {}, swatch(line.group)), element("td", {}, line.name),
    element("td", { class: "number" }, curveText(chart, point.y)),
    element("td", { class: "muted" }, [range, partly].filter(Boolean).join(", ")));
}

function curveText({ metric }, value) {
  if (isShare(metric)) return decimals(value, 2);
  if (metric === "images_per_second") return decimals(value, 0);
  return metric === "lr" ? significant(value, 3) : decimals(value, 4);
}
