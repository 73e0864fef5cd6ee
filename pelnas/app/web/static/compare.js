// Runs beside each other: their fronts in one picture, then figures, settings and rules in columns.

import { get, of } from "./api.js";
import { kindColours, onLook } from "./colours.js";
import { curves } from "./curve.js";
import { fill, h, table } from "./dom.js";
import { axisName, costsAt, nameOf, pairsOf, shared, values } from "./objectives.js";
import { FrontPlot } from "./plot.js";
import { count, device, duration, figures, latency, plural } from "./words.js";

const MOST = 8; // runs: more colours cannot be told apart

export async function comparePage(...names) {
  const runs = (await get("/api/runs")).filter((run) => run.status !== "unreadable");
  const page = new ComparePage(runs, [...new Set(names)].slice(0, MOST));
  if (names.length) await page.load();
  return page;
}

class ComparePage {
  constructor(runs, names) {
    this.title = "Compare";
    this._names = names;
    this._hidden = new Set();
    this._body = h("div", {});
    this._legend = h("div", { class: "legend", role: "group", "aria-label": "Shown runs" });
    const more = runs.filter((run) => !names.includes(run.name));
    this.element = h(
      "section",
      {},
      h("h1", {}, "Runs side by side"),
      h("div", { class: "tools" },
        h("label", { for: "more" }, "Add"),
        h("select", { id: "more", disabled: names.length >= MOST, change: (event) => this._to([...names, event.target.value]) },
          h("option", { value: "" }, "a run"),
          ...more.map((run) => h("option", { value: run.name }, `${run.name} (${run.models.join(", ")})`)))),
      names.length ? null : h("p", { class: "soft" }, "Choose runs here, or tick them in the list of runs."),
      this._body,
    );
  }

  end() {
    this._plot?.end();
    this._endLook?.();
  }

  _to(names) {
    location.hash = ["#/compare", ...names.map(encodeURIComponent)].join("/");
  }

  async load() {
    const asked = this._names.map((name) => `run=${encodeURIComponent(name)}`).join("&");
    const [together, ...sides] = await Promise.all([
      get(`/api/compare?${asked}`),
      ...this._names.map(async (name) => {
        const [info, columns] = await Promise.all([get(of(name)), get(of(name, "/candidates"))]);
        return { name, info, columns, front: columns.fronts.at(-1) ?? [] };
      }),
    ]);
    this._sides = sides;
    this._costs = shared(sides.map(({ info }) => info));
    this._pairs = pairsOf(this._costs);
    [this._pair] = this._pairs;
    this._plot = this._picture();
    const curve = h("div", {});
    const draw = () => {
      this._points();
      fill(curve, grown(sides, together));
    };
    draw();
    this._endLook = onLook(draw);
    fill(
      this._body,
      together.together ? null : h("p", { class: "refused" }, "These runs differ in device, data set or unit of the score: their points share no scale."),
      this._axes(), this._plot.element, this._legend, figuresOf(sides, together), curve,
      reached(sides), settings(sides), rules(sides, together.rules),
    );
  }

  // -- the picture ----------------------------------------------------------------

  _picture() {
    this._flat = this._sides.flatMap(({ columns }, run) => columns.round.map((_, i) => [run, i]));
    return new FrontPlot({
      label: "Candidates and fronts of the runs",
      describe: (at) => this._describe(...this._flat[at]),
      onPick: (at) => this._open(...this._flat[at]),
    });
  }

  _axes() {
    if (this._pairs.length < 2) return null;
    const chosen = (event) => {
      this._pair = this._pairs[event.target.value];
      this._points();
      this._plot.fit();
    };
    return h("div", { class: "tools" }, h("label", { for: "pair" }, "Show"),
      h("select", { id: "pair", change: chosen }, ...this._pairs.map((pair, i) => h("option", { value: i }, nameOf(pair)))));
  }

  _id(run, i) {
    const { round, niche, slot } = this._sides[run].columns;
    return `r${round[i]}n${niche[i]}c${slot[i]}`;
  }

