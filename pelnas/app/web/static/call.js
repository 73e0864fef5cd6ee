// One call to a model: what was sent, what came back.

import { get, of } from "./api.js";
import { h } from "./dom.js";
import { count, duration } from "./words.js";

export async function showCall(run, id) {
  const dialog = h("dialog", { class: "call", "aria-label": `Call ${id}`, close: () => dialog.remove() });
  const close = h("button", { type: "button", class: "small", click: () => dialog.close() }, "Close");
  dialog.append(h("div", { class: "head" }, h("h2", {}, `Call ${id}`), close));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  try {
    dialog.append(...parts(await get(of(run, `/calls/${encodeURIComponent(id)}`))));
  } catch (error) {
    dialog.append(h("p", { role: "alert" }, error.message));
  }
}

function parts(call) {
  const cached = call.tokens_cached ? `, ${count(call.tokens_cached)} of them cached` : "";
  const thought = call.tokens_reasoning ? `, ${count(call.tokens_reasoning)} of them reasoning` : "";
  const answered = call.answered_by && call.answered_by !== call.model ? `, answered by ${call.answered_by}` : "";
  return [
    h("p", {}, h("span", { class: `verdict ${call.outcome}` }, call.outcome), call.problem ? `: ${call.problem}` : ""),
    h("p", { class: "soft" },
      `${call.agent}${call.niche === null ? "" : `, niche ${call.niche}`}, attempt ${call.attempt + 1}; asked of ${call.model}${answered};` +
      ` ${count(call.tokens_in)} tokens in${cached}, ${count(call.tokens_out)} out${thought}; ${duration(call.seconds)}; schema ${call.schema}`),
    ...call.messages.map((message) => text(message.role, message.content)),
    text("answer", call.answer),
  ];
}

function text(title, content) {
  return h("section", {}, h("h3", {}, title), h("pre", { tabindex: 0 }, content || "nothing"));
}
