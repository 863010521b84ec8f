// The table of groups, and the list of runs it is made of.

const BAR = { width: 164, height: 26, pad: 8 };
const VERDICT_SIGNS = { better: "▲", worse: "▼" };

function showResults(root) {
  if (!groups.length) return root.append(nothing("There is no run to show."));
  const bar = intervalScale();
  const order = { column: report.metric, ascending: !report.higher_is_better };
  root.append(sortableTable("Groups", resultColumns(bar), groups, order));
  root.append(element("p", { class: "muted note" }, resultNote()));
  if (report.mcnemar) root.append(element("p", {}, mcnemarText(report.mcnemar)));
  root.append(runList());
}

function resultColumns(bar) {
  const difference = (key) => (group) => group.difference?.[key] ?? null;
  const number = (title, value, text, note) =>
    ({ title, kind: "number", value, cell: (group) => text(value(group)), note });
  return [
    { title: "group", kind: "name", value: (group) => group.label, cell: groupName },
    ...choiceColumns(),
    { title: report.metric, kind: "number", value: (group) => group.mean, cell: meanText,
      note: "mean ± standard deviation" },
    { title: "95 % interval", kind: "bar", value: (group) => group.ci?.[0] ?? null,
      cell: (group) => intervalBar(group, bar), head: barAxis(bar),
      note: "mean, its 95 % interval, and every run; sorts by the lower end" },
    { title: "difference", kind: "number", value: difference("mean"), cell: differenceCell,
      note: `against ${report.baseline_choice || "the baseline"}` },
    { title: "p", kind: "number", value: difference("p"), cell: pCell,
      note: "corrected for the number of groups tested" },
    { title: "verdict", kind: "verdict", value: difference("verdict"), cell: verdictCell },
    { title: "seeds", kind: "number", value: (group) => group.seeds, cell: seedsCell },
    number("time", (group) => group.seconds, durationText, "training with validation, mean of the runs"),
    number("images/s", (group) => group.images_per_second, (value) => decimals(value, 0), "while training"),
    number("memory", (group) => group.peak_memory_bytes, bytesText, "at its peak"),
    number("parameters", (group) => group.parameters, countText),
  ];
}

/** A single choice is the group's name already. */
function choiceColumns() {
  const column = (key) => ({
    title: key, key: `choice ${key}`, kind: "choice", value: (group) => group.choices[key] ?? null,
    cell: (group) => valueText(group.choices[key]),
  });
  return report.varying.length > 1 ? report.varying.map(column) : [];
}

/** Beside columns for its choices, a group's name is only needed where there is no room for them. */
const groupName = (group) =>
  element("span", { class: report.varying.length > 1 ? "named brief" : "named" }, named(group));

function meanText(group) {
  if (!known(group.mean)) return element("span", { class: "muted" }, "no result yet");
  if (group.uneven) {
    return [element("strong", {}, metricText(group.mean)), element("span", { class: "second" }, "uneven mixture")];
  }
  const spread = known(group.sd) ? ` ± ${PERCENT ? decimals(group.sd, 2) : significant(group.sd, 2)}` : "";
  return [element("strong", {}, metricText(group.mean)), element("span", { class: "muted" }, spread)];
}

function differenceCell({ difference }) {
  if (!difference) return NONE;
  const interval = known(difference.ci) ? rangeText(difference.ci, differenceText) : null;
  const of = known(difference.mean) && caveats(difference).length
    ? difference.means.map(metricText).join(" against ") : null;
  return [
    differenceText(difference.mean),
    interval && element("span", { class: "second" }, interval),
    of && element("span", { class: "second" }, of),
  ];
}

function verdictCell(group) {
  const { difference } = group;
  if (!difference) return baselines.has(group) ? element("span", { class: "muted" }, "baseline") : "";
  const needed = known(difference.seeds_needed) ? `about ${plural(difference.seeds_needed, "seed")} needed` : null;
  const sign = VERDICT_SIGNS[difference.verdict];
  return [
    element("span", { class: `verdict ${sign ? difference.verdict : "open"}` },
      sign ? `${sign} ${difference.verdict}` : difference.verdict),
    caveats(difference).map((caveat) => element("span", { class: "second caveat" }, caveat)),
    needed && element("span", { class: "second" }, needed),
  ];
}

function pCell({ difference }) {
  if (!difference) return NONE;
  const how = difference.paired ? plural(difference.pairs, "pair") : known(difference.mean) ? "unpaired" : null;
  return [pText(difference.p), how && element("span", { class: "second" }, how)];
}