  _describe(run, i) {
    const { name, columns } = this._sides[run];
    return `${name}, ${this._id(run, i)}: ${costsAt(columns, this._costs, i)}, ${figures(columns.score[i])}`;
  }

  _open(run, i) {
    location.hash = `#/run/${encodeURIComponent(this._sides[run].name)}/front/${this._id(run, i)}`;
  }

  _points() {
    const sides = this._sides;
    const palette = kindColours(sides.length);
    const devices = [...new Set(sides.map(({ info }) => device(info.device)))];
    const units = [...new Set(sides.map(({ info }) => info.sources.unit))];
    const { right, up } = this._pair;
    this._plot.setPoints(
      {
        x: sides.flatMap(({ columns }) => values(columns, right)),
        y: sides.flatMap(({ columns }) => (up ? values(columns, up) : columns.score)),
        whole: up !== null,
        colour: sides.flatMap(({ columns }, run) => columns.round.map(() => run)),
        palette,
      },
      { x: axisName(right, devices.join(", ")), y: up ? `${up.label} (down is better)` : units.join(", ") },
    );
    fill(this._legend, sides.map((side, run) => this._key(side, run, palette[run])));
    this._view();
  }

  _key({ name, info }, run, colour) {
    const hide = (event) => {
      if (!this._hidden.delete(run)) this._hidden.add(run);
      event.currentTarget.setAttribute("aria-pressed", !this._hidden.has(run));
      this._view();
    };
    const rest = this._names.filter((other) => other !== name);
    return h("span", { class: "pair" },
      h("button", { type: "button", class: "key", "aria-pressed": !this._hidden.has(run), title: "Show or hide", click: hide },
        h("span", { class: "dot", style: { background: colour } }), name,
        h("small", {}, ` ${[...new Set(Object.values(info.models))].join(", ")}, seed ${info.settings.seed}`)),
      h("button", { type: "button", class: "key", "aria-label": `Leave ${name} out`, title: "Leave out", click: () => this._to(rest) }, "\u00d7"));
  }

  _view() {
    let before = 0;
    const [fronts, aside] = [[], new Set()];
    this._sides.forEach(({ columns, front }, run) => {
      if (!this._hidden.has(run)) fronts.push(front.map((i) => before + i));
      for (const i of columns.aside) aside.add(before + i);
      before += columns.round.length;
    });
    const flat = this._flat;
    const stairs = this._sides.every(({ info }) => info.costs.length === 1);
    this._plot.setView({ shown: (at) => !this._hidden.has(flat[at][0]), front: fronts.flat(), fronts, stairs, aside });
  }
}

// -- in columns -------------------------------------------------------------------

function heads(first, sides, kind = null) {
  return [first, ...sides.map(({ name }) => [h("a", { href: `#/run/${encodeURIComponent(name)}` }, name), kind])];
}

function rowsOf(sides, rows) {
  const differs = (cells) => cells.some((cell) => cell !== cells[0]);
  return rows.map(([name, read]) => {
    const cells = sides.map((side) => String(read(side)));
    return h("tr", { class: differs(cells) ? "differs" : null }, h("td", {}, name), ...cells.map((cell) => h("td", {}, cell)));
  });
}

