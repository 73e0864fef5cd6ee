// Elements are built here and nowhere else. Whatever is shown goes in as text, never as markup:
// names, rationales, rules, prompts and answers are data.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "circle", "text", "title"]);
const KEPT = new Set([
  "class", "viewBox", "width", "height", "role", "d", "x", "y", "cx", "cy", "r",
]);

/** An element. Functions become listeners, `style` is an object, null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "style") setStyle(element, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...flat(children));
  return element;
}

/** An element of a drawing. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...flat(children));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** A drawing that the server made: rebuilt from the few shapes it may hold. */
export function drawing(markup) {
  if (!markup) return null;
  const parsed = new DOMParser().parseFromString(markup, "image/svg+xml").documentElement;
  return copied(parsed);
}

/** Say something to who cannot see it. */
export function tell(text) {
  document.getElementById("told").textContent = text;
}

/** A table; `columns`: [title, class]; `rows`: arrays of cells, or elements. */
export function table(columns, rows, caption = "") {
  const head = columns.map(([title, kind]) => h("th", { scope: "col", class: kind || null }, title));
  const body = rows.map((row) =>
    row instanceof Node
      ? row
      : h("tr", {}, ...row.map((cell, i) => h("td", { class: columns[i][1] || null }, cell))),
  );
  return h(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": caption || "table" },
    h(
      "table",
      {},
      caption ? h("caption", { class: "unseen" }, caption) : null,
      h("thead", {}, h("tr", {}, ...head)),
      h("tbody", {}, ...body),
    ),
  );
}

/** A button that looks like a link. */
export function link(text, press, label = null) {
  return h("button", { type: "button", class: "link", click: press, "aria-label": label }, text);
}

function copied(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.nodeValue);
  if (node.nodeType !== Node.ELEMENT_NODE || !DRAWN.has(node.localName)) return null;
  const made = document.createElementNS(SVG, node.localName);
  for (const { name, value } of node.attributes) {
    if (KEPT.has(name)) made.setAttribute(name, value);
  }
  made.append(...[...node.childNodes].map(copied).filter((child) => child !== null));
  return made;
}

function setStyle(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

function flat(children) {
  return children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);
}
