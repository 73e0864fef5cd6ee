// Colours of data, in the look that the reader's system asks for.

// Nine stops of viridis, the map that the report's picture uses: even, and told apart without hue.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];
const STRETCH = { light: [0.02, 0.86], dark: [0.28, 0.98] };
const KINDS = {
  light: ["#2456c8", "#b3541e", "#0c7a70", "#7a28a8", "#7b8698", "#a3263a", "#5b7a00", "#0b6fa4"],
  dark: ["#82aaff", "#f2a36f", "#5fd4c6", "#d79cf7", "#97a3b8", "#ff8b9c", "#b5d65a", "#6cc4f5"],
};
const scheme = window.matchMedia("(prefers-color-scheme: dark)");

export function look() {
  return scheme.matches ? "dark" : "light";
}

export function onLook(change) {
  scheme.addEventListener("change", change);
  return () => scheme.removeEventListener("change", change);
}

/** A colour for each niche, ordered as their complexity is. */
export function nicheColours(number) {
  const [low, high] = STRETCH[look()];
  return Array.from({ length: number }, (_, i) =>
    viridis(low + ((high - low) * i) / Math.max(1, number - 1)),
  );
}

/** Colours for things without an order. */
export function kindColours(number) {
  const kinds = KINDS[look()];
  return Array.from({ length: number }, (_, i) => kinds[i % kinds.length]);
}

/** A colour of the style sheet. */
export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function viridis(place) {
  const at = Math.min(Math.max(place, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mixed = VIRIDIS[low].map((c, i) => Math.round(c + (VIRIDIS[low + 1][i] - c) * (at - low)));
  return `rgb(${mixed.join(",")})`;
}
