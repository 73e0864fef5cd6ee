// Every candidate as a point, the front as a staircase: drawn on a canvas over Plotly's axes, so
// that ten thousand points follow the slider without a stutter.

import { Axes } from "./axes.js";
import { onLook } from "./colours.js";
import { h, tell } from "./dom.js";
import { dot, hollow, paint } from "./paint.js";
import { windowOf } from "./ranges.js";

const MARGIN = { l: 52, r: 14, t: 12, b: 44 };
const REACH = 16; // pixels from the pointer to the point that is meant

export class FrontPlot {
  /** `describe(i)`: a point in words; `onPick(i)`: a person chose one. */
  constructor({ label, describe, onPick }) {
    this._describe = describe;
    this._onPick = onPick;
    this._points = { x: [], y: [], colour: [], palette: [] };
    this._view = { shown: () => true, front: [], fronts: null, stairs: true, aside: new Set(), selected: -1 };
    this._hover = -1;
    this._build(label);
    this._axes = new Axes(this._axesHost, MARGIN, (x, y) => this._moved(x, y));
    this._watch = new ResizeObserver(() => this._resize());
    this._watch.observe(this.element);
    this._endLook = onLook(() => this._refresh());
    this._listen();
  }

  end() {
    cancelAnimationFrame(this._frame);
    clearTimeout(this._later);
    this._watch.disconnect();
    this._endLook();
    this._axes.end();
    window.removeEventListener("pointerup", this._released);
  }

  /** Columns: x and y (null: not shown), colour (a place in the palette). `whole`: no y is cut off. */
  setPoints(points, names) {
    this._points = points;
    this._xName.textContent = names.x;
    this._yName.textContent = names.y;
    this._sprites = null;
    const measured = [points.x, points.y, points.x.length];
    if (measured.some((now, i) => now !== this._measured?.[i])) {
      this._measured = measured;
      const before = JSON.stringify(this._window);
      this._window = windowOf(points.x, points.y, points.whole);
      if (!this._zoomed) this._fitted();
      if (JSON.stringify(this._window) !== before) this._mark();
    }
    this._project();
    this._draw();
  }

  /**
   * What of the points is seen: `shown(i)`, the `front`'s places by x, the `selected` place, those
   * that stand `aside` of the front. `fronts`: several of them, each in the colour of its points;
   * `front` then holds the places of all. `stairs`: whether a line joins the front, which it does
   * where nothing but x and y decides on it.
   */
  setView(view) {
    this._view = { ...this._view, ...view };
    this._draw();
  }

  fit() {
    this._zoomed = false;
    this._fitted();
    this._refresh();
  }

  zoom(factor) {
    const around = (range, middle) => range.map((end) => middle + (end - middle) * factor);
    const { selected } = this._view;
    const chosen = selected >= 0 && this._x[selected] !== undefined;
    const centre = (range) => (range[0] + range[1]) / 2;
    const x = chosen ? this._unit(this._points.x[selected]) : centre(this._range.x);
    const y = chosen ? this._points.y[selected] : centre(this._range.y);
    this._moved(around(this._range.x, x), around(this._range.y, y));
    this._refresh();
  }

  drag(mode) {
    this._axes.drag(mode);
  }

  // -- building -----------------------------------------------------------------

  _build(label) {
    this._axesHost = h("div", { class: "axes", "aria-hidden": "true" });
    this._canvas = h("canvas", { class: "points", "aria-hidden": "true" });
    this._tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this._xName = h("p", { class: "x-name" });
    this._yName = h("p", { class: "y-name" });
    this._note = h("p", { class: "below" });
    this.element = h(
      "div",
      { class: "plot", tabindex: 0, role: "application", "aria-label": label },
      this._axesHost, this._canvas, this._xName, this._yName, this._note, this._tip,
    );
  }

  _listen() {
    let down = null;
    this._released = (event) => {
      const near = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 5;
      down = null;
      if (!near) return;
      const found = this._nearest(event);
      if (found >= 0) this._onPick(found);
    };
    this.element.addEventListener("pointerdown", (event) => (down = event), true);
    window.addEventListener("pointerup", this._released);
    this.element.addEventListener("pointermove", (event) => this._hovered(this._nearest(event)));
    this.element.addEventListener("pointerleave", () => this._hovered(-1));
    this.element.addEventListener("dblclick", () => this.fit());
    this.element.addEventListener("keydown", (event) => this._key(event));
  }

