// Who worked when: a line a round, and the waterfall of the chosen one.

import { get, of } from "./api.js";
import { Again } from "./again.js";
import { showCall } from "./call.js";
import { fill, h } from "./dom.js";
import { clock, count, duration, plural } from "./words.js";

const BAD = new Set(["invalid", "failed", "error", "fallback"]);

export class TimelineTab {
  constructor(data, go) {
    this._data = data;
    this._go = go;
    this._round = null;
    this._bad = false;
    this._agent = "";
    this._list = h("div", { class: "roundlist", role: "listbox", "aria-label": "Rounds", tabindex: 0, keydown: (e) => this._key(e) });
    this._fall = h("div", { class: "waterfall" });
    const bad = h("input", { type: "checkbox", id: "bad", change: (e) => this._filter(e.target.checked, this._agent) });
    const agents = h(
      "select",
      { id: "agent", change: (e) => this._filter(this._bad, e.target.value) },
      ...["", "planner", "designer", "reflection"].map((name) => h("option", { value: name }, name || "every agent")),
    );
    this.element = h(
      "div",
      { class: "timeline" },
      this._list,
      h("div", { class: "lane" },
        h("div", { class: "tools" }, h("label", { for: "agent" }, "Show"), agents, bad, h("label", { for: "bad" }, "only what went wrong")),
        this._fall),
    );
    this._again = new Again(() => this._load(), ["call", "step-begun", "step-ended", "round-done", "run-finished"]);
  }

  async show(item) {
    const wanted = item === null ? null : Number(item) - 1;
    if (!this._rounds) await this._load(wanted);
    else if (wanted !== null) await this._choose(wanted);
  }

  told(event) {
    this._again.told(event);
  }

  async _load(wanted = null) {
    const before = this._rounds?.length;
    const last = this._rounds?.at(-1)?.round ?? null;
    this._rounds = await get(of(this._data.name, "/timeline"));
    const newest = this._rounds.at(-1)?.round ?? null;
    const follows = this._round === null || this._round === last;
    this._drawList();
    const to = wanted ?? (follows ? newest : this._round);
    if (to === null) fill(this._fall, h("p", {}, "No round has begun, or this run is of a pelnas that kept no timeline."));
    else await this._choose(to, before !== undefined);
  }

  _drawList() {
    const longest = Math.max(1e-9, ...this._rounds.map(lasted));
    fill(
      this._list,
      this._rounds.map((round) =>
        h(
          "div",
          { class: "roundline", role: "option", id: `round-${round.round}`, "aria-selected": round.round === this._round, click: () => this._go("timeline", round.round + 1) },
          h("b", {}, `round ${round.round + 1}`),
          h("span", { class: "lasted" }, h("i", { style: { width: `${(100 * lasted(round)) / longest}%` } })),
          h("small", {}, `${duration(lasted(round))}, ${plural(round.calls, "call")}, ${count(round.tokens)} tokens`),
          round.failed ? h("small", { class: "bad" }, ` ${round.failed} wrong`) : null,
        ),
      ),
    );
  }

  async _choose(round, quiet = false) {
    this._list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", false);
    this._round = round;
    const line = document.getElementById(`round-${round}`) ?? this._list.children[round];
    line?.setAttribute("aria-selected", true);
    if (line) this._list.setAttribute("aria-activedescendant", line.id);
    if (!quiet && line) this._list.scrollTop = line.offsetTop - this._list.clientHeight / 2;
    try {
      this._shown = await get(of(this._data.name, `/timeline/${round}`));
    } catch (error) {
      fill(this._fall, h("p", { role: "alert" }, error.message));
      return;
    }
    if (this._round === round) this._drawFall();
  }

  _filter(bad, agent) {
    [this._bad, this._agent] = [bad, agent];
    if (this._shown) this._drawFall();
  }

  _key(event) {
    const at = this._rounds.findIndex((round) => round.round === this._round);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this._rounds.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const round = this._rounds[Math.min(Math.max(to, 0), this._rounds.length - 1)];
    if (round) this._go("timeline", round.round + 1);
  }

  _drawFall() {
    const { spans, notes, began, ended } = this._shown;
    const now = ended ?? Math.max(began, ...spans.map((span) => span.ended ?? span.began));
    const scale = { from: began, width: Math.max(now - began, 1e-3) };
    const wanted = spans.filter(
      (span) => (!this._bad || BAD.has(span.outcome)) && (!this._agent || span.agent === this._agent),
    );
    const told = notes.filter((note) => note.text);
    fill(
      this._fall,
      h("h2", {}, `Round ${this._shown.round + 1}`),
      h("p", { class: "soft" }, `${clock(began)}, ${ended ? duration(ended - began) : "under way"}`),
      wanted.length ? h("ol", { class: "spans" }, ...wanted.map((span) => this._line(span, scale))) : h("p", {}, "Nothing of that kind in this round."),
      told.length ? [h("h3", {}, "Noted"), h("ul", { class: "plain" }, ...told.map((note) =>
        h("li", {}, h("span", { class: `verdict ${note.kind}` }, note.kind), ` ${note.agent}${note.niche === null ? "" : ` niche ${note.niche}`} ${note.text}`)))] : null,
    );
  }

  _line(span, { from, width }) {
    const left = (100 * (span.began - from)) / width;
    const long = (100 * ((span.ended ?? from + width) - span.began)) / width;
    const name = span.sort === "step" ? `${span.span.split(".")[1]}${span.niche === null ? "" : ` ${span.niche}`}` : span.call.replace(/^r\d+\./, "") || span.by || span.span;
    const label = `${span.call || name}, ${span.ended ? duration(span.ended - span.began) : "under way"}${span.tokens ? `, ${count(span.tokens)} tokens` : ""}`;
    const inner = [
      h("span", { class: "name", style: { "padding-left": `${0.9 * (span.depth - 1)}rem` } }, span.call ? h("u", {}, name) : name),
      h("span", { class: "track" }, h("i", { class: `${span.agent || "program"} ${BAD.has(span.outcome) ? "bad" : ""} ${span.sort}`, style: { left: `${left}%`, width: `${long}%` } })),
      h("small", {}, span.ended ? duration(span.ended - span.began) : "\u2026", span.tokens ? `, ${count(span.tokens)} t` : "", BAD.has(span.outcome) ? h("b", { class: "bad" }, ` ${span.outcome}`) : ""),
    ];
    const title = [span.by, span.outcome, span.problem].filter(Boolean).join(", ");
    const made = span.call
      ? h("button", { type: "button", class: "span", title, "aria-label": `${label}: show prompt and answer`, click: () => showCall(this._data.name, span.call) }, ...inner)
      : h("div", { class: "span", title }, ...inner);
    return h("li", {}, made);
  }
}

function lasted(round) {
  return Math.max(0, (round.ended ?? round.began) - round.began);
}