function figuresOf(sides, { together, growth }) {
  const spent = ({ info }) => info.spent;
  const rows = [
    ["state", (s) => s.info.status],
    ["space", (s) => s.info.space],
    ["device", (s) => device(s.info.device)],
    ["data set", (s) => s.info.sources.dataset],
    ["accuracy", (s) => s.info.sources.accuracy],
    ["models", (s) => [...new Set(Object.values(s.info.models))].join(", ")],
    [together ? "hypervolume, in the ranges of all" : "hypervolume, each in its own ranges", (s) => figures(growth[s.name].hypervolume.at(-1))],
    ["on the front", (s) => s.front.length],
    ["fastest on the front", (s) => (s.front.length ? latency(Math.min(...s.front.map((i) => s.columns.latency[i]))) : "\u2013")],
    ["best score", (s) => (s.front.length ? figures(Math.max(...s.front.map((i) => s.columns.score[i]))) : "\u2013")],
    ["rounds", (s) => s.columns.fronts.length],
    ["evaluations", (s) => spent(s).evaluations],
    ["model calls", (s) => spent(s).calls],
    ["tokens", (s) => count(spent(s).tokens)],
    ["dollars", (s) => dollars(spent(s))],
    ["running time", (s) => duration(spent(s).seconds)],
  ];
  return table(heads(["figure"], sides), rowsOf(sides, rows), "Figures of the runs");
}

function dollars({ dollars: known, unpriced }) {
  const told = `$${(known ?? 0).toFixed(known > 0 && known < 1 ? 4 : 2)}`;
  if (!unpriced) return told;
  return known ? `${told}, and ${plural(unpriced, "call")} of unknown price` : "unknown";
}

function grown(sides, { together, growth }) {
  const colours = kindColours(sides.length);
  const lines = sides.map(({ name }, run) => ({ ...growth[name], colour: colours[run] }));
  return curves(lines, () => `Hypervolume over evaluations, ${together ? "in the ranges of all" : "each in its own ranges"}`);
}

/** At a few latencies, the best score that each run reaches. */
function reached(sides) {
  const all = sides.flatMap(({ columns, front }) => front.map((i) => columns.latency[i]));
  if (!all.length) return null;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const rows = Array.from({ length: 6 }, (_, n) => {
    const limit = low + ((high - low) * n) / 5;
    const scores = sides.map(({ columns, front }) => {
      const within = front.filter((i) => columns.latency[i] <= limit * (1 + 1e-9));
      return within.length ? Math.max(...within.map((i) => columns.score[i])) : null;
    });
    const best = Math.max(...scores.filter((score) => score !== null));
    return h("tr", {}, h("td", { class: "n" }, figures(limit)),
      ...scores.map((score) => h("td", { class: score === best ? "n best" : "n" }, figures(score))));
  });
  return [h("h2", {}, "Best score within a latency"), table(heads(["latency at most, ms", "n"], sides, "n"), rows, "Best score within a latency")];
}

function settings(sides) {
  const flat = sides.map(({ info }) => flattened(info.settings));
  const names = [...new Set(flat.flatMap(Object.keys))].filter((name) => new Set(flat.map((own) => own[name])).size > 1);
  if (sides.length < 2) return null;
  const rows = names.map((name) => h("tr", {}, h("td", {}, name), ...flat.map((own) => h("td", {}, h("code", {}, own[name] ?? "\u2013")))));
  return [
    h("h2", {}, "Settings that differ"),
    names.length ? table(heads(["setting"], sides), rows, "Settings that differ") : h("p", {}, "None."),
  ];
}

function flattened(values, before = "") {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.entries(flattened(value, `${before}${name}.`))
      : [[before + name, JSON.stringify(value)]]));
}

function rules(sides, found) {
  const cell = (verdict) => verdict === null
    ? h("td", { class: "soft" }, "not claimed")
    : h("td", {}, h("span", { class: `verdict ${verdict.status}` }, verdict.status), h("br"),
        h("small", {}, verdict.measured === null ? "" : `${figures(verdict.measured, 2)} \u00b1 ${figures(verdict.error, 2)}`));
  const rows = found.map((rule) =>
    h("tr", {},
      h("td", { class: "why" }, rule.text, h("br"), h("small", {}, `${rule.niche === null ? "every niche" : `niche ${rule.niche}`}: `, h("code", {}, rule.claim))),
      ...sides.map(({ name }) => cell(rule.verdicts[name]))));
  return [
    h("h2", {}, "Rules in force in one of them"),
    rows.length ? table(heads(["rule"], sides), rows, "Rules in force in one of the runs") : h("p", {}, "None."),
  ];
}
