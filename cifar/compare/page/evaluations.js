// What `cifar evaluate` measured of the groups: a set at a time, a row for each figure and group.

function showEvaluations(root) {
  const figures = report.evaluations ?? [];
  if (!figures.length) {
    return root.append(nothing("There are none yet. `cifar evaluate RUNS` measures calibration, robustness and more."));
  }
  const sets = [...new Set(figures.map(({ metric }) => metric.split("/")[0]))];
  const order = { column: "figure", ascending: true };
  const table = element("div");
  const show = (set) => table.replaceChildren(evaluationTable(figures.filter(({ metric }) => metric.startsWith(`${set}/`)), order));
  root.append(element("div", { class: "controls" }, select("On", sets.map((set) => [set, set]), sets[0], show)), table);
  show(sets[0]);
}

function evaluationTable(figures, order) {
  const rows = figures.flatMap((figure) => figure.groups
    .map((found, index) => ({ figure, group: groups[index], ...found })).filter(({ mean }) => known(mean)));
  const columns = [
    { title: "figure", kind: "name", value: ({ figure }) => figure.metric, cell: figureName },
    { title: "group", kind: "choice", value: ({ group }) => group.label, cell: ({ group }) => group.label },
    { title: "mean", kind: "number", value: ({ mean }) => mean, cell: evaluationMean, note: "mean ± standard deviation" },
    { title: "95 % interval", kind: "number", value: ({ ci }) => ci?.[0] ?? null,
      cell: (row) => rangeText(row.ci, (value) => evaluationText(row.figure, value)) },
    { title: "difference", kind: "number", value: ({ difference }) => difference?.mean ?? null, cell: evaluationGap,
      note: `against ${report.baseline_choice || "the baseline"}` },
    { title: "p", kind: "number", value: ({ difference }) => difference?.p ?? null,
      cell: ({ difference }) => pText(difference?.p), note: "corrected for the number of groups tested" },
    { title: "verdict", kind: "verdict", value: ({ difference }) => difference?.verdict ?? null,
      cell: ({ difference }) => difference?.verdict ?? NONE },
    { title: "seeds", kind: "number", value: ({ seeds }) => seeds, cell: ({ seeds }) => decimals(seeds, 0) },
  ];
  return sortableTable("Evaluations", columns, rows, order);
}

const figureName = ({ figure }) =>
  breakable(figure.metric.slice(figure.metric.indexOf("/") + 1)).concat(figure.unit === "fraction" ? [", %"] : []);

const evaluationText = (figure, value) =>
  figure.unit === "fraction" ? decimals(hundredfold(value), 2) : decimals(value, 4);

const evaluationMean = ({ figure, mean, sd }) => [
  element("strong", {}, evaluationText(figure, mean)),
  element("span", { class: "muted" }, known(sd) ? ` ± ${evaluationText(figure, sd)}` : ""),
];

const evaluationGap = ({ figure, difference }) =>
  known(difference?.mean) ? signed(evaluationText(figure, difference.mean)) : NONE;
