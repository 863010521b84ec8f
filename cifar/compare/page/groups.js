// The groups: their look (a colour and, every seven groups, another dash and marker), and which of them are shown.

const COLOURS = 7;
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "13 4", "6 2 2 2 2 2"];
const MARKERS = [
  "M-1,0A1,1 0 1 1 1,0A1,1 0 1 1 -1,0Z", // circle
  "M-.9-.9H.9V.9H-.9Z", // square
  "M0-1.15L1.1.85H-1.1Z", // triangle
  "M0-1.25L1.1,0L0,1.25L-1.1,0Z", // diamond
  "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z", // plus
  "M0,1.15L-1.1-.85H1.1Z", // triangle, upside down
];

const measured = (figures) => ({ ...figures, mean: inUnits(figures.mean), ci: figures.ci?.map(inUnits) ?? null });

const groups = report.groups.map((group, index) => ({
  ...measured(group),
  index,
  label: group.label || "all runs",
  sd: inUnits(group.sd),
  difference: group.difference && { ...measured(group.difference), means: group.difference.means?.map(inUnits) ?? null },
  colour: `var(--series-${index % COLOURS})`,
  dash: DASHES[Math.floor(index / COLOURS) % DASHES.length],
  marker: MARKERS[Math.floor(index / COLOURS) % MARKERS.length],
}));
for (const group of groups) group.base = known(group.baseline) ? groups[group.baseline] : null;
const runs = report.runs.map((run, index) => ({ ...run, index, value: inUnits(run.value) }));
/** The group that all others are held against, if there is only one; all such groups. */
const baseline = known(report.baseline) ? groups[report.baseline] : null;
const baselines = new Set([baseline, ...groups.map((group) => group.base)].filter(known));
/** Whether the groups are mixtures that are not all alike: their means do not rank them. */
const uneven = groups.some((group) => group.uneven || (report.pooled.length && group.difference?.left_out));
const better = (a, b) => (report.higher_is_better ? b.mean - a.mean : a.mean - b.mean);
/** The groups that have a result, best first. */
const ranking = groups.filter((group) => known(group.mean)).sort(better);
/** What a difference is of, if that is not all of both groups, and what else the two differ in. */
function caveats({ used, baseline_used: baselineUsed, left_out: leftOut, own, differing }) {
  const compared = used + baselineUsed;
  return [
    compared && leftOut ? `in ${compared} of ${compared + leftOut} runs` : null,
    own.length ? `each over its own ${own.join(", ")}` : null,
    compared && differing.length ? `which also differ in ${differing.join(", ")}` : null,
  ].filter(known);
}

const ofGroup = (group) => group.runs.map((index) => runs[index]);

function markerAt(group, x, y, size, attributes = {}) {
  const transform = `translate(${x} ${y}) scale(${size})`;
  return shape("path", { d: group.marker, transform, fill: group.colour, ...attributes });
}

function swatch(group) {
  return shape("svg", { class: "swatch", width: 30, height: 12, "aria-hidden": "true" },
    shape("path", { d: "M1,6H29", stroke: group.colour, "stroke-width": 2, "stroke-dasharray": group.dash }),
    markerAt(group, 15, 6, 3.6));
}

const named = (group) => [swatch(group), element("span", {}, group.label)];

/** Which groups the charts show: one choice for all of them. */
const shown = {
  groups: new Set(groups),
  listeners: [],
  change(chosen) {
    this.groups = new Set(chosen);
    this.listeners.forEach((listener) => listener());
  },
  toggle(group) {
    this.change(groups.filter((other) => this.groups.has(other) !== (other === group)));
  },
};

/** Click shows or hides a group, double-click or "only" shows it alone. */
function legend() {
  const items = groups.map((group) => {
    const toggle = button(named(group), () => shown.toggle(group), {
      class: "toggle",
      title: "Click to show or hide; double-click to show only this",
      ondblclick: () => shown.change([group]),
    });
    const only = button("only", () => shown.change([group]), { class: "only", "aria-label": `only ${group.label}` });
    return { group, toggle, node: element("li", {}, toggle, only) };
  });
  const mark = () => items.forEach(({ group, toggle }) => toggle.setAttribute("aria-pressed", shown.groups.has(group)));
  shown.listeners.push(mark);
  mark();
  return element("div", { class: "legend" },
    element("div", { class: "controls" },
      button("All", () => shown.change(groups)), button("None", () => shown.change([]))),
    element("ul", {}, items.map((item) => item.node)));
}
