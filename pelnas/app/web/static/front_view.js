// The front over the rounds, and whichever candidate is chosen.

import { CandidatePanel } from "./candidate.js";
import { kindColours, nicheColours, onLook } from "./colours.js";
import { h, fill, link, table } from "./dom.js";
import { axisName, costsAt, nameOf, pairsOf, values } from "./objectives.js";
import { FrontPlot } from "./plot.js";
import { device, figures } from "./words.js";

const STEP = 350; // ms a round while the rounds play

export class FrontTab {
  constructor(data, go) {
    this._data = data;
    this._go = go;
    this._by = "niche";
    this._pairs = pairsOf(data.info.costs);
    this._pair = this._pairs[0];
    this._hidden = new Set();
    this._round = Math.max(0, data.rounds - 1);
    this._selected = -1;
    this._plot = new FrontPlot({
      label: "Candidates and front. Left and right arrow keys step along the front, plus and minus zoom, 0 shows everything.",
      describe: (i) => this._describe(i),
      onPick: (i) => this._go("front", this._data.id(i)),
    });
    this._panel = new CandidatePanel(data, go);
    this._build();
    this._endLook = onLook(() => this._points());
    this._points();
  }

  end() {
    this._plot.end();
    this._endLook();
    clearInterval(this._playing);
  }

  /** Show a candidate; without one, the best of the front. */
  async show(id) {
    const front = this._data.front(this._round);
    this._selected = id ? this._data.place(id) : (front.at(-1) ?? -1);
    if (this._selected >= 0 && this._data.columns.round[this._selected] > this._round) {
      this._setRound(this._data.columns.round[this._selected]);
    }
    this._view();
    this._shown = id || (this._selected >= 0 ? this._data.id(this._selected) : null);
    this._stood = this._standing();
    await this._panel.show(this._shown);
  }

  /** The run has new candidates: follow them where the last round was shown. */
  changed() {
    const last = this._data.rounds - 1;
    if (this._round >= this._slider.max) this._round = Math.max(0, last);
    if (this._shown) this._selected = this._data.place(this._shown); // places change with a load
    this._points();
    if (this._selected < 0 && this._data.length) this.show(null);
    else if (this._standing() !== this._stood) this.show(this._shown);
  }

  /** Where the shown candidate stands: on the front, off it, or aside. */
  _standing() {
    if (this._selected < 0) return "";
    if (this._aside.has(this._selected)) return "aside";
    return this._data.front(this._data.rounds - 1).includes(this._selected) ? "front" : "off";
  }

  // -- building -------------------------------------------------------------------

  _build() {
    this._slider = h("input", {
      type: "range", id: "round", min: 0, step: 1, input: () => this._slid(),
    });
    this._told = h("output", { for: "round" });
    this._play = h("button", { type: "button", class: "small", click: () => this._toggle() }, "Play");
    this._legend = h("div", { class: "legend", role: "group", "aria-label": "Shown candidates" });
    this._list = h("div", {});
    const colour = h(
      "select",
      { id: "colour", change: (event) => this._colour(event.target.value) },
      h("option", { value: "niche" }, "niche"),
      h("option", { value: "author" }, "author"),
      h("option", { value: "method" }, "method"),
    );
    this.element = h(
      "div",
      { class: "front" },
      h(
        "div",
        { class: "picture" },
        h(
          "div",
          { class: "tools" },
          ...this._axes(),
          h("label", { for: "colour" }, "Colour by"), colour,
          h("span", { class: "push" }),
          ...this._zooms(),
        ),
        this._plot.element,
        h("div", { class: "rounds" }, this._play, h("label", { for: "round", class: "unseen" }, "Front after round"), this._slider, this._told),
        this._legend,
        this._list,
      ),
      this._panel.element,
    );
  }

  /** A choice of two objectives, where there are more. */
  _axes() {
    if (this._pairs.length < 2) return [];
    const options = this._pairs.map((pair, i) => h("option", { value: i }, nameOf(pair)));
    const chosen = (event) => {
      this._pair = this._pairs[event.target.value];
      this._points();
      this._plot.fit();
    };
    return [h("label", { for: "pair" }, "Show"), h("select", { id: "pair", change: chosen }, ...options)];
  }

  _zooms() {
    const button = (text, label, press) =>
      h("button", { type: "button", class: "small", "aria-label": label, title: label, click: press }, text);
    return [
      button("+", "Zoom in", () => this._plot.zoom(0.7)),
      button("\u2212", "Zoom out", () => this._plot.zoom(1 / 0.7)),
      button("All", "Show everything", () => this._plot.fit()),
    ];
  }

  // -- what is shown ----------------------------------------------------------------

