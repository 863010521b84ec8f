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
  if (!baseline) return sentence("Best: ", best, ` with ${reached}. There is no baseline to test it against.`);
  if (best === baseline) return sentence("Best: the baseline, ", best, ` with ${reached}. ${verdicts(best)}`);
  return sentence("Best: ", best, ` with ${reached}${againstBaseline(best)}. ${verdicts(best)}`);
}

const sentence = (...parts) => {
  const node = document.createDocumentFragment();
  node.append(...parts.map((part) => (typeof part === "string" ? part : element("strong", {}, part.label))));
  return node;
};

function averagedOver(group) {
  const interval = known(group.ci) ? ` (95 % interval ${rangeText(report.groups[group.index].ci, metricText)})` : "";
  return group.seeds > 1 ? `the mean of ${plural(group.seeds, "seed")}${interval}` : "from a single seed";
}

const ENDINGS = {
  better: "better than the baseline",
  worse: "worse than the baseline",
  "too few seeds to tell": "too few seeds to tell it from the baseline",
  "no difference that can be told": "not a difference that can be told from chance",
};

function againstBaseline({ difference }) {
  if (!difference || !known(difference.mean)) return `; the baseline, ${baseline.label}, cannot be compared yet`;
  const details = [
    known(difference.ci) ? `95 % interval ${rangeText(difference.ci, differenceText)}` : null,
    known(difference.p) ? `p ${withSign(difference.p)}` : null,
  ].filter(known).join(", ");
  const measured = `${differenceText(inUnits(difference.mean))}${POINTS} against the baseline, ${baseline.label}`;
  return `. ${measured}${details && ` (${details})`}: ${ENDINGS[difference.verdict] ?? difference.verdict}`;
}

/** How the groups beside the best and the baseline fared. */
function verdicts(best) {
  const others = groups.filter((group) => group !== best && group !== baseline);
  const count = (...wanted) => others.filter(({ difference }) => difference && wanted.includes(difference.verdict)).length;
  const told = [
    [count("better"), "better than the baseline"],
    [count("worse"), "worse"],
    [count("no difference that can be told", "too few seeds to tell"), "cannot be told from it"],
  ].filter(([number]) => number).map(([number, text]) => `${number} ${text}`);
  return told.length ? `Of the other ${plural(others.length, "group")}: ${told.join(", ")}.` : "";
}

function states() {
  const unfinished = runs.map((run) => run.state).filter((state) => state !== "done");
  const others = [...new Set(unfinished)].map((state) => `${unfinished.filter((other) => other === state).length} ${state}`);
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
