// Elements. Everything on the page is made by `element` and `shape`: text is always text, never markup.

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** `attributes`: {onclick: function} listens; null and false leave an attribute out. */
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);

const button = (text, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, text);

/** A labelled <select>. `choices`: [[value, text], …]; `changed` is told the chosen value, a string. */
function select(label, choices, chosen, changed) {
  const options = choices.map(([value, text]) => element("option", { value, selected: value === chosen }, text));
  const box = element("select", { onchange: () => changed(box.value) }, options);
  return element("label", {}, label, " ", box);
}

function checkbox(label, checked, changed) {
  const box = element("input", { type: "checkbox", checked, onchange: () => changed(box.checked) });
  return element("label", {}, box, label);
}

const nothing = (text) => element("p", { class: "muted" }, text);

/** A <div> around `svg`, which `draw(width)` fills: when the width changes, and on its `redraw()`. */
function figure(svg, draw) {
  const box = element("div", { class: "figure" }, svg);
  let width = 0;
  box.redraw = () => box.clientWidth && draw(box.clientWidth);
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    box.redraw();
  }).observe(box);
  return box;
}

const NARROW = 640; // as in page.css

function showTip(clientX, clientY, ...content) {
  const tip = byId("tooltip");
  tip.replaceChildren(...content.filter((part) => part !== null));
  tip.hidden = false;
  tip.removeAttribute("style");
  tip.classList.toggle("below", clientY < innerHeight / 2);
  if (innerWidth <= NARROW) return; // lies along the top or the bottom, lest it hide the chart
  const { width, height } = tip.getBoundingClientRect();
  const left = clientX + 16 + width > innerWidth ? clientX - 16 - width : clientX + 16;
  tip.style.left = `${Math.max(4, Math.min(left, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(clientY - height / 2, innerHeight - height - 4))}px`;
}

function hideTip() {
  byId("tooltip").hidden = true;
}

/** Tell a screen reader. */
function announce(text) {
  byId("announcer").textContent = text;
}
