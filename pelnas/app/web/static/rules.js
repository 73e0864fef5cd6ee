// Design rules: claims, what measuring them said, and how the verdict changed.

import { get, of } from "./api.js";
import { Again } from "./again.js";
import { fill, h, link, table } from "./dom.js";
import { figures } from "./words.js";

const VERDICTS = ["in-force", "weakened", "proposed", "retired"];

export class RulesTab {
  constructor(data, go) {
    this._data = data;
    this._go = go;
    this._rules = null;
    this._shown = new Set(["in-force", "weakened", "proposed"]);
    this._keys = h("div", { class: "legend", role: "group", "aria-label": "Shown verdicts" });
    this._list = h("div", {});
    this.element = h(
      "div",
      {},
      h("p", { class: "soft" },
        "Agents claim, the program measures: a rule guides the designers only while the evaluations bear it out." +
        " The effect runs from \u22121 to 1 and is positive where the claim is right."),
      this._keys, this._list,
    );
    this._again = new Again(() => this._load(), ["learned", "run-finished"]);
  }

  async show(id) {
    if (this._rules === null) await this._load();
    if (!id) return;
    const rule = this._rules.find((one) => one.id === id);
    if (rule && !this._shown.has(rule.status)) {
      this._shown.add(rule.status);
      this._draw();
    }
    this._chosen = id;
    const row = document.getElementById(`rule-${id}`);
    row?.scrollIntoView({ block: "center" });
    for (const other of this._list.querySelectorAll("tr.chosen")) other.classList.remove("chosen");
    row?.classList.add("chosen");
  }

  told(event) {
    this._again.told(event);
  }

  async _load() {
    this._rules = await get(of(this._data.name, "/rules"));
    this._draw();
  }

  _draw() {
    fill(this._keys, VERDICTS.map((verdict) => this._key(verdict)));
    const order = (rule) => VERDICTS.indexOf(rule.status);
    const rules = this._rules
      .filter((rule) => this._shown.has(rule.status))
      .sort((a, b) => order(a) - order(b) || (b.measured ?? 0) - (a.measured ?? 0));
    const columns = [
      ["rule"], ["verdict"], ["claim", "why"], ["where"], ["effect", "n"], ["side effect", "n"], ["for / against", "n"],
      ["shaped", "n"], ["verdicts"], ["evidence", "some"],
    ];
    fill(this._list, rules.length ? table(columns, rules.map((rule) => this._row(rule)), "Rules") : h("p", {}, "No such rule."));
  }

  _key(verdict) {
    const number = this._rules.filter((rule) => rule.status === verdict).length;
    const press = () => {
      if (!this._shown.delete(verdict)) this._shown.add(verdict);
      this._draw();
      this._keys.children[VERDICTS.indexOf(verdict)].focus();
    };
    return h("button", { type: "button", class: "key", "aria-pressed": this._shown.has(verdict), click: press },
      h("span", { class: `verdict ${verdict}` }, verdict), h("small", {}, ` ${number}`));
  }

  _row(rule) {
    const { niche } = rule.scope;
    const born = rule.born < 0 ? "an earlier run" : `round ${rule.born + 1}`;
    const error = rule.error === null ? null : h("small", {}, ` ± ${figures(rule.error, 2)}`);
    return h(
      "tr",
      { id: `rule-${rule.id}`, class: rule.id === this._chosen ? "chosen" : null },
      h("td", {}, h("code", {}, rule.id)),
      h("td", {}, h("span", { class: `verdict ${rule.status}` }, rule.status)),
      h("td", { class: "why" }, rule.text,
        h("br"), h("small", {}, `${rule.polarity} ${rule.metric}: `, h("code", {}, rule.predicate)),
        h("br"), h("small", {}, `${rule.author || "unknown author"}, ${born}${rule.reason ? `; ${rule.reason}` : ""}`)),
      h("td", {}, niche === null ? "every niche" : (this._data.info.niches[niche] ?? `niche ${niche}`)),
      h("td", { class: "n" }, figures(rule.measured, 3), error),
      h("td", { class: "n" }, figures(rule.side_effect, 3)),
      h("td", { class: "n" }, `${rule.support} / ${rule.contradictions}`),
      h("td", { class: "n" }, rule.shaped),
      h("td", {}, history(rule.history)),
      h("td", { class: "some" }, this._evidence(rule.evidence)),
    );
  }

  _evidence(ids) {
    if (!ids.length) return null;
    const links = ids.map((id) => [link(id, () => this._go("front", id)), " "]);
    return ids.length > 4
      ? h("details", {}, h("summary", {}, `${ids.length} candidates`), ...links)
      : links;
  }
}

/** One mark a round, in the colour of its verdict. */
function history(versions) {
  const words = versions.map((v) => `${v.round < 0 ? "before" : `round ${v.round + 1}`}: ${v.status}`);
  const changes = words.filter((_, i) => !i || versions[i].status !== versions[i - 1].status);
  return h(
    "span",
    { class: "history", role: "img", "aria-label": changes.join(", "), title: changes.join("\n") },
    ...versions.slice(-40).map((v) => h("i", { class: v.status })),
  );
}