  _key(event) {
    const { front, selected } = this._view;
    const at = front.indexOf(selected);
    const to = {
      ArrowRight: Math.min(at + 1, front.length - 1),
      ArrowLeft: at < 0 ? front.length - 1 : Math.max(at - 1, 0),
      Home: 0,
      End: front.length - 1,
    }[event.key];
    const zoom = { "+": 0.7, "=": 0.7, "-": 1 / 0.7 }[event.key];
    if (to !== undefined && front.length) {
      tell(`${to + 1} of ${front.length} on the front: ${this._describe(front[to])}`);
      this._onPick(front[to]);
    } else if (zoom) this.zoom(zoom);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  // -- where things are -----------------------------------------------------------

  _unit(x) {
    return this._range.log ? Math.log10(x) : x;
  }

  _fitted() {
    const { x, y, log } = this._window;
    this._range = { x: log ? x.map(Math.log10) : [...x], y: [...y], log };
  }

  _moved(x, y) {
    this._zoomed = true;
    if (x) this._range.x = x.map(Number);
    if (y) this._range.y = y.map(Number);
    this._project();
    this._draw();
  }

  _resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const dense = window.devicePixelRatio || 1;
    this._size = { width, height, dense };
    this._canvas.width = width * dense;
    this._canvas.height = height * dense;
    this._sprites = null;
    this._refresh();
  }

  _refresh() {
    if (!this._size || !this._range) return;
    this._sprites = this._ring = null;
    this._project();
    this._draw();
    this._mark();
  }

  /** Let the axes follow, a moment later than the points. */
  _mark() {
    clearTimeout(this._later);
    this._later = setTimeout(() => {
      if (this._size) this._axes.show({ ...this._range, ...this._size });
    }, 30);
  }

  /** Places on the screen, for drawing and for finding. */
  _project() {
    if (!this._size || !this._range) return;
    const { x: xs, y: ys } = this._points;
    const { x, y, log } = this._range;
    const left = MARGIN.l;
    const bottom = this._size.height - MARGIN.b;
    const wide = (this._size.width - MARGIN.r - left) / (x[1] - x[0]);
    const high = (bottom - MARGIN.t) / (y[1] - y[0]);
    if (this._x?.length !== xs.length) {
      this._x = new Float32Array(xs.length);
      this._y = new Float32Array(xs.length);
    }
    for (let i = 0; i < xs.length; i++) {
      this._x[i] = xs[i] === null ? NaN : left + ((log ? Math.log10(xs[i]) : xs[i]) - x[0]) * wide;
      this._y[i] = ys[i] === null ? NaN : bottom - (ys[i] - y[0]) * high;
    }
  }

  _nearest(event) {
    if (!this._x) return -1;
    const box = this.element.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const onFront = new Set(this._view.front);
    let [best, found] = [REACH * REACH, -1];
    for (let i = 0; i < this._x.length; i++) {
      const dx = this._x[i] - px;
      const dy = this._y[i] - py;
      let far = dx * dx + dy * dy;
      if (!(far < 4 * best)) continue;
      if (onFront.has(i)) far /= 4; // the front is meant more often
      if (far < best && this._view.shown(i)) [best, found] = [far, i];
    }
    return found;
  }

  _hovered(i) {
    if (i === this._hover) return;
    this._hover = i;
    this._tip.hidden = i < 0;
    if (i >= 0) {
      this._tip.textContent = this._describe(i);
      const right = this._x[i] > this._size.width / 2;
      this._tip.classList.toggle("left", right);
      this._tip.style.left = `${this._x[i]}px`;
      this._tip.style.top = `${this._y[i]}px`;
    }
    this._draw();
  }

  // -- drawing --------------------------------------------------------------------

  /** Once a frame, however much has changed. */
  _draw() {
    this._frame ??= requestAnimationFrame(() => {
      this._frame = null;
      this._paint();
    });
  }

  _paint() {
    if (!this._size || !this._x || this._x.length !== this._points.x.length) return;
    this._sprites ??= this._points.palette.map((colour) => dot(colour, this._size.dense));
    this._ring ??= hollow(this._size.dense);
    const { colour, palette } = this._points;
    const below = paint(this._canvas, {
      ...this._view, ...this._size, colour, palette,
      x: this._x, y: this._y, sprites: this._sprites, ring: this._ring, hover: this._hover, margin: MARGIN,
    });
    this._note.textContent = below && !this._zoomed ? `${below} more lie below` : "";
  }
}