  _points() {
    const { columns, info } = this._data;
    const names = { niche: info.niches, author: columns.authors, method: columns.methods }[this._by];
    const known = Math.max(names.length, ...(this._by === "niche" ? [1 + max(columns.niche)] : [1]));
    const palette = this._by === "niche" ? nicheColours(known) : kindColours(known);
    const { right, up } = this._pair;
    const y = up ? values(columns, up) : columns.score;
    this._plot.setPoints(
      { x: values(columns, right), y, whole: up !== null, colour: columns[this._by], palette },
      { x: axisName(right, device(info.device)), y: up ? `${up.label} (down is better)` : info.sources.unit },
    );
    this._aside = new Set(columns.aside);
    this._keys(names, palette);
    this._slider.max = Math.max(0, this._data.rounds - 1);
    this._slider.disabled = this._data.rounds < 2;
    this._setRound(Math.min(this._round, Number(this._slider.max)));
  }

  _keys(names, palette) {
    const counts = palette.map(() => 0);
    for (const kind of this._data.columns[this._by]) counts[kind]++;
    fill(
      this._legend,
      palette.map((colour, kind) =>
        h(
          "button",
          {
            type: "button", class: "key", "aria-pressed": !this._hidden.has(kind),
            title: "Show or hide", click: (event) => this._hide(kind, event.currentTarget),
          },
          h("span", { class: "dot", style: { background: colour } }),
          names[kind] || `${this._by} ${kind}`,
          h("small", {}, ` ${counts[kind]}`),
        ),
      ),
      this._aside.size
        ? h("span", { class: "key aside" }, h("span", { class: "dot" }), "off the front by a directive", h("small", {}, ` ${this._aside.size}`))
        : null,
    );
  }

  _view() {
    const { round, ...columns } = this._data.columns;
    const kinds = columns[this._by];
    const [until, hidden] = [this._round, this._hidden];
    const shown = hidden.size
      ? (i) => round[i] <= until && !hidden.has(kinds[i])
      : (i) => round[i] <= until;
    const front = this._data.front(until);
    const stairs = this._pairs.length < 2;
    this._plot.setView({ shown, front, stairs, aside: this._aside, selected: this._selected });
    this._told.textContent = this._data.rounds
      ? `after round ${until + 1} of ${this._data.info.rounds}: ${front.length} on the front`
      : "no candidate is evaluated yet";
    clearTimeout(this._listing); // the table may follow a moment later than the picture
    this._listing = setTimeout(() => this._table(front), 120);
  }

  _table(front) {
    const { columns, info } = this._data;
    const rows = front.map((i, n) =>
      h(
        "tr",
        { class: i === this._selected ? "chosen" : null },
        h("td", { class: "n" }, n + 1),
        h("td", {}, link(this._data.id(i), () => this._go("front", this._data.id(i)))),
        ...info.costs.map((cost) => h("td", { class: "n" }, figures(values(columns, cost)[i]))),
        h("td", { class: "n" }, figures(columns.score[i])),
        h("td", {}, info.niches[columns.niche[i]] ?? columns.niche[i]),
        h("td", {}, columns.authors[columns.author[i]]),
      ),
    );
    const heads = [["#", "n"], ["candidate"], ...info.costs.map(({ label }) => [label, "n"]), ["score", "n"], ["niche"], ["designed by"]];
    fill(this._list, table(heads, rows, `The front after round ${this._round + 1}`));
  }

  _describe(i) {
    const { columns, info } = this._data;
    const niche = info.niches[columns.niche[i]] ?? `niche ${columns.niche[i]}`;
    const off = this._aside.has(i) ? ", off the front by a directive" : "";
    return `${this._data.id(i)}: ${costsAt(columns, info.costs, i)}, ${figures(columns.score[i])}, ${niche}${off}`;
  }

  // -- what a person does -------------------------------------------------------------

  _slid() {
    this._setRound(Number(this._slider.value));
  }

  _setRound(round) {
    this._round = round;
    this._slider.value = round;
    this._slider.setAttribute("aria-valuetext", `round ${round + 1}`);
    this._view();
  }

  _colour(by) {
    this._by = by;
    this._hidden.clear();
    this._points();
  }

  _hide(kind, key) {
    if (!this._hidden.delete(kind)) this._hidden.add(kind);
    key.setAttribute("aria-pressed", !this._hidden.has(kind));
    this._view();
  }

  _toggle() {
    clearInterval(this._playing);
    const plays = this._play.textContent === "Play";
    this._play.textContent = plays ? "Pause" : "Play";
    if (!plays) return;
    const last = Number(this._slider.max);
    if (this._round >= last) this._setRound(0);
    const every = Math.max(40, Math.min(STEP, 12000 / (last + 1)));
    this._playing = setInterval(() => {
      if (this._round >= last) return this._toggle();
      this._setRound(this._round + 1);
    }, every);
  }
}

function max(values) {
  return values.reduce((a, b) => Math.max(a, b), 0);
}
