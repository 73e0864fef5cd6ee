// Axes, grid, zoom and pan by Plotly, which is fetched once the first picture stands.
//
// Only they: Plotly's fast points need WebGL and code made at run time, which the page's
// Content-Security-Policy forbids; the points are drawn by plot.js.

import { ink } from "./colours.js";

const ADDRESS = "/static/plotly.min.js";
const COARSE = window.matchMedia("(pointer: coarse)");
let arriving = null;

function library() {
  arriving ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = ADDRESS;
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("the plot library did not load")));
    document.head.append(script);
  });
  return arriving;
}

export class Axes {
  /** `onRange(x, y)`: somebody zoomed or panned; ranges in axis units, of a logarithmic axis its exponents. */
  constructor(host, margin, onRange) {
    this._host = host;
    this._margin = margin;
    this._onRange = onRange;
    this._plotly = null;
    this._wanted = null;
    this._dead = false;
  }

  /** Show these ranges; the last ones asked for win. */
  async show(wanted) {
    this._wanted = wanted;
    if (this._plotly === null) {
      const plotly = await library();
      if (this._dead || this._plotly !== null) return;
      this._plotly = plotly;
      await plotly.newPlot(this._host, [{ x: [], y: [] }], this._layout(), {
        displayModeBar: false,
        doubleClick: false,
        showAxisDragHandles: false,
      });
      this._host.on("plotly_relayout", (change) => this._moved(change));
      this._host.on("plotly_relayouting", (change) => this._moved(change));
    } else {
      await this._plotly.react(this._host, [{ x: [], y: [] }], this._layout());
    }
  }

  drag(mode) {
    this._mode = mode;
    if (this._wanted) this.show(this._wanted);
  }

  end() {
    this._dead = true;
    if (this._plotly) this._plotly.purge(this._host);
  }

  _moved(change) {
    const read = (axis) =>
      change[`${axis}.range`] ??
      (change[`${axis}.range[0]`] === undefined
        ? null
        : [change[`${axis}.range[0]`], change[`${axis}.range[1]`]]);
    const [x, y] = [read("xaxis"), read("yaxis")];
    if (x || y) this._onRange(x, y);
  }

  _layout() {
    const { x, y, log, width, height } = this._wanted;
    const axis = {
      gridcolor: ink("line"),
      linecolor: ink("soft"),
      tickcolor: ink("soft"),
      tickfont: { color: ink("soft"), size: 12 },
      zeroline: false,
      showline: true,
      fixedrange: COARSE.matches,
      automargin: false,
    };
    const few = { nticks: Math.max(3, Math.round(width / 90)) };
    const decades = log ? { type: "log", dtick: null, tickmode: "auto" } : { type: "linear" };
    return {
      width,
      height,
      margin: { ...this._margin, pad: 0, autoexpand: false },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "inherit" },
      showlegend: false,
      hovermode: false,
      dragmode: this._mode ?? "zoom",
      uirevision: null,
      xaxis: { ...axis, ...few, ...decades, range: x },
      yaxis: { ...axis, range: y, nticks: Math.max(3, Math.round(height / 60)) },
    };
  }
}
