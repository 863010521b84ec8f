// Confusion matrices: one group's, or the difference of two. Cells are shares of the true class (a row).

const LABEL_SPACE = 12; // pixels between the names of two classes
const LISTED = 12;
const ROWS = "Rows are true classes, columns predicted ones";
const SHARES_NOTE =
  `${ROWS}; numbers are percent of the true class, over all runs. Errors (orange) have a scale of their own.`;
const DIFFERENCE_NOTE =
  `${ROWS}; numbers are differences in points. Blue: more often than in the second group, orange: less often.`;

function showConfusion(root) {
  const tested = groups.filter((group) => group.confusion?.length);
  if (!tested.length) return root.append(nothing("No run is finished yet."));
  const first = ranking.find((group) => group.confusion?.length) ?? tested[0];
  const svg = shape("svg", { class: "matrix", tabindex: 0, role: "img" });
  const view = { svg, group: first, other: null, cells: [] };
  const plot = figure(svg, (width) => drawMatrix(view, width));
  const note = element("p", { class: "muted note" });
  const list = element("div", { class: "beside" });
  const controls = element("div", { class: "controls" });
  const update = (changes) => {
    Object.assign(view, changes);
    if (view.other && !comparable(view).includes(view.other)) view.other = null;
    const option = (group) => [String(group.index), group.label];
    controls.replaceChildren(
      select("Group", tested.map(option), String(view.group.index), (index) => update({ group: groups[index] })),
      select("minus", [["", "nothing"], ...comparable(view).map(option)], view.other ? String(view.other.index) : "",
        (index) => update({ other: index === "" ? null : groups[index] })));
    view.cells = matrixCells(view);
    note.textContent = view.other ? DIFFERENCE_NOTE : SHARES_NOTE;
    list.replaceChildren(confusionList(view));
    plot.redraw();
  };
  const matrix = element("div", { class: "matrix-box" }, plot);
  root.append(controls, element("div", { class: "with-list" }, matrix, list), note);
  listenToCells(view);
  update({});

  function comparable({ group }) {
    return tested.filter((other) => other !== group && other.confusion.length === group.confusion.length);
  }
}

/** Row by row: {row, column, count, share, other: {count, share}, value: what is drawn, in percent or in points}. */
function matrixCells({ group, other }) {
  const shares = (matrix) => matrix.map((counts) => {
    const total = counts.reduce((a, b) => a + b, 0);
    return counts.map((count) => ({ count, total, share: total ? (100 * count) / total : 0 }));
  });
  const against = other && shares(other.confusion);
  return shares(group.confusion).map((cells, row) => cells.map((cell, column) => {
    const compared = against && against[row][column];
    return { row, column, ...cell, other: compared, value: cell.share - (compared ? compared.share : 0) };
  }));
}

const classNames = (group) =>
  group.class_names ?? (group.confusion ?? group.per_class).map((_, index) => String(index));

function drawMatrix(view, width) {
  const { cells } = view;
  const names = classNames(view.group);
  const room = Math.min(110, 14 + 6 * largest(names.map((name) => name.length)));
  const size = (Math.min(width, 700) - room - 4) / cells.length;
  const side = size * cells.length;
  view.place = { left: room, top: room, size };
  view.marks = shape("g");
  const every = Math.ceil(LABEL_SPACE / size);
  const label = `Confusions of ${view.group.label}${view.other ? ` minus ${view.other.label}` : ""}`;
  const total = room + side + 2;
  const strongest = strengths(cells.flat(), view.other);
  fill(view.svg, total, total, `${label}: rows are the true classes; arrow keys move from cell to cell`,
    shape("g", { class: "cells", transform: `translate(${room} ${room})` },
      cells.flat().map((cell) => matrixCell(cell, size, strongest(cell), view.other))),
    shape("rect", { class: "outline", x: room, y: room, width: side, height: side }),
    names.map((name, index) => (index % every ? null : classLabels(name, room, (index + 0.5) * size))),
    view.marks);
}

/** How strongly a cell is filled, 0 to 1: right and wrong answers each by a scale of their own, as errors are rarer. */
function strengths(cells, isDifference) {
  const top = (some) => largest(some.map((cell) => Math.abs(cell.value))) || 1;
  if (isDifference) {
    const most = top(cells);
    return (cell) => Math.abs(cell.value) / most;
  }
  const mostWrong = top(cells.filter((cell) => cell.row !== cell.column));
  return (cell) => (cell.row === cell.column ? cell.value / 100 : cell.value / mostWrong);
}

