// The configuration that the run was begun with.

import { h, table } from "./dom.js";

export class SettingsTab {
  constructor(data) {
    const { info } = data;
    const rows = Object.entries(info.settings).map(([name, value]) => [name, h("code", {}, JSON.stringify(value))]);
    const models = Object.entries(info.models).map(([role, model]) => [role, h("code", {}, model)]);
    const sources = Object.entries(info.sources);
    this.element = h(
      "div",
      {},
      h("h2", {}, "Where the numbers come from"),
      table([["figure"], ["source"]], sources, "Sources"),
      h("h2", {}, "Models"),
      table([["role"], ["model"]], models, "Models"),
      h("h2", {}, "Settings"),
      table([["setting"], ["value"]], rows, "Settings"),
    );
  }
}
