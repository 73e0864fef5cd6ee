// Drawing the points and the front.

import { ink } from "./colours.js";
import { h } from "./dom.js";

const FAINT = 0.5; // opacity of what is not on the front
const SMALL = 2.6; // radius in pixels
const LARGE = 5.2;

/** A point of one colour, painted once: copied ten thousand times it is cheap. */
export function dot(colour, dense) {
  const size = Math.ceil(2 * (SMALL + 1) * dense);
  const made = h("canvas", { width: size, height: size });
  const pen = made.getContext("2d");
  pen.globalAlpha = FAINT;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(size / 2, size / 2, SMALL * dense, 0, 7);
  pen.fill();
  return made;
}

/** A point that a directive keeps off the front: a ring, in a colour that no kind has. */
export function hollow(dense) {
  const size = Math.ceil(2 * (SMALL + 1) * dense);
  const made = h("canvas", { width: size, height: size });
  const pen = made.getContext("2d");
  pen.strokeStyle = ink("bad");
  pen.globalAlpha = 0.75;
  pen.lineWidth = dense;
  pen.beginPath();
  pen.arc(size / 2, size / 2, SMALL * dense, 0, 7);
  pen.stroke();
  return made;
}

/** Paint a scene, whose x and y are places on the screen; returns how many points lie below it. */
export function paint(canvas, scene) {
  const { width, height, dense, margin } = scene;
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.save();
  pen.beginPath();
  pen.rect(margin.l, 0, width - margin.l - margin.r + 8, height - margin.b);
  pen.clip();
  const below = paintAll(pen, scene);
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  for (const front of scene.fronts ?? [scene.front]) paintFront(pen, scene, front);
  mark(pen, scene, scene.hover, 1.5);
  mark(pen, scene, scene.selected, 2.5);
  pen.restore();
  return below;
}

function paintAll(pen, { x, y, shown, aside, colour, sprites, ring, width, height, dense, margin }) {
  const floor = height - margin.b + SMALL;
  const half = (sprites[0]?.width ?? 0) / 2;
  let below = 0;
  pen.setTransform(1, 0, 0, 1, 0, 0); // whole pixels of the screen: copied, not scaled
  for (let i = 0; i < x.length; i++) {
    if (!(x[i] >= 0) || x[i] > width || y[i] < 0 || !shown(i)) continue;
    if (y[i] > floor) below++;
    else pen.drawImage(aside.has(i) ? ring : sprites[colour[i]], Math.round(x[i] * dense - half), Math.round(y[i] * dense - half));
  }
  return below;
}

function paintFront(pen, scene, front) {
  const { x, y, colour, palette } = scene;
  if (scene.stairs) paintStairs(pen, scene, front);
  pen.strokeStyle = ink("ink");
  pen.lineWidth = 1.4;
  for (const i of front) {
    pen.fillStyle = palette[colour[i]];
    pen.beginPath();
    pen.arc(x[i], y[i], LARGE, 0, 7);
    pen.fill();
    pen.stroke();
  }
}

function paintStairs(pen, { x, y, fronts, colour, palette, width }, front) {
  pen.strokeStyle = fronts && front.length ? palette[colour[front[0]]] : ink("ink");
  pen.lineWidth = 1.4;
  pen.globalAlpha = 0.7;
  pen.beginPath();
  front.forEach((i, n) => {
    if (n) pen.lineTo(x[i], y[front[n - 1]]);
    pen[n ? "lineTo" : "moveTo"](x[i], y[i]);
  });
  if (front.length) pen.lineTo(width, y[front.at(-1)]);
  pen.stroke();
  pen.globalAlpha = 1;
}

function mark(pen, { x, y }, i, width) {
  if (i < 0 || !(x[i] >= 0)) return;
  pen.strokeStyle = ink("accent");
  pen.lineWidth = width;
  pen.beginPath();
  pen.arc(x[i], y[i], LARGE + 4, 0, 7);
  pen.stroke();
}
