// Which page is shown: the address after # says it, so that every view can be kept as a bookmark.

import { takeKey } from "./api.js";
import { fill, h } from "./dom.js";

const PAGES = {
  "": async () => (await import("./runs.js")).runsPage(),
  new: async () => (await import("./start.js")).startPage(),
  run: async (name) => (await import("./run.js")).runPage(name),
  compare: async (...names) => (await import("./compare.js")).comparePage(...names),
};
const view = document.getElementById("view");
let shown = { key: null, page: null };
let turn = 0;

async function route() {
  takeKey();
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  const [kind = "", ...rest] = parts;
  const key = kind === "run" ? `run/${rest[0]}` : parts.join("/");
  if (key === shown.key) {
    shown.page?.show?.(...rest.slice(1));
    return;
  }
  const mine = ++turn;
  shown.page?.end?.();
  shown = { key, page: null };
  mark(kind);
  try {
    const page = await (PAGES[kind] ?? PAGES[""])(...rest);
    if (mine !== turn) return page.end?.();
    shown.page = page;
    document.title = page.title ? `${page.title} · pelnas` : "pelnas";
    fill(view, page.element);
    page.show?.(...rest.slice(1));
    painted();
  } catch (error) {
    if (mine !== turn) return;
    fill(view, h("h1", {}, "This cannot be shown"), h("p", { role: "alert" }, error.message));
  }
}

function mark(kind) {
  for (const link of document.querySelectorAll(".bar nav a")) {
    const own = link.getAttribute("href").replace("#/", "") === (kind === "run" ? "" : kind);
    if (own) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Leave a mark for measurements when the first view stands. */
function painted() {
  requestAnimationFrame(() => setTimeout(() => performance.mark("first-view"), 0));
}

window.addEventListener("hashchange", route);
route();
