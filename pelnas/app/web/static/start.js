// The form that starts a search.

import { get, opened, post } from "./api.js";
import { fill, h } from "./dom.js";

const WAIT = 300; // ms between two looks at a search that is starting

export async function startPage() {
  return new StartPage(await opened());
}

class StartPage {
  constructor({ choices, defaults }) {
    this.title = "New search";
    this._choices = choices;
    this._defaults = defaults;
    this._told = h("p", { role: "alert" });
    this._button = h("button", { type: "submit" }, "Start the search");
    this.element = h(
      "section",
      { class: "start" },
      h("h1", {}, "New search"),
      h("p", { class: "soft" }, "It runs as a process of its own and goes on when this page, or its server, is closed."),
      h("form", { submit: (event) => this._submitted(event) },
        this._group("What to search", [
          this._field("name", "name of the run"),
          this._field("space", "search space"),
          this._field("device", "device; host is this machine"),
          this._field("accuracy", "accuracy predictor"),
          this._field("images", "images: folder, .npz, .parquet"),
          this._field("data", "folder of benchmark tables"),
          this._field("dataset", "data set of the tables"),
        ]),
        this._group("How long", [
          this._number("rounds", "rounds"),
          this._number("per_niche", "designs a niche and round"),
          this._number("max_evaluations", "evaluations at most"),
          this._number("max_minutes", "minutes at most", "any"),
          this._number("max_calls", "model calls at most"),
          this._number("max_tokens", "tokens at most"),
          "dollars" in this._defaults.budget ? this._number("max_dollars", "dollars at most", "any") : null,
        ]),
        this._group("Who designs", [
          this._field("model", "model, provider:model"),
          this._field("planner_model", "another planner"),
          this._field("designer_model", "another designer"),
          this._field("reflection_model", "another reflection"),
          this._field("base_url", "OpenAI-compatible server"),
          this._number("temperature", "temperature", "any"),
        ]),
        this._group("Details", [
          this._number("seed", "seed"),
          this._field("partition", "cut the space by"),
          this._number("reference", "networks that set the scale"),
          this._number("batch", "images a proxy sees"),
          this._number("resolution", "pixels a side of the images"),
        ]),
        h("div", { class: "tools" }, this._button), this._told),
    );
  }

  end() {
    this._ended = true;
  }

  _group(title, fields) {
    return h("fieldset", {}, h("legend", {}, title), ...fields);
  }

  _field(name, text) {
    const options = this._choices[name];
    const fixed = options && !["device"].includes(name);
    const input = fixed
      ? h("select", { id: `f-${name}`, name }, ...options.map((o) => h("option", { value: o, selected: o === this._defaults[name] }, o)))
      : h("input", { id: `f-${name}`, name, type: "text", placeholder: this._default(name), autocomplete: "off", spellcheck: "false" });
    return h("p", {}, h("label", { for: `f-${name}` }, text), input);
  }

  _number(name, text, step = 1) {
    const input = h("input", { id: `f-${name}`, name, type: "number", min: 0, step, placeholder: this._default(name) });
    return h("p", {}, h("label", { for: `f-${name}` }, text), input);
  }

  _default(name) {
    const { budget, scoring } = this._defaults;
    const value = this._defaults[name] ?? scoring[name] ?? budget[name.replace("max_", "")];
    return value === null || value === undefined ? "" : String(value);
  }

  async _submitted(event) {
    event.preventDefault();
    const given = {};
    for (const input of event.target.elements) {
      const value = input.value?.trim();
      if (!input.name || !value || (input.tagName === "SELECT" && value === this._defaults[input.name])) continue;
      given[input.name] = input.type === "number" ? Number(value) : value;
    }
    this._button.disabled = true;
    try {
      const { number } = await post("/api/runs", given);
      await this._wait(number);
    } catch (error) {
      this._told.textContent = error.message;
    }
    this._button.disabled = false;
  }

  /** Until the search has a folder, or has ended without one. */
  async _wait(number) {
    fill(this._told, "The search is starting …");
    while (!this._ended) {
      const { run, ended, problem } = await get(`/api/starts/${number}`);
      if (run) {
        location.hash = `#/run/${encodeURIComponent(run)}`;
        return;
      }
      if (ended) throw new Error(problem);
      await new Promise((resolve) => setTimeout(resolve, WAIT));
    }
  }
}
