// Which part of the plane a picture shows.

const WIDE = 20; // a ratio of latencies beyond which the axis is logarithmic
const MARGIN = 0.05;

/** Ranges of all finite points: all heights, unless a few far below squeeze the rest and not `whole`. */
export function windowOf(xs, ys, whole = false) {
  const shown = ys.filter((y, i) => y !== null && xs[i] !== null).sort((a, b) => a - b);
  if (!shown.length) return { x: [0, 1], y: [0, 1], log: false };
  const at = (share) => shown[Math.round(share * (shown.length - 1))];
  const fence = whole ? -Infinity : at(0.25) - 1.5 * (at(0.75) - at(0.25));
  const low = shown.find((score) => score >= fence);
  let [left, right] = [Infinity, -Infinity];
  xs.forEach((x, i) => {
    if (x === null || ys[i] === null || ys[i] < low) return;
    left = Math.min(left, x);
    right = Math.max(right, x);
  });
  const log = left > 0 && right > WIDE * left;
  const x = log ? [left / 1.15, right * 1.15] : padded(left, right);
  return { x, y: padded(low, shown.at(-1)), log };
}

function padded(low, high) {
  const more = MARGIN * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - more, high + more];
}
