// All runs of the folder.

import { get, opened } from "./api.js";
import { h, table } from "./dom.js";
import { moment } from "./words.js";

export async function runsPage() {
  const [runs, { output }] = await Promise.all([get("/api/runs"), opened()]);
  const element = h(
    "section",
    {},
    h(
      "div",
      { class: "head" },
      h("h1", {}, "Runs"),
      h("a", { class: "button", href: "#/new" }, "New search"),
    ),
    h("p", { class: "soft" }, `In ${output}, newest first.`),
    runs.length ? list(runs) : h("p", {}, "There is no run here yet: start a search."),
  );
  return { title: "Runs", element };
}

function list(runs) {
  const columns = [
    ["run"], ["state"], ["started"], ["rounds", "n"], ["designs", "n"], ["models"], ["why it ended"],
  ];
  const rows = runs.map((run) => [
    run.status === "unreadable"
      ? run.name
      : h("a", { href: `#/run/${encodeURIComponent(run.name)}` }, run.name),
    h("span", { class: `state ${run.status}` }, run.status),
    moment(run.started),
    run.rounds,
    run.candidates,
    run.models.join(", "),
    run.reason,
  ]);
  return table(columns, rows, "Runs");
}
