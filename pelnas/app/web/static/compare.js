// Two runs side by side, in the same window.

import { get, of } from "./api.js";
import { nicheColours } from "./colours.js";
import { fill, h, table } from "./dom.js";
import { FrontPlot } from "./plot.js";
import { joined } from "./ranges.js";
import { count, device, duration, figures, latency } from "./words.js";

export async function comparePage(left = "", right = "") {
  const runs = (await get("/api/runs")).filter((run) => run.status !== "unreadable");
  const page = new ComparePage(runs, left, right);
  if (left && right) await page.load(left, right);
  return page;
}

class ComparePage {
  constructor(runs, left, right) {
    this.title = "Compare";
    this._plots = [];
    this._body = h("div", {});
    const pick = (id, text, chosen) => [
      h("label", { for: id }, text),
      h("select", { id, change: () => this._chosen() },
        h("option", { value: "" }, "choose a run"),
        ...runs.map((run) => h("option", { value: run.name, selected: run.name === chosen }, run.name))),
    ];
    this.element = h(
      "section",
      {},
      h("h1", {}, "Two runs side by side"),
      h("div", { class: "tools" }, ...pick("left", "Left", left), ...pick("right", "Right", right)),
      this._body,
    );
  }

  end() {
    for (const plot of this._plots) plot.end();
  }

  _chosen() {
    const [left, right] = ["left", "right"].map((id) => this.element.querySelector(`#${id}`).value);
    if (left && right) location.hash = `#/compare/${[left, right].map(encodeURIComponent).join("/")}`;
  }

  async load(...names) {
    const sides = await Promise.all(names.map(async (name) => {
      const [info, columns, growth] = await Promise.all([get(of(name)), get(of(name, "/candidates")), get(of(name, "/growth"))]);
      return { name, info, columns, growth, front: columns.fronts.at(-1) ?? [] };
    }));
    this._plots = sides.map((side) => plotOf(side));
    const both = joined(...this._plots.map((plot) => plot.window));
    for (const plot of this._plots) plot.setWindow(both);
    fill(
      this._body,
      h("div", { class: "sides" }, ...sides.map((side, i) =>
        h("div", {}, h("h2", {}, h("a", { href: `#/run/${encodeURIComponent(side.name)}` }, side.name)), this._plots[i].element))),
      figuresOf(sides),
      fronts(sides),
    );
  }
}

function plotOf({ name, info, columns, front }) {
  const plot = new FrontPlot({
    label: `Candidates and front of ${name}`,
    describe: (i) => `r${columns.round[i]}n${columns.niche[i]}c${columns.slot[i]}: ${latency(columns.latency[i])}, ${figures(columns.score[i])}`,
    onPick: (i) => {
      location.hash = `#/run/${encodeURIComponent(name)}/front/r${columns.round[i]}n${columns.niche[i]}c${columns.slot[i]}`;
    },
  });
  const niches = Math.max(info.niches.length, 1 + columns.niche.reduce((a, b) => Math.max(a, b), 0));
  plot.setPoints(
    { x: columns.latency, y: columns.score, colour: columns.niche, palette: nicheColours(niches) },
    { x: `latency on ${device(info.device)}, ms`, y: info.sources.unit },
  );
  plot.setView({ front });
  return plot;
}

function figuresOf(sides) {
  const rows = [
    ["state", (s) => s.info.status],
    ["space", (s) => s.info.space],
    ["device", (s) => device(s.info.device)],
    ["data set", (s) => s.info.sources.dataset],
    ["accuracy", (s) => s.info.sources.accuracy],
    ["models", (s) => [...new Set(Object.values(s.info.models))].join(", ")],
    ["seed", (s) => s.info.settings.seed],
    ["rounds", (s) => s.columns.fronts.length],
    ["evaluations", (s) => s.info.spent.evaluations],
    ["model calls", (s) => s.info.spent.calls],
    ["tokens", (s) => count(s.info.spent.tokens)],
    ["running time", (s) => duration(s.info.spent.seconds)],
    ["on the front", (s) => s.front.length],
    ["fastest on the front", (s) => (s.front.length ? latency(s.columns.latency[s.front[0]]) : "\u2013")],
    ["best score", (s) => (s.front.length ? figures(s.columns.score[s.front.at(-1)]) : "\u2013")],
    ["hypervolume, in its own ranges", (s) => figures(s.growth.hypervolume.at(-1))],
  ];
  const differs = (read) => String(read(sides[0])) !== String(read(sides[1]));
  return table(
    [["figure"], ...sides.map((side) => [side.name])],
    rows.map(([name, read]) => h("tr", { class: differs(read) ? "differs" : null }, h("td", {}, name), ...sides.map((side) => h("td", {}, read(side))))),
    "Figures of both runs",
  );
}

/** At a few latencies, the best score that either run reaches. */
function fronts(sides) {
  const all = sides.flatMap(({ columns, front }) => front.map((i) => columns.latency[i]));
  if (!all.length) return null;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const rows = Array.from({ length: 6 }, (_, n) => {
    const limit = low + ((high - low) * n) / 5;
    const best = sides.map(({ columns, front }) => {
      const reached = front.filter((i) => columns.latency[i] <= limit * (1 + 1e-9));
      return reached.length ? columns.score[reached.at(-1)] : null;
    });
    const [a, b] = best;
    const gain = a === null || b === null ? "\u2013" : figures(b - a, 3);
    return [figures(limit), ...best.map((score) => figures(score)), gain];
  });
  return [
    h("h2", {}, "Best score within a latency"),
    table([["latency at most, ms", "n"], ...sides.map((side) => [side.name, "n"]), ["right minus left", "n"]], rows, "Best score within a latency"),
  ];
}
