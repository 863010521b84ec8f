// The accuracy of every class: the chosen groups' differences to one group, or the accuracies themselves.

const DOTS = { width: 260, height: 20, pad: 10 };

function showClasses(root) {
  const tested = groups.filter((group) => group.per_class?.length);
  if (!tested.length) return root.append(nothing("No run is finished yet."));
  const base = baseline ?? ranking[0]?.base;
  const reference = tested.length > 1 && tested.includes(base) ? base : null;
  const best = ranking.filter((group) => tested.includes(group) && group !== reference);
  const view = {
    reference, chosen: new Set(best.length ? best.slice(0, 3) : tested.slice(0, 3)),
    order: { column: "class", ascending: true },
  };
  const table = element("div");
  const chooser = element("fieldset", { class: "chooser" });
  const controls = element("div", { class: "controls" });
  const update = () => {
    const options = tested.map((group) => [String(group.index), `differences to ${group.label}`]);
    const chosen = view.reference ? String(view.reference.index) : "";
    controls.replaceChildren(select("Show", [["", "accuracies"], ...options], chosen, (index) => {
      view.reference = index === "" ? null : groups[index];
      update();
    }));
    chooser.replaceChildren(element("legend", { class: "unseen" }, "Groups"), ...tested
      .filter((group) => group !== view.reference).map((group) => groupBox(group, view, update)));
    table.replaceChildren(classTable(view, tested));
  };
  root.append(controls, chooser, table);
  update();
}

function groupBox(group, view, update) {
  return checkbox(element("span", { class: "named" }, named(group)), view.chosen.has(group), (checked) => {
    if (checked) view.chosen.add(group);
    else view.chosen.delete(group);
    update();
  });
}

function classTable(view, tested) {
  const { reference } = view;
  const names = classNames(reference ?? tested[0]);
  const drawn = tested.filter((group) =>
    view.chosen.has(group) && group !== reference && group.per_class.length === names.length);
  const rows = names.map((name, index) => ({ name, index }));
  const value = (group) => ({ index }) => {
    const [own, base] = [group, reference].map((other) => hundredfold(other?.per_class[index]));
    if (!reference) return own;
    return known(own) && known(base) ? own - base : null;
  };
  const text = (number) => (reference && known(number) ? signed(decimals(number, 2)) : decimals(number, 2));
  const values = rows.flatMap((row) => drawn.map((group) => value(group)(row))).filter(known);
  const dots = scale(padded(reference ? [0, ...values] : values), [DOTS.pad, DOTS.width - DOTS.pad]);
  const accuracy = (row) => hundredfold(reference.per_class[row.index]);
  const number = (group, of, cell) => ({ title: group.label, key: `group ${group.index}`, kind: "number", value: of, cell });
  const columns = [
    { title: "class", kind: "name", value: ({ name }) => name, cell: ({ name }) => name },
    ...(reference ? [number(reference, accuracy, (row) => decimals(accuracy(row), 2))] : []),
    { title: reference ? "points" : "accuracy, %", key: "dots", kind: "bar", head: barAxis(dots),
      value: (row) => average(drawn.map((group) => value(group)(row))),
      cell: (row) => dotPlot(row, drawn, value, dots, reference), note: "sorts by the mean of the groups shown" },
    ...drawn.map((group) => number(group, value(group), (row) => text(value(group)(row)))),
  ];
  return sortableTable("Accuracy of every class", columns, rows, view.order);
}

function average(values) {
  const present = values.filter(known);
  return present.length ? mean(present) : null;
}

function dotPlot(row, drawn, value, dots, reference) {
  const middle = DOTS.height / 2;
  return shape("svg", { class: "bar-plot", width: DOTS.width, height: DOTS.height, "aria-hidden": "true" },
    shape("line", { class: "guide", x1: dots.range[0], x2: dots.range[1], y1: middle, y2: middle }),
    reference ? shape("line", { class: "reference", x1: dots(0), x2: dots(0), y1: 0, y2: DOTS.height }) : null,
    drawn.filter((group) => known(value(group)(row))).map((group) =>
      markerAt(group, dots(value(group)(row)), middle, 4, { class: "outlined" })));
}
