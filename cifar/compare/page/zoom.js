// Zooming into the learning curves: a box dragged with the mouse, two fingers, the wheel, or buttons.

function zoomButtons(chart) {
  const by = (factor) => () => zoom(chart, factor, centre(chart.x), centre(chart.y));
  return element("span", { class: "group" },
    button("+", by(1 / 1.5), { "aria-label": "Zoom in" }), button("−", by(1.5), { "aria-label": "Zoom out" }),
    button("Reset", () => chart.update({ view: null }), { class: "reset" }));
}

const centre = ({ domain }) => (domain[0] + domain[1]) / 2;

/** Scale what is in view by `factor` around the point (x, y). */
function zoom(chart, factor, x, y) {
  const around = ([low, high], middle) => [middle - (middle - low) * factor, middle + (high - middle) * factor];
  look(chart, { x: around(chart.x.domain, x), y: around(chart.y.domain, y) });
}

/** Show `view`, or as much of it as there is. */
function look(chart, view) {
  const clamped = { x: within(view.x, chart.full.x), y: within(view.y, chart.full.y) };
  const all = ["x", "y"].every((axis) => clamped[axis].every((end, i) => end === chart.full[axis][i]));
  chart.update({ view: all ? null : clamped });
}

function within([low, high], full) {
  const least = (full[1] - full[0]) * 1e-4;
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  return [Math.max(low, full[0]), Math.min(high, full[1])];
}

function listenToZoom(chart) {
  const { svg } = chart;
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== svg) return; // the page scrolls
    event.preventDefault();
    const { x, y } = pointerIn(svg, event);
    zoom(chart, Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004), chart.x.invert(x), chart.y.invert(y));
  }, { passive: false });
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) dragBox(chart, event);
  });
  svg.addEventListener("touchstart", (event) => event.touches.length === 2 && pinch(chart, event), { passive: false });
}

function dragBox(chart, start) {
  const from = insidePlot(chart, pointerIn(chart.svg, start));
  const box = shape("rect", { class: "zoom-box" });
  let area = null;
  const moved = (event) => {
    area = boxBetween(chart, from, insidePlot(chart, pointerIn(chart.svg, event)));
    chart.busy = Boolean(area);
    if (!area) return;
    const [left, right] = area.x, [top, bottom] = area.y;
    filled(box, { x: left, y: top, width: right - left, height: bottom - top }, []);
    chart.svg.append(box);
  };
  const ended = () => {
    removeEventListener("pointermove", moved);
    removeEventListener("pointerup", ended);
    removeEventListener("pointercancel", ended);
    box.remove();
    chart.busy = false;
    if (!area) return;
    look(chart, { x: area.x.map(chart.x.invert), y: area.y.toReversed().map(chart.y.invert) });
    chart.svg.focus({ preventScroll: true });
  };
  addEventListener("pointermove", moved);
  addEventListener("pointerup", ended);
  addEventListener("pointercancel", ended);
}

/** A box of hardly any height (width) is meant to zoom along x (y) only; one of neither is a click: null. */
function boxBetween(chart, a, b) {
  const wide = Math.abs(a.x - b.x) > 8;
  const high = Math.abs(a.y - b.y) > 8;
  if (!wide && !high) return null;
  const ends = (one, other) => [Math.min(one, other), Math.max(one, other)];
  return { x: wide ? ends(a.x, b.x) : chart.x.range, y: high ? ends(a.y, b.y) : chart.y.range.toReversed() };
}

function insidePlot({ x, y }, point) {
  return {
    x: Math.max(x.range[0], Math.min(point.x, x.range[1])),
    y: Math.max(y.range[1], Math.min(point.y, y.range[0])),
  };
}

/** Two fingers: what is under them stays under them. */
function pinch(chart, start) {
  start.preventDefault();
  chart.busy = true;
  const before = fingers(chart, start);
  const [x, y] = [chart.x, chart.y];
  const moved = (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const now = fingers(chart, event);
    const factor = before.distance / Math.max(20, now.distance);
    const moving = (axis, key) => axis.range.map((pixel) => axis.invert(before[key] + (pixel - now[key]) * factor));
    look(chart, { x: moving(x, "x"), y: moving(y, "y") });
  };
  const ended = () => {
    chart.busy = false;
    chart.svg.removeEventListener("touchmove", moved);
    chart.svg.removeEventListener("touchend", ended);
    chart.svg.removeEventListener("touchcancel", ended);
  };
  chart.svg.addEventListener("touchmove", moved, { passive: false });
  chart.svg.addEventListener("touchend", ended);
  chart.svg.addEventListener("touchcancel", ended);
}

function fingers(chart, event) {
  const [a, b] = [...event.touches].map((touch) => pointerIn(chart.svg, touch));
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, distance: Math.hypot(a.x - b.x, a.y - b.y) };
}
