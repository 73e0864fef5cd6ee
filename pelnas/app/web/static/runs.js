// All runs of the folder.

import { get, opened } from "./api.js";
import { h, table } from "./dom.js";
import { moment } from "./words.js";

export async function runsPage() {
  const [runs, { output }] = await Promise.all([get("/api/runs"), opened()]);
  const chosen = new Set();
  const compare = h("a", { class: "button", href: "#/compare" }, "Compare");
  const choose = (name, wanted) => {
    if (wanted) chosen.add(name);
    else chosen.delete(name);
    compare.href = ["#/compare", ...[...chosen].map(encodeURIComponent)].join("/");
    compare.textContent = chosen.size ? `Compare ${chosen.size}` : "Compare";
  };
  const element = h(
    "section",
    {},
    h("div", { class: "head" },
      h("h1", {}, "Runs"),
      h("span", { class: "push" }),
      runs.length > 1 ? compare : null,
      h("a", { class: "button", href: "#/new" }, "New search")),
    h("p", { class: "soft" }, `In ${output}, newest first.`),
    runs.length ? list(runs, choose) : h("p", {}, "There is no run here yet: start a search."),
  );
  return { title: "Runs", element };
}

function list(runs, choose) {
  const columns = [
    [""], ["run"], ["state"], ["started"], ["rounds", "n"], ["designs", "n"], ["models"], ["why it ended"],
  ];
  const rows = runs.map((run) => {
    const readable = run.status !== "unreadable";
    return [
      readable
        ? h("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, change: (event) => choose(run.name, event.target.checked) })
        : null,
      readable ? h("a", { href: `#/run/${encodeURIComponent(run.name)}` }, run.name) : run.name,
      h("span", { class: `state ${run.status}` }, run.status),
      h("span", { class: "time" }, moment(run.started)),
      run.rounds,
      run.candidates,
      run.models.join(", "),
      run.reason,
    ];
  });
  return table(columns, rows, "Runs");
}