function seedsCell(group) {
  const unfinished = ofGroup(group).filter((run) => run.state !== "done");
  const note = unfinished.length ? element("span", { class: "second" }, `+ ${unfinished.length} open`) : null;
  return [decimals(group.seeds, 0), note];
}

/** One scale for all bars: whatever a mean, an interval or a seed reaches. */
function intervalScale() {
  const values = [...groups.flatMap((group) => [group.mean, ...(group.ci ?? [])]), ...runs.map((run) => run.value)];
  return scale(padded(values.filter(known), 0.02), [BAR.pad, BAR.width - BAR.pad]);
}

function barAxis(bar) {
  const { values, step } = ticks(bar.domain, 4);
  return shape("svg", { width: bar.range[0] + bar.range[1], height: 18, "aria-hidden": "true" }, values.map((value) => [
    shape("line", { class: "axis-line", x1: bar(value), x2: bar(value), y1: 14, y2: 18 }),
    shape("text", { x: bar(value), y: 11, "text-anchor": "middle" }, tickText(value, step)),
  ]));
}

function intervalBar(group, bar) {
  const { width, height } = BAR;
  const middle = 9;
  const values = ofGroup(group).map((run) => run.value).filter(known);
  const base = group.base ?? (baselines.has(group) ? group : null);
  const reference = base && known(base.mean) ? bar(base.mean) : null;
  return shape("svg", { class: "bar-plot", width, height, role: "img", "aria-label": barText(group, values) },
    known(reference) ? shape("line", { class: "reference", x1: reference, x2: reference, y1: 0, y2: height }) : null,
    group.ci ? shape("line", {
      class: "interval", x1: bar(group.ci[0]), x2: bar(group.ci[1]), y1: middle, y2: middle, stroke: group.colour,
    }) : null,
    values.map((value) => shape("circle", { class: "seed", cx: bar(value), cy: height - 5, r: 2.2 })),
    known(group.mean) ? markerAt(group, bar(group.mean), middle, 4.2, { class: "outlined" }) : null);
}

function barText({ mean: average, ci }, values) {
  if (!known(average)) return "no result yet";
  return `mean ${metricText(average)}, interval ${rangeText(ci, metricText)}, runs ${values.map(metricText).join(", ")}`;
}

function resultNote() {
  const unit = PERCENT ? `${report.metric} in percent, differences in percentage points. ` : "";
  const line = baselines.size ? ` The dashed line is the baseline${baseline ? "" : " of the row"}.` : "";
  const pooled = report.pooled?.length ? `, each averaged over ${report.pooled.join(", ")}` : "";
  return `${unit}Mean ± standard deviation over seeds${pooled}; bars are 95 % intervals, dots are runs.${line}`;
}

function mcnemarText({ a, b, only_a: onlyA, only_b: onlyB, p }) {
  const tested = known(p) ? ` (McNemar's test, p ${withSign(p)})` : "";
  const [ofA, ofB] = [onlyA, onlyB].map((count) => decimals(count, 0));
  return `Of the same test images, ${ofA} are right only with ${a} and ${ofB} only with ${b}${tested}.`;
}

const stateCell = ({ state, epoch, reason }) => [
  known(epoch) ? `${state}, epoch ${epoch}` : state,
  reason ? element("span", { class: "second reason" }, reason) : null,
];

function runList() {
  const number = (title, value, text) => ({ title, kind: "number", value, cell: (run) => text(value(run)) });
  const columns = [
    { title: "run", kind: "name", value: (run) => run.name, cell: (run) => element("code", {}, run.name) },
    { title: "group", kind: "choice", value: (run) => groups[run.group].label, cell: (run) => groups[run.group].label },
    number("seed", (run) => run.seed, (seed) => (known(seed) ? String(seed) : NONE)),
    { title: "state", kind: "choice", value: (run) => run.state, cell: stateCell },
    number(report.metric, (run) => run.value, metricText),
    number("time", (run) => run.seconds, durationText),
    number("best epoch", (run) => run.best_epoch, (value) => decimals(value, 0)),
    { title: "folder", kind: "choice", value: (run) => run.path, cell: (run) => element("code", {}, run.path) },
  ];
  const box = element("details", {}, element("summary", {}, `All ${plural(runs.length, "run")}`));
  box.addEventListener("toggle", () => {
    if (box.open && !box.querySelector("table")) {
      box.append(sortableTable("Runs", columns, runs, { column: "group", ascending: true }));
    }
  });
  return box;
}
