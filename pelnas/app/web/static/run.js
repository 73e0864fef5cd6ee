// One run: its head, and a tab for each way to look at it.

import { FrontTab } from "./front_view.js";
import { RunData } from "./data.js";
import { fill, h } from "./dom.js";
import { count, device, duration, plural, whole } from "./words.js";

const LATER = 1200; // ms: the first view goes first
const TABS = {
  front: ["Front", async (data, go) => new FrontTab(data, go)],
  niches: ["Niches", async (...a) => new (await import("./niches.js")).NichesTab(...a)],
  rules: ["Rules", async (...a) => new (await import("./rules.js")).RulesTab(...a)],
  timeline: ["Timeline", async (...a) => new (await import("./timeline.js")).TimelineTab(...a)],
  steer: ["Talk", async (...a) => new (await import("./steer.js")).SteerTab(...a)],
  settings: ["Settings", async (...a) => new (await import("./settings.js")).SettingsTab(...a)],
};

export async function runPage(name) {
  const data = new RunData(name);
  await data.load();
  setTimeout(() => data.ahead(), LATER);
  return new RunPage(data);
}

class RunPage {
  constructor(data) {
    this.title = data.name;
    this._data = data;
    this._tabs = {};
    this._state = h("span", { class: "state", role: "status" });
    this._about = h("p", { class: "soft about" });
    this._cards = h("dl", { class: "cards" });
    this._panel = h("div", { id: "panel", role: "tabpanel", tabindex: -1 });
    this._list = h(
      "div",
      { class: "tabs", role: "tablist", "aria-label": "Views of the run", keydown: (e) => this._key(e) },
      ...Object.entries(TABS).map(([key, [title]]) =>
        h("button", {
          type: "button", role: "tab", id: `tab-${key}`, "aria-controls": "panel",
          click: () => this._go(key),
        }, title),
      ),
    );
    this.element = h(
      "section",
      { class: "run" },
      h("div", { class: "head" }, h("h1", {}, data.name), this._state),
      this._about, this._cards, this._list, this._panel,
    );
    for (const kind of ["info", "state"]) data.addEventListener(kind, () => this._head());
    data.addEventListener("link", (event) => this._linked(event.detail));
    data.addEventListener("told", (event) => this._told(event.detail));
    data.addEventListener("columns", () => {
      this._tabs.front?.changed?.();
      this._head();
    });
    this._head();
  }

  end() {
    for (const tab of Object.values(this._tabs)) tab.end?.();
    this._data.close();
  }

  /** Show a tab, and what in it. */
  async show(key = "front", item = null) {
    const known = key in TABS ? key : "front";
    for (const button of this._list.children) {
      const chosen = button.id === `tab-${known}`;
      button.setAttribute("aria-selected", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    this._panel.setAttribute("aria-labelledby", `tab-${known}`);
    const before = this._shown;
    this._shown = known;
    const tab = this._list.querySelector("[aria-selected=true]"); // seen also where they do not all fit
    this._list.scrollLeft = tab.offsetLeft - this._list.offsetLeft - (this._list.clientWidth - tab.offsetWidth) / 2;
    try {
      this._tabs[known] ??= await TABS[known][1](this._data, (...to) => this._go(...to));
    } catch (error) {
      fill(this._panel, h("p", { role: "alert" }, error.message));
      return;
    }
    if (this._shown !== known) return;
    if (before !== known || !this._panel.children.length) fill(this._panel, this._tabs[known].element);
    await this._tabs[known].show?.(item);
  }

  _go(...parts) {
    location.hash = ["", "run", this._data.name, ...parts].map(encodeURIComponent).join("/");
  }

  _key(event) {
    const keys = Object.keys(TABS);
    const at = keys.indexOf(this._shown);
    const to = {
      ArrowRight: (at + 1) % keys.length,
      ArrowLeft: (at + keys.length - 1) % keys.length,
      Home: 0,
      End: keys.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this._go(keys[to]);
    this._list.children[to].focus();
  }

  _told(event) {
    this._tabs[this._shown]?.told?.(event);
  }

  _linked(text) {
    this._state.title = text;
    this._state.textContent = text === "reconnecting" ? text : this._data.state;
  }

  _head() {
    const { info, state } = this._data;
    this._state.textContent = state;
    this._state.className = `state ${state}`;
    const where = device(info.device);
    const ended = state === "finished" ? `; ended: ${info.reason}` : "";
    const on = info.sources.dataset ? `, ${info.sources.dataset}` : "";
    this._about.textContent = `${info.space} for ${where}${on}${ended}; accuracy: ${info.sources.predictor}, ${info.sources.accuracy}${info.sources.images ? `, on ${info.sources.images}` : ""}; latency: ${info.sources.latency}`;
    this._about.title = this._about.textContent;
    fill(this._cards, ...this._figures().map(card));
  }

  /** [figure, what it counts, used, limit] of each card. */
  _figures() {
    const { info } = this._data;
    const { spent } = info;
    const limit = Object.fromEntries(info.budgets.map((budget) => [budget.name, budget.limit]));
    const front = this._data.front(this._data.rounds - 1).length;
    return [
      [front, "on the front"],
      [whole(spent.evaluations), "evaluations", spent.evaluations, limit.evaluations],
      [`${Math.min(this._data.rounds, info.rounds)} of ${info.rounds}`, "rounds", this._data.rounds, info.rounds],
      [whole(spent.calls), plural(spent.calls, "model call").replace(/^\d+ /, ""), spent.calls, limit.calls],
      [count(spent.tokens), "tokens", spent.tokens, limit.tokens],
      ...dollars(info, limit.dollars),
      [duration(spent.seconds), "running time", spent.seconds / 60, limit.minutes],
    ];
  }
}

/** What the calls cost: unknown where no price is known, and not zero. */
function dollars({ spent, models }, limit) {
  const free = Object.values(models).every((model) => model.startsWith("builtin:"));
  if (free && !spent.calls) return [];
  const unpriced = spent.unpriced ?? spent.calls;
  if (unpriced && !spent.dollars) return [["unknown", "dollars: no price is known"]];
  const more = unpriced ? `dollars, and ${plural(unpriced, "call")} without a known price` : "dollars";
  return [[`$${(spent.dollars ?? 0).toFixed(spent.dollars < 1 ? 4 : 2)}`, more, spent.dollars, limit]];
}

function card([figure, what, used, limit]) {
  const share = limit ? used / limit : 0;
  const bar = limit
    ? h("div", {
        class: `meter${share >= 0.8 && what !== "rounds" ? " near" : ""}`, role: "meter", "aria-label": `${what} of the budget`,
        "aria-valuemin": 0, "aria-valuemax": limit, "aria-valuenow": Math.min(used, limit),
        title: `${count(used)} of ${count(limit)}`,
      }, h("span", { style: { width: `${Math.min(100, 100 * share)}%` } }))
    : null;
  const told = limit && what !== "rounds" ? `${what} of ${what === "running time" ? duration(60 * limit) : count(limit)}` : what;
  return h("div", { class: "card" }, h("dt", {}, told), h("dd", {}, String(figure)), bar);
}
