// How the hypervolume grew, as a line for each run.

import { h, s } from "./dom.js";

const [WIDTH, HEIGHT] = [600, 150];

/** `lines`: {evaluations, hypervolume, colour}; `caption(last)`: told of the last value of each. */
export function curves(lines, caption) {
  const drawn = lines.filter((line) => line.hypervolume.length > 1);
  if (!drawn.length) return null;
  const all = drawn.flatMap((line) => line.hypervolume);
  const most = Math.max(...drawn.map((line) => line.evaluations.at(-1)));
  const low = Math.max(0, Math.min(...all) - 0.02);
  const high = Math.min(1, Math.max(...all) + 0.02);
  const x = (n) => 40 + ((WIDTH - 50) * n) / most;
  const y = (v) => HEIGHT - 22 - ((HEIGHT - 34) * (v - low)) / (high - low || 1);
  const text = (at, up, anchor, words) => s("text", { x: at, y: up, "text-anchor": anchor }, words);
  const paths = drawn.map(({ evaluations, hypervolume, colour }) => {
    const d = hypervolume.map((v, i) => `${i ? "L" : "M"}${x(evaluations[i]).toFixed(1)},${y(v).toFixed(1)}`).join("");
    const path = s("path", { d });
    if (colour) path.style.stroke = colour;
    return path;
  });
  return h(
    "figure",
    { class: "curve" },
    h("figcaption", {}, caption(lines.map((line) => line.hypervolume.at(-1)))),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Hypervolume over evaluations" },
      ...paths,
      text(36, y(high) + 4, "end", high.toFixed(2)), text(36, y(low) + 4, "end", low.toFixed(2)),
      text(40, HEIGHT - 6, "start", "1"), text(WIDTH - 10, HEIGHT - 6, "end", String(most))),
  );
}
