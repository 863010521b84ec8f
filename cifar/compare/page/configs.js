// Which keys of the config differ between the groups.

function showConfigs(root) {
  const keys = [...new Set(groups.flatMap((group) => Object.keys(group.config ?? {})))].sort()
    .filter((key) => groups.some((group) => differs(group, groups[0], key)));
  if (!keys.length) return root.append(nothing("The groups' configs do not differ."));
  const reference = baseline ?? groups[0];
  const heads = groups.map((group) => element("th", { scope: "col" }, element("span", { class: "named" }, named(group))));
  root.append(
    scrollable("Config differences", keys.length, element("table", { class: "configs" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "name" }, "key"), heads)),
      element("tbody", {}, keys.map((key) => configRow(key, reference))))),
    element("p", { class: "muted note" }, `Bold: not as in ${reference.label}.`));
}

function configRow(key, reference) {
  const name = element("th", { scope: "row", class: "name" }, element("code", {}, breakable(key)));
  return element("tr", {}, name, groups.map((group) =>
    element("td", { class: differs(group, reference, key) ? "differs" : null }, valueText(group.config?.[key]))));
}

/** Lines may break after a dot or an underscore. */
const breakable = (key) => key.split(/(?<=[._])/).flatMap((part) => [part, element("wbr")]);

const differs = (group, reference, key) => valueText(group.config?.[key]) !== valueText(reference.config?.[key]);

/** A value as YAML would have it; a dash if there is none. */
function valueText(value) {
  if (!known(value)) return NONE;
  return typeof value === "string" ? value : JSON.stringify(value);
}
