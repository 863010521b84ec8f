// The metric against training time: a small point a run, a large one a group's mean.

function showTime(root) {
  byId("time-title").textContent = `${report.metric} and training time`;
  const timed = runs.filter((run) => known(run.value) && run.seconds > 0);
  if (!timed.length) return root.append(nothing("No run is finished yet."));
  const chart = { logarithmic: false, points: [], svg: shape("svg", { class: "chart", role: "img" }) };
  const plot = figure(chart.svg, (width) => drawTimes(chart, timed, width));
  const logarithmic = checkbox("logarithmic time", false, (checked) => {
    chart.logarithmic = checked;
    plot.redraw();
  });
  root.append(
    element("div", { class: "controls" }, logarithmic),
    element("div", { class: "with-legend" }, plot, legend()),
    element("p", { class: "muted note" },
      "Time is training with validation. Large points are means of a group's finished runs."));
  chart.svg.addEventListener("pointermove", (event) => readOutTime(chart, event));
  chart.svg.addEventListener("pointerdown", (event) => readOutTime(chart, event));
  chart.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideTip());
  shown.listeners.push(plot.redraw);
}

function drawTimes(chart, timed, width) {
  const height = width < 600 ? 280 : 340;
  const visible = timed.filter((run) => shown.groups.has(groups[run.group]));
  const unit = timeUnit(largest(timed.map((run) => run.seconds)));
  const times = timed.map((run) => run.seconds / unit.seconds);
  const pixels = ranges(width, height);
  const domain = chart.logarithmic ? [smallest(times) / 1.15, largest(times) * 1.15] : [0, padded(times)[1]];
  const x = scale(domain, pixels.x, chart.logarithmic);
  const y = scale(padded(timed.map((run) => run.value)), pixels.y);
  const place = (run) => ({ run, group: groups[run.group], x: x(run.seconds / unit.seconds), y: y(run.value) });
  chart.points = visible.map(place);
  const titles = { x: `training time, ${unit.name}`, y: `${report.metric}${PERCENT ? ", %" : ""}` };
  fill(chart.svg, width, height, `${titles.y} over ${titles.x}; the table of all runs has the numbers`,
    axes(x, y, titles),
    chart.points.map((point) => markerAt(point.group, point.x, point.y, 3, { class: "run" })),
    means(visible).map(({ group, seconds, value }) =>
      markerAt(group, x(seconds / unit.seconds), y(value), 6, { class: "outlined mean" })),
    visible.length ? null : message(pixels, "No group is shown."));
}

function means(visible) {
  const members = groups.map((group) => visible.filter((run) => run.group === group.index));
  return groups.map((group) => ({
    group, seconds: mean(members[group.index].map((run) => run.seconds)),
    value: mean(members[group.index].map((run) => run.value)),
  })).filter((_, index) => members[index].length);
}

function readOutTime(chart, event) {
  const pointer = pointerIn(chart.svg, event);
  const distance = (point) => Math.hypot(point.x - pointer.x, point.y - pointer.y);
  const near = chart.points.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  if (!near || distance(near) > 30) return hideTip();
  showTip(event.clientX, event.clientY,
    element("div", { class: "named" }, named(near.group)),
    element("div", {},
      element("strong", {}, `${metricText(near.run.value)}${UNIT}`), ` in ${durationText(near.run.seconds)}`),
    element("div", { class: "muted" }, near.run.name));
}
