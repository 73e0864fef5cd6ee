// What a run trades off, and the pictures of two objectives each that follow from it.

import { figures, latency } from "./words.js";

/** Each cost with the score, then each two costs; `up`: null for the score. */
export function pairsOf(costs) {
  const both = costs.flatMap((right, i) => costs.slice(i + 1).map((up) => ({ right, up })));
  return [...costs.map((right) => ({ right, up: null })), ...both];
}

/** The costs that all of these runs trade off. */
export function shared(runs) {
  return runs[0].costs.filter(({ name }) => runs.every(({ costs }) => costs.some((own) => own.name === name)));
}

/** A pair in words, for a list to choose from. */
export function nameOf({ right, up }) {
  return `${up ? up.name : "score"} over ${right.name}`;
}

/** What an axis is called; `where`: the device, which a count of parameters does not depend on. */
export function axisName({ name, unit, label }, where) {
  return name === "latency" || name === "energy" ? `${name} on ${where}, ${unit}` : label;
}

/** The values of a cost by place, null where the device cannot run the network. */
export function values(columns, { name }) {
  return name === "latency" ? columns.latency : columns.costs[name];
}

/** All costs of the network at a place, in words. */
export function costsAt(columns, costs, i) {
  const more = costs.filter(({ name }) => name !== "latency");
  return [latency(columns.latency[i]), ...more.map((cost) => withUnit(values(columns, cost)[i], cost))].join(", ");
}

function withUnit(value, { name, unit }) {
  if (value === null) return `${name} unknown`;
  return unit ? `${figures(value)} ${unit}` : `${figures(value)} ${name}`;
}
