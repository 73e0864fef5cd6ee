// Talking to a running search: a command is said back in plain words and given only after a yes.

import { get, of, opened, post } from "./api.js";
import { Again } from "./again.js";
import { fill, h } from "./dom.js";
import { clock, plural } from "./words.js";

export class SteerTab {
  constructor(data) {
    this._data = data;
    this._log = h("ol", { class: "talk", "aria-label": "Conversation", "aria-live": "polite" });
    this._ask = h("div", {});
    this._line = h("input", {
      id: "command", type: "text", autocomplete: "off", spellcheck: "false", maxlength: 1000, list: "forms",
      placeholder: "/focus latency<=5",
    });
    this._forms = h("datalist", { id: "forms" });
    this._help = h("div", {});
    const quick = [["/pause", "Pause"], ["/resume", "Resume"], ["/stop", "Stop after this round"]].map(([command, text]) =>
      h("button", { type: "button", class: "small", click: () => this._check(command) }, text),
    );
    this.element = h(
      "div",
      { class: "steer" },
      h("div", {}, this._log, this._ask,
        h("form", { class: "line", submit: (event) => this._submitted(event) },
          h("label", { for: "command", class: "unseen" }, "Command"), this._line, this._forms,
          h("button", { type: "submit" }, "Ask")),
        h("div", { class: "tools" }, ...quick)),
      h("aside", { "aria-label": "Commands" }, h("h2", {}, "Commands"), this._help),
    );
    this._again = new Again(() => this._load(), ["directive", "paused", "unpaused", "round-done", "run-finished"]);
  }

  async show() {
    if (!this._help.children.length) await this._explain();
    await this._load();
  }

  told(event) {
    this._again.told(event);
  }

  async _explain() {
    const { grammar } = await opened();
    fill(this._forms, grammar.map(({ form }) => h("option", { value: form })));
    fill(this._help, h("dl", { class: "grammar" }, ...grammar.map(({ form, does }) =>
      h("div", {}, h("dt", {}, h("button", { type: "button", class: "link", click: () => this._insert(form) }, form)), h("dd", {}, does)))));
  }

  _insert(form) {
    this._line.value = form.replace(/ \[.*/, "");
    this._line.focus();
  }

  async _load() {
    const given = await get(of(this._data.name, "/directives"));
    fill(this._log, given.length ? given.map(directive) : h("li", { class: "soft" }, this._empty()));
  }

  _empty() {
    return this._data.state === "finished"
      ? "This run is finished, and nobody steered it."
      : "Nobody has steered this run yet. What you ask is said back in plain words before anything changes.";
  }

  _submitted(event) {
    event.preventDefault();
    const words = this._line.value.trim();
    if (words) this._check(words);
  }

  async _check(words) {
    try {
      const checked = await post(of(this._data.name, "/directives/check"), { command: words });
      this._confirm(words, checked);
    } catch (error) {
      fill(this._ask, h("p", { role: "alert", class: "refused" }, error.message));
    }
  }

  _confirm(words, { command, says }) {
    const yes = h("button", { type: "button", click: () => this._give(words, command) }, "Yes, do it");
    const no = h("button", { type: "button", class: "small", click: () => this._dismiss() }, "No");
    fill(this._ask,
      h("div", { class: "confirm", role: "group", "aria-labelledby": "confirm" },
        h("p", { id: "confirm" }, "Shall the search ", h("b", {}, says), "?"),
        h("p", {}, h("code", {}, command)),
        h("div", { class: "tools" }, yes, no)));
    yes.focus();
  }

  async _give(words, command) {
    try {
      await post(of(this._data.name, "/directives"), { command, words });
      this._line.value = "";
      this._dismiss();
      await this._load();
    } catch (error) {
      fill(this._ask, h("p", { role: "alert", class: "refused" }, error.message));
    }
  }

  _dismiss() {
    fill(this._ask);
    this._line.focus();
  }
}

function directive(d) {
  const since = d.round === null ? "waits until the piece of work under way is done" : `from round ${d.round + 1} on, before ${d.node}`;
  const held = [
    d.refused ? `${plural(d.refused, "proposal")} refused` : "",
    d.avoided ? `${plural(d.avoided, "child", "children")} passed over` : "",
    d.niches.length ? `in niches ${d.niches.join(", ")}` : "",
    d.aside ? `${plural(d.aside, "earlier candidate")} off the front` : "",
    shares(d),
  ].filter(Boolean);
  return h(
    "li",
    {},
    h("p", { class: "said" }, h("b", {}, d.author), h("small", {}, ` ${clock(d.time)}, ${d.id}`), h("br"), h("code", {}, d.words || d.command)),
    h("p", { class: "reply" }, h("span", { class: `verdict ${d.status}` }, d.status), ` ${d.asks}`, h("br"),
      h("small", {}, [since, d.reason, ...held].filter(Boolean).join("; "))),
  );
}

/** How many of the designs are as asked, before and since. */
function shares({ share_before: before, share_after: after }) {
  const percent = (share) => (share === null ? "none" : `${Math.round(100 * share)} %`);
  return before === null && after === null ? "" : `as asked: ${percent(before)} of the designs before, ${percent(after)} since`;
}
