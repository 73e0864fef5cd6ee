// Everything about one candidate: the network as a drawing, figures, reasons, relatives.

import { get, of } from "./api.js";
import { showCall } from "./call.js";
import { drawing, fill, h, link } from "./dom.js";
import { count, figures, latency } from "./words.js";

export class CandidatePanel {
  constructor(data, go) {
    this._data = data;
    this._go = go;
    this._wanted = null;
    this.element = h("aside", { class: "candidate", "aria-label": "Candidate", "aria-live": "off" });
  }

  async show(id) {
    this._wanted = id;
    if (!id) {
      fill(this.element, h("p", { class: "soft" }, "Choose a candidate in the picture or in the table."));
      return;
    }
    try {
      const found = await get(of(this._data.name, `/candidates/${encodeURIComponent(id)}`));
      if (this._wanted === id) fill(this.element, ...this._parts(found));
    } catch (error) {
      if (this._wanted === id) fill(this.element, h("p", { role: "alert" }, error.message));
    }
  }

  _parts(c) {
    return [
      h("h2", {}, c.id),
      h("p", { class: "soft" }, `${c.niche_label}, round ${c.round + 1}`, c.dominators || c.aside ? "" : h("b", { class: "badge" }, "on the front")),
      c.aside ? h("p", { class: "refused" }, `Off the front, since the search was asked to ${c.aside}`) : null,
      drawing(c.drawing),
      h("p", {}, h("code", {}, c.architecture)),
      h("details", {}, h("summary", {}, "In words"), h("p", { class: "soft" }, c.explained)),
      this._figures(c),
      h("h3", {}, "Why"),
      h("blockquote", {}, c.rationale || "No reason was given."),
      h("p", {}, `${c.method} by ${c.author}`, c.call ? [" in ", link(c.call, () => showCall(this._data.name, c.call))] : null),
      this._rules(c.rules),
      this._relatives("Parents", c.parents, c.parents.length),
      this._relatives("Earlier ancestors", c.ancestors, c.ancestors.length),
      this._relatives("Children", c.children, c.children_in_all),
      c.dominators ? this._relatives(`Better in ${this._data.info.costs.length > 1 ? "all" : "both"}`, c.dominated_by, c.dominators) : null,
      this._proxies(c.proxies),
    ];
  }

  _figures(c) {
    const spread = c.spread_ms ? ` ± ${figures(c.spread_ms / 2, 2)}` : "";
    const far = c.extrapolated ? " (extrapolated: far from all networks that were measured)" : "";
    const error = c.uncertainty ? ` ± ${figures(c.uncertainty, 2)}` : "";
    const rows = [
      ["latency", `${latency(c.latency_ms)}${spread}${far}`],
      [c.unit, `${figures(c.score)}${error}`],
      ["energy", c.energy_mj === null ? null : `${figures(c.energy_mj)} mJ`],
      ["parameters", count(c.parameters)],
      ["FLOPs", count(c.flops)],
      ["peak memory", c.memory === null ? null : `${count(c.memory)} B`],
      ["size on disk", c.size === null ? null : `${count(c.size)} B`],
    ].filter(([, value]) => value !== null);
    return [
      h("dl", { class: "figures" }, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("p", {}, h("small", {}, `Score: ${c.score_source}. Latency: ${c.latency_source}.`)),
    ];
  }

  _rules(rules) {
    if (!rules.length) return null;
    const items = rules.map((rule) =>
      h("li", {},
        link(rule.id, () => this._go("rules", rule.id)), " ",
        h("span", { class: `verdict ${rule.status}` }, rule.status), " ", rule.text),
    );
    return [h("h3", {}, "Rules its designer saw"), h("ul", { class: "plain" }, ...items)];
  }

  _relatives(title, relatives, all) {
    if (!relatives.length) return null;
    const items = relatives.map((r) =>
      h("li", {}, link(r.id, () => this._go("front", r.id)),
        h("small", {}, ` ${latency(r.latency_ms)}, ${figures(r.score)}${r.generation ? `, ${r.generation} generations up` : ""}`)),
    );
    const more = all > relatives.length ? h("li", {}, h("small", {}, `and ${all - relatives.length} more`)) : null;
    return h("details", { open: relatives.length < 7 }, h("summary", {}, `${title} (${all})`), h("ul", { class: "relatives" }, ...items, more));
  }

  _proxies(proxies) {
    const found = Object.entries(proxies);
    if (!found.length) return null;
    const rows = found.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, figures(value))));
    return h("details", {}, h("summary", {}, `Proxies (${found.length})`), h("dl", { class: "figures" }, ...rows));
  }
}
