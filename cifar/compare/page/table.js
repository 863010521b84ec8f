// Tables that are sorted by a click on a column's head. Rows without a value come last either way.

/**
 * `columns`: [{title, value: row => number|string|null, cell: row => text or node, kind: the cells' class, note, head, key}];
 * a title that may occur twice needs a key. `order`: {column: key or title, ascending}; changed by the user's clicks,
 * so that a table built again keeps its order.
 * The first column names the row, and stays in sight when the table is scrolled.
 */
function sortableTable(caption, columns, rows, order) {
  const bodies = rows.map((row) => ({
    row,
    node: element("tr", {}, columns.map((column, index) =>
      element(index ? "td" : "th", { class: column.kind, scope: index ? null : "row" }, column.cell(row)))),
  }));
  const body = element("tbody");
  const heads = columns.map((column) => {
    const sort = button([column.title, element("span", { class: "arrow", "aria-hidden": "true" })], () => {
      order.ascending = order.column === keyOf(column) ? !order.ascending : !isNumeric(column, rows);
      order.column = keyOf(column);
      arrange();
    }, { title: column.note });
    return element("th", { scope: "col", class: column.kind }, sort, column.head ?? null);
  });

  function arrange() {
    const column = columns.find((other) => keyOf(other) === order.column) ?? columns[0];
    const compare = comparison(column.value, order.ascending);
    body.append(...bodies.toSorted((a, b) => compare(a.row, b.row)).map(({ node }) => node));
    heads.forEach((head, index) => {
      const direction = order.ascending ? "ascending" : "descending";
      head.setAttribute("aria-sort", columns[index] === column ? direction : "none");
    });
  }

  arrange();
  return scrollable(caption, rows.length, element("table", {},
    element("caption", { class: "unseen" }, caption), element("thead", {}, element("tr", {}, heads)), body));
}

const keyOf = (column) => column.key ?? column.title;

const isNumeric = (column, rows) => rows.some((row) => typeof column.value(row) === "number");

function comparison(value, ascending) {
  return (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (!known(a) || !known(b)) return known(b) - known(a);
    const result = typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
    return ascending ? result : -result;
  };
}

const WHOLE = 30; // more rows than this scroll under the head, fewer are shown all

/** A box of its own to scroll in, by keyboard too. */
function scrollable(name, rows, content) {
  const size = rows > WHOLE ? "scroll tall" : "scroll";
  return element("div", { class: size, role: "region", "aria-label": name, tabindex: 0 }, content);
}
