// The accuracy of every class: the chosen groups' differences to one group, or the accuracies themselves.

const DOTS = { width: 260, height: 20, pad: 10 };

function showClasses(root) {
  const measured = groups.filter((group) => group.per_class?.length);
  if (!measured.length) return root.append(nothing("No run is finished yet."));
  const reference = measured.length > 1 && measured.includes(baseline) ? baseline : null;
  const best = ranking.filter((group) => measured.includes(group) && group !== reference);
  const view = {
    reference, chosen: new Set(best.length ? best.slice(0, 3) : measured.slice(0, 3)),
    order: { column: "class", ascending: true },
  };
  const table = element("div");
  const chooser = element("fieldset", { class: "chooser" });
  const controls = element("div", { class: "controls" });
  const update = () => {
    const options = measured.map((group) => [String(group.index), group.label]);
    controls.replaceChildren(select("Show", [["", "accuracies"], ...options.map(([value, label]) => [value, `differences to ${label}`])],
      view.reference ? String(view.reference.index) : "", (index) => {
        view.reference = index === "" ? null : groups[index];
        update();
      }));
    chooser.replaceChildren(element("legend", { class: "unseen" }, "Groups"), ...measured
      .filter((group) => group !== view.reference).map((group) => groupBox(group, view, update)));
    table.replaceChildren(classTable(view, measured));
  };
  root.append(controls, chooser, table);
  if (report.class_differences_note) root.append(element("p", { class: "muted note" }, report.class_differences_note));
  update();
}

function groupBox(group, view, update) {
  return checkbox(element("span", { class: "named" }, named(group)), view.chosen.has(group), (checked) => {
    if (checked) view.chosen.add(group);
    else view.chosen.delete(group);
    update();
  });
}

function classTable(view, measured) {
  const { reference } = view;
  const size = (reference ?? measured[0]).per_class.length;
  const drawn = measured.filter((group) =>
    view.chosen.has(group) && group !== reference && group.per_class.length === size);
  const names = classNames(reference ?? measured[0]);
  const rows = names.map((name, index) => ({ name, index, accuracy: hundredfold(reference?.per_class[index]) }));
  const value = (group) => ({ index, accuracy }) => {
    const own = hundredfold(group.per_class[index]);
    return reference && known(own) && known(accuracy) ? own - accuracy : reference ? null : own;
  };
  const text = reference ? (number) => (known(number) ? signed(decimals(number, 2)) : NONE) : (number) => decimals(number, 2);
  const values = rows.flatMap((row) => drawn.map((group) => value(group)(row))).filter(known);
  const dots = scale(padded(reference ? [0, ...values] : values), [DOTS.pad, DOTS.width - DOTS.pad]);
  const columns = [
    { title: "class", kind: "name", value: ({ name }) => name, cell: ({ name }) => name },
    ...(reference ? [{ title: reference.label, kind: "number", value: (row) => row.accuracy, cell: (row) => decimals(row.accuracy, 2) }] : []),
    { title: reference ? "points" : "accuracy, %", kind: "bar", head: barAxis(dots), note: "sorts by the mean of the groups shown",
      value: (row) => average(drawn.map((group) => value(group)(row))), cell: (row) => dotPlot(row, drawn, value, dots, reference) },
    ...drawn.map((group) => ({ title: group.label, kind: "number", value: value(group), cell: (row) => text(value(group)(row)) })),
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
