// What became of each niche, and how the agents did.

import { get, of } from "./api.js";
import { nicheColours } from "./colours.js";
import { curves } from "./curve.js";
import { fill, h, table } from "./dom.js";
import { Again } from "./again.js";
import { count, duration, figures } from "./words.js";

export class NichesTab {
  constructor(data) {
    this._data = data;
    this.element = h("div", {});
    this._again = new Again(() => this._load(), ["round-done", "designed", "run-finished"]);
  }

  async show() {
    if (!this.element.children.length) await this._load();
  }

  told(event) {
    this._again.told(event);
  }

  async _load() {
    const [found, growth] = await Promise.all([
      get(of(this._data.name, "/niches")),
      get(of(this._data.name, "/growth")),
    ]);
    fill(
      this.element,
      h("h2", {}, "Niches"),
      this._niches(found.niches),
      curves([growth], (last) => `Hypervolume over evaluations, in this run's own ranges: ${last[0].toFixed(4)}`),
      h("h2", {}, "Agents"),
      agents(found.rates),
      plans(found.plans, this._data.info.niches),
    );
  }

  _niches(rows) {
    const colours = nicheColours(rows.length);
    const columns = [
      ["niche"], ["designs", "n"], ["refused", "n"], ["evaluated", "n"], ["cannot run", "n"], ["on the front", "n"],
      ["best score", "n"], ["fastest, ms", "n"], ["widest gap, ms", "n"], ["calls", "n"], ["tokens", "n"],
    ];
    return table(
      columns,
      rows.map((row) => [
        [h("span", { class: "dot", style: { background: colours[row.niche] } }), row.label],
        row.designs, row.refused, row.evaluations, row.infeasible, row.on_front, figures(row.best_score),
        figures(row.fastest_ms), row.gap ? `${figures(row.gap.low)} to ${figures(row.gap.high)}` : "\u2013",
        row.calls, count(row.tokens),
      ]),
      "Niches with their gaps and spend",
    );
  }
}

function agents(rates) {
  const columns = [
    ["agent"], ["played by"], ["proposals", "n"], ["accepted", "n"], ["malformed", "n"], ["out of niche", "n"],
    ["duplicate", "n"], ["filled", "n"], ["calls", "n"], ["invalid", "n"], ["failed", "n"], ["tokens", "n"], ["time", "n"],
  ];
  const rows = rates.map((r) => [
    r.agent, h("code", {}, r.author), r.proposals, r.accepted, r.malformed, r.out_of_niche, r.duplicate, r.filled,
    r.calls, r.invalid, r.failed, count(r.tokens), duration(r.seconds),
  ]);
  return table(columns, rows, "What each agent did");
}

function plans(plans, niches) {
  const rows = plans.slice(-60).reverse().map((p) => [p.round + 1, niches[p.niche] ?? p.niche, p.count, p.focus, p.author]);
  return h(
    "details",
    {},
    h("summary", {}, "What the planner asked for, last rounds first"),
    table([["round", "n"], ["niche"], ["designs", "n"], ["focus"], ["planner"]], rows, "Plans"),
  );
}