function matrixCell(cell, size, strength, isDifference) {
  const cold = isDifference ? cell.value > 0 : cell.row === cell.column;
  const [x, y] = [cell.column * size, cell.row * size];
  const rectangle = shape("rect", {
    x, y, width: size, height: size, class: cold ? "cold" : "warm", "fill-opacity": strength.toFixed(3),
  });
  if (size < 26 || Math.abs(cell.value) < 0.05) return [rectangle];
  const text = isDifference ? signed(decimals(cell.value, 1)) : decimals(cell.value, 1);
  const place = { x: x + size / 2, y: y + size / 2 + 4, "text-anchor": "middle" };
  return [rectangle, shape("text", { ...place, class: strength > 0.75 ? "on-strong" : null }, text)];
}

const classLabels = (name, room, middle) => [
  shape("text", { x: room - 5, y: room + middle + 4, "text-anchor": "end" }, name),
  shape("text", { transform: `translate(${room + middle + 4} ${room - 5}) rotate(-90)` }, name),
];

function cellText(view, { row, column, count, total, share, other, value }) {
  const names = classNames(view.group);
  const counted = (n, of, percent) => `${decimals(n, 0)} of ${decimals(of, 0)} (${decimals(percent, 2)} %)`;
  const head = `true ${names[row]}, predicted ${names[column]}`;
  if (!other) return [head, counted(count, total, share)];
  return [
    head, `${view.group.label}: ${counted(count, total, share)}`,
    `${view.other.label}: ${counted(other.count, other.total, other.share)}`,
    `difference: ${signed(decimals(value, 2))} points`,
  ];
}

function listenToCells(view) {
  let current = null;
  const show = (row, column) => {
    const last = view.cells.length - 1;
    current = [Math.max(0, Math.min(last, row)), Math.max(0, Math.min(last, column))];
    return pointOut(view, view.cells[current[0]][current[1]]);
  };
  const hide = () => {
    hideTip();
    view.marks?.replaceChildren();
  };
  const follow = (event) => {
    const { x, y } = pointerIn(view.svg, event);
    const { left, top, size } = view.place;
    const [row, column] = [y - top, x - left].map((pixels) => Math.floor(pixels / size));
    if (view.cells[row]?.[column]) show(row, column);
    else hide();
  };
  view.svg.addEventListener("pointermove", follow);
  view.svg.addEventListener("pointerdown", follow);
  view.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  view.svg.addEventListener("blur", hide);
  view.svg.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    announce((current ? show(current[0] + step[0], current[1] + step[1]) : show(0, 0)).join(", "));
  });
}

/** Frame the cell, and its row and column, and tell what is in it. */
function pointOut(view, cell) {
  const { left, top, size } = view.place;
  const side = size * view.cells.length;
  const [x, y] = [left + cell.column * size, top + cell.row * size];
  view.marks.replaceChildren(
    shape("rect", { class: "crosshair", x: left, y, width: side, height: size }),
    shape("rect", { class: "crosshair", x, y: top, width: size, height: side }),
    shape("rect", { class: "chosen", x, y, width: size, height: size }));
  const box = view.svg.getBoundingClientRect();
  const [head, ...lines] = cellText(view, cell);
  showTip(box.left + x + size / 2, box.top + y + size / 2,
    element("strong", {}, head), ...lines.map((line) => element("div", {}, line)));
  return [head, ...lines];
}

function confusionList(view) {
  const names = classNames(view.group);
  const wrong = view.cells.flat().filter((cell) => cell.row !== cell.column && cell.value);
  const most = wrong.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, LISTED);
  const value = view.other ? (cell) => signed(decimals(cell.value, 2)) : (cell) => decimals(cell.value, 2);
  const title = view.other ? "Errors that differ most" : "Most frequent errors";
  return element("table", {},
    element("caption", {}, title),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "true"),
      element("th", { scope: "col" }, "predicted"),
      element("th", { scope: "col", class: "number" }, view.other ? "points" : "% of class"))),
    element("tbody", {}, most.map((cell) => element("tr", {},
      element("td", {}, names[cell.row]), element("td", {}, names[cell.column]),
      element("td", { class: "number" }, value(cell))))));
}
