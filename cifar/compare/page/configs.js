// Which keys of the config differ between the groups.

function showConfigs(root) {
  const keys = [...new Set(groups.flatMap((group) => Object.keys(group.config ?? {})))].sort();
  if (!keys.length) return root.append(nothing("The groups' configs do not differ."));
  const reference = baseline ?? groups[0];
  root.append(
    scrollable("Config differences", element("table", { class: "configs" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "name" }, "key"),
        groups.map((group) => element("th", { scope: "col" }, element("span", { class: "named" }, named(group)))))),
      element("tbody", {}, keys.map((key) => element("tr", {}, element("th", { scope: "row", class: "name" }, element("code", {}, key)),
        groups.map((group) => element("td", { class: differs(group, reference, key) ? "differs" : null }, valueText(group.config?.[key])))))))),
    groups.length > 1 ? element("p", { class: "muted note" }, `Bold: not as in ${reference.label}.`) : "");
}

const differs = (group, reference, key) => valueText(group.config?.[key]) !== valueText(reference.config?.[key]);

/** A value as YAML would have it; a dash if there is none. */
function valueText(value) {
  if (value === undefined) return NONE;
  return typeof value === "string" ? value : JSON.stringify(value);
}
