// What the comparison found, in words; what was left out of it.

function showSummary() {
  document.title = report.title ? `${report.title} – comparison` : "Comparison";
  byId("title").textContent = report.title || "Comparison";
  byId("summary").append(finding());
  byId("facts").textContent = [
    plural(groups.length, "group"), `${plural(runs.length, "run")}${states()}`, `made ${report.created}`,
  ].join(" · ");
  if (report.warnings.length) byId("warnings").append(warnings());
  if (report.left_out.length) byId("warnings").append(leftOut());
}

function finding() {
  if (!ranking.length) return "No run has a result yet.";
  const best = ranking[0];
  const reached = `${metricText(best.mean)}${UNIT} ${report.metric}, ${averagedOver(best)}`;
  if (groups.length === 1) return sentence(best, ` reaches ${reached}.`);
  const first = uneven ? "Best mean" : "Best";
  if (!baselines.size) return sentence(`${first}: `, best, ` with ${reached}. There is no baseline to test it against.`);
  const role = baselines.has(best) ? `${baseline ? "the" : "a"} baseline, ` : "";
  return sentence(`${first}: ${role}`, best, ` with ${reached}${role ? "" : againstBaseline(best)}. ${verdicts(best)}`);
}

const sentence = (...parts) => {
  const node = document.createDocumentFragment();
  node.append(...parts.map((part) => (typeof part === "string" ? part : element("strong", {}, part.label))));
  return node;
};

function averagedOver(group) {
  const interval = known(group.ci) ? ` (95 % interval ${rangeText(group.ci, metricText)})` : "";
  if (group.uneven) return "over an uneven mixture of runs";
  return group.seeds > 1 ? `the mean of ${plural(group.seeds, "seed")}${interval}` : "from a single seed";
}

const ENDINGS = {
  better: "better than that",
  worse: "worse than that",
  "too few seeds to tell": "too few seeds to tell them apart",
  "no difference that can be told": "not a difference that can be told from chance",
};

function againstBaseline({ base, difference }) {
  const other = `${baseline ? "the" : "its"} baseline`;
  if (!base) return "; it has no baseline to test it against";
  if (!difference) return `; ${other}, ${base.label}, has no result yet`;
  if (!known(difference.mean)) return `; ${other}, ${base.label}, has no runs that are alike in all else`;
  const limits = caveats(difference);
  const details = [
    limits.length ? [`${difference.means.map(metricText).join(" against ")}${UNIT}`, ...limits].join(" ") : null,
    known(difference.ci) ? `95 % interval ${rangeText(difference.ci, differenceText)}` : null,
    known(difference.p) ? `p ${withSign(difference.p)}` : null,
  ].filter(known).join(", ");
  const change = `${differenceText(difference.mean)}${POINTS} against ${other}, ${base.label}`;
  return `. ${change}${details && ` (${details})`}: ${ENDINGS[difference.verdict] ?? difference.verdict}`;
}

/** How the groups beside the best and the baselines fared. */
function verdicts(best) {
  const others = groups.filter((group) => group !== best && !baselines.has(group));
  const count = (...wanted) => others.filter(({ difference }) => wanted.includes(difference?.verdict)).length;
  const told = [
    [count("better"), "better"],
    [count("worse"), "worse"],
    [count("no difference that can be told", "too few seeds to tell", "nothing alike to compare"), "not told apart"],
    [count(undefined), "not compared"],
  ].filter(([number]) => number).map(([number, text]) => `${number} ${text}`);
  const than = baseline ? "the baseline" : "their baselines";
  return told.length ? `The other ${plural(others.length, "group")} against ${than}: ${told.join(", ")}.` : "";
}

function states() {
  const unfinished = runs.map((run) => run.state).filter((state) => state !== "done");
  const count = (state) => unfinished.filter((other) => other === state).length;
  const others = [...new Set(unfinished)].map((state) => `${count(state)} ${state}`);
  return others.length ? ` (${others.join(", ")})` : "";
}

const warnings = () =>
  element("div", { class: "warning", role: "note" },
    element("strong", {}, report.warnings.length === 1 ? "Warning" : `${report.warnings.length} warnings`),
    element("ul", {}, report.warnings.map((text) => element("li", {}, text))));

const leftOut = () =>
  element("details", { class: "left-out" },
    element("summary", {}, `${plural(report.left_out.length, "folder")} left out`),
    element("ul", {}, report.left_out.map(({ path, reason }) =>
      element("li", {}, element("code", {}, path), `: ${reason}`))));
