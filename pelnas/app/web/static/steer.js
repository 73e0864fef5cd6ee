// Talking to a run: questions are answered from its data, orders are said back and given after a yes.

import { get, of, opened, post } from "./api.js";
import { Again } from "./again.js";
import { showCall } from "./call.js";
import { fill, h, link } from "./dom.js";
import { clock, plural } from "./words.js";

const QUICK = [
  ["/status", "How does it stand?"], ["/front", "The front"], ["/rules", "The rules"], ["/pause", "Pause"],
  ["/resume", "Resume"], ["/waiting", "What waits for a yes"], ["/stop", "Stop after this round"],
];
const IDS = /\b(r\d+\.[a-z]+(?:\.n\d+)?\.a\d+|r\d+n\d+c\d+|R[0-9a-f]{10})\b/;

export class SteerTab {
  constructor(data, go) {
    this._data = data;
    this._go = go;
    this._talk = crypto.randomUUID();
    this._log = h("ol", { class: "talk", "aria-label": "Conversation", "aria-live": "polite", tabindex: 0 });
    this._ask = h("div", { class: "tools" });
    this._cost = h("p", { class: "soft cost" });
    this._line = h("input", {
      id: "command", type: "text", autocomplete: "off", spellcheck: "false", maxlength: 1000, list: "forms",
      placeholder: "/why r2n3c4",
    });
    this._forms = h("datalist", { id: "forms" });
    this._given = h("ol", { class: "given", "aria-label": "Directives" });
    this._help = h("div", {});
    const quick = QUICK.map(([command, text]) =>
      h("button", { type: "button", class: "small", click: () => this._say(command) }, text),
    );
    this.element = h(
      "div",
      { class: "steer" },
      h("div", {},
        this._log, this._ask,
        h("form", { class: "line", submit: (event) => this._submitted(event) },
          h("label", { for: "command", class: "unseen" }, "Question or order"), this._line, this._forms,
          h("button", { type: "submit" }, "Send")),
        this._cost,
        h("div", { class: "tools" }, ...quick),
        h("h2", {}, "Directives"), this._given),
      h("aside", { "aria-label": "Commands" }, this._help),
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
    fill(this._forms, [...grammar.questions, ...grammar.orders].map(({ form }) => h("option", { value: form })));
    const list = (forms) => h("dl", { class: "grammar" }, ...forms.map(({ form, does }) =>
      h("div", {}, h("dt", {}, h("button", { type: "button", class: "link", click: () => this._insert(form) }, form)), h("dd", {}, does))));
    fill(this._help,
      h("details", { open: true }, h("summary", {}, "Questions"), list(grammar.questions)),
      h("details", { open: true }, h("summary", {}, "Orders, given after a yes"), list(grammar.orders)));
    if (!this._log.children.length) {
      fill(this._log, h("li", { class: "soft" }, "Ask what you want to know. An order is said back in plain words, and nothing changes before a yes."));
    }
  }

  _insert(form) {
    this._line.value = form.replace(/ \[.*/, "");
    this._line.focus();
  }

  // -- the conversation ---------------------------------------------------------------

  _submitted(event) {
    event.preventDefault();
    const words = this._line.value.trim();
    if (words) this._say(words);
  }

  async _say(line) {
    if (this._busy) return; // one line after the other, as the answers belong to them
    this._busy = true;
    this._line.value = "";
    fill(this._ask, h("p", { class: "soft" }, "\u2026"));
    this._add("said", h("b", {}, "you"), " ", h("code", {}, line));
    try {
      const { says, waiting, cost } = await post(of(this._data.name, "/talk"), { talk: this._talk, line });
      for (const text of says) this._add(waiting ? "reply confirm" : "reply", this._linked(text));
      fill(this._cost, cost);
      if (waiting) this._confirm();
      else this._dismiss();
      await this._load();
    } catch (error) {
      this._add("reply refused", error.message);
      this._dismiss();
    }
    this._busy = false;
  }

  _add(kind, ...parts) {
    this._log.querySelector("li.soft")?.remove();
    this._log.append(h("li", {}, h("div", { class: kind }, ...parts)));
    this._log.scrollTop = this._log.scrollHeight;
  }

  _confirm() {
    const yes = h("button", { type: "button", click: () => this._say("yes") }, "Yes, do it");
    fill(this._ask, yes, h("button", { type: "button", class: "small", click: () => this._say("no") }, "No"));
    yes.focus();
  }

  _dismiss() {
    fill(this._ask);
    this._line.focus();
  }

  /** Text with the ids in it as links. */
  _linked(text) {
    return text.split(IDS).map((part, i) => (i % 2 ? this._to(part) : part));
  }

  _to(id) {
    if (id.includes(".")) return link(id, () => showCall(this._data.name, id));
    return link(id, () => this._go(id.startsWith("R") ? "rules" : "front", id));
  }

  // -- the directives -----------------------------------------------------------------

  async _load() {
    const given = await get(of(this._data.name, "/directives"));
    fill(this._given, given.length ? given.map(directive) : h("li", { class: "soft" }, "Nobody has steered this run."));
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
    d.outcome,
  ].filter(Boolean);
  return h(
    "li",
    {},
    h("p", {}, h("b", {}, d.id), " ", h("span", { class: `verdict ${d.status}` }, d.status), ` ${d.asks}`),
    h("p", {}, h("small", {}, `${d.author}, ${clock(d.time)}: `, h("code", {}, d.words || d.command))),
    h("p", {}, h("small", {}, [since, d.reason, ...held].filter(Boolean).join("; "))),
  );
}

/** How many of the designs are as asked, before and since. */
function shares({ share_before: before, share_after: after }) {
  const percent = (share) => (share === null ? "none" : `${Math.round(100 * share)} %`);
  return before === null && after === null ? "" : `as asked: ${percent(before)} of the designs before, ${percent(after)} since`;
}
