// One run as the page knows it: loaded once, then kept up to date by its events.

import { follow, get, of } from "./api.js";

const OFTEN = 1500; // ms between two looks at the run's head while it is live
const SELDOM = 4000; // ms between two loads of all candidates
const WHOLE = new Set(["round-done", "run-finished", "run-stopped"]);
const IDS = /^r(\d+)n(\d+)c(\d+)$/;

export class RunData extends EventTarget {
  constructor(name) {
    super();
    this.name = name;
    this.info = null;
    this.columns = null;
    this.state = "";
    this.recent = []; // the last events, for whoever shows them
    this._scores = new Map();
    this._places = null;
    this._timers = {};
    this._loaded = {};
    this._end = null;
  }

  /** Throws where there is no such run. */
  async load() {
    const [info, columns] = await Promise.all([
      get(of(this.name)),
      get(of(this.name, "/candidates")),
    ]);
    this._take(info);
    this._setColumns(columns);
    this._loaded.columns = performance.now();
    if (this.state !== "finished") this._follow();
  }

  /** Ask for what the other tabs show, so that it is known when somebody looks. */
  async ahead() {
    for (const what of ["/timeline", "/niches", "/rules", "/growth", "/directives"]) {
      await get(of(this.name, what)).catch(() => null); // the tab itself will say what is wrong
    }
  }

  close() {
    this._end?.();
    for (const timer of Object.values(this._timers)) clearTimeout(timer);
  }

  get length() {
    return this.columns.round.length;
  }

  id(i) {
    const { round, niche, slot } = this.columns;
    return `r${round[i]}n${niche[i]}c${slot[i]}`;
  }

  /** The place of a candidate, -1 for one that is not evaluated. */
  place(id) {
    if (this._places === null || this._places.size !== this.length) {
      this._places = new Map(this.columns.round.map((_, i) => [this.id(i), i]));
    }
    return this._places.get(id) ?? -1;
  }

  /** Rounds that have evaluations. */
  get rounds() {
    return this.columns.fronts.length;
  }

  /** Places of the front after a round, by the first cost. */
  front(round) {
    return this.columns.fronts[Math.min(round, this.rounds - 1)] ?? [];
  }

  // -- following --------------------------------------------------------------

  _follow() {
    this._end = follow(this.name, this.info.seq, {
      onEvent: (event) => this._event(event),
      onState: (state) => this._setState(state),
      onBroken: (again) => this._changed("link", again ? "reconnecting" : "closed"),
    });
  }

  _event(event) {
    this.recent.push(event);
    if (this.recent.length > 200) this.recent.shift();
    if (event.kind === "predicted") this._scores.set(event.data.candidate, event.data.score);
    if (event.kind === "evaluated") this._append(event);
    if (event.kind === "directive") this._now("columns", () => this._reload());
    else if (WHOLE.has(event.kind)) this._soon("columns", SELDOM, () => this._reload());
    else if (event.kind === "evaluated" && this.columns.constrained) {
      this._soon("columns", OFTEN, () => this._reload()); // whether it may be on the front
    }
    this._soon("info", OFTEN, async () => this._take(await get(of(this.name))));
    this._changed("told", event);
  }

  /** A candidate that has just been evaluated; what its event does not tell comes with the next load. */
  _append(event) {
    const found = IDS.exec(event.data.candidate);
    const score = this._scores.get(event.data.candidate);
    if (!found || score === undefined || this.place(event.data.candidate) >= 0) return;
    const [round, niche, slot] = found.slice(1).map(Number);
    const { columns } = this;
    columns.round.push(round);
    columns.niche.push(niche);
    columns.slot.push(slot);
    columns.latency.push(event.data.latency_ms);
    for (const values of Object.values(columns.costs)) values.push(null);
    columns.score.push(score);
    columns.author.push(Math.max(0, columns.authors.indexOf(this.info.models.designer)));
    columns.method.push(0);
    if (!columns.authors.length) columns.authors.push(this.info.models.designer);
    if (!columns.methods.length) columns.methods.push("");
    while (this.rounds <= round) columns.fronts.push(columns.fronts.at(-1) ?? []);
    // Where rounds overlap, a later one may have drafts that were evaluated already.
    for (let r = round; !columns.constrained && r < this.rounds; r += 1) columns.fronts[r] = joined(columns, columns.fronts[r], this.length - 1);
    this._soon("drawn", 150, () => this._changed("columns"));
  }

  async _reload() {
    const mine = (this._turn = (this._turn ?? 0) + 1);
    const columns = await get(of(this.name, "/candidates"));
    if (mine !== this._turn) return; // a later answer is on its way
    this._setColumns(columns);
    for (const event of this.recent) {
      if (event.kind === "evaluated") this._append(event); // told while the answer was under way
    }
    this._changed("columns");
  }

  _setColumns(columns) {
    this.columns = columns;
    this._places = null;
  }

  _take(info) {
    this.info = info;
    this._setState(info.status);
    this._changed("info");
  }

  _setState(state) {
    if (state === this.state) return;
    this.state = state;
    this._changed("state");
    if (state === "finished") {
      this._end?.();
      this._now("columns", () => this._reload());
      this._now("info", async () => this._take(await get(of(this.name))));
    }
  }

  /** Do something at once, in place of what would be done later. */
  _now(what, work) {
    clearTimeout(this._timers[what]);
    this._timers[what] = 0;
    this._soon(what, 0, work);
  }

  /** Do something once soon, however often it is asked for, and not more often than every so many ms. */
  _soon(what, every, work) {
    if (this._timers[what]) return;
    const wait = Math.max(0, (this._loaded[what] ?? -Infinity) + every - performance.now());
    this._timers[what] = setTimeout(async () => {
      this._timers[what] = 0;
      this._loaded[what] = performance.now();
      try {
        await work();
      } catch (error) {
        this._changed("link", error.message);
      }
    }, wait);
  }

  _changed(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

/** The front with one more point: what it dominates goes, and it stays out where it is dominated. */
function joined({ latency, score }, front, i) {
  if (latency[i] === null) return front;
  if (front.some((j) => latency[j] <= latency[i] && score[j] >= score[i])) return front;
  const kept = front.filter((j) => latency[j] < latency[i] || score[j] > score[i]);
  return [...kept, i].sort((a, b) => latency[a] - latency[b]);
}
