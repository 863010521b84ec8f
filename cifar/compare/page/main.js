// Fill the page.

function showTheme() {
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const name = () => (byId("theme").textContent = isDark() ? "Light" : "Dark");
  try {
    root.dataset.theme = localStorage.getItem("cifar-theme") ?? "";
  } catch {} // a browser that keeps nothing for local files
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("cifar-theme", root.dataset.theme);
    } catch {}
    name();
  });
  prefersDark.addEventListener("change", name);
  name();
}

function showMethods(root) {
  root.append(
    element("p", {}, report.methods),
    element("p", { class: "muted" },
      `Made ${report.created} by `, element("code", {}, "cifar compare RUNS --html report.html"),
      ". This file holds its data and needs no network; the same command makes it anew when there are more runs."));
}

showTheme();
showSummary();
showResults(byId("results"));
showCurves(byId("curves"));
showTime(byId("time"));
showConfusion(byId("confusion"));
showClasses(byId("classes"));
showEvaluations(byId("evaluations"));
showConfigs(byId("configs"));
showMethods(byId("methods"));
addEventListener("scroll", hideTip, { passive: true });
