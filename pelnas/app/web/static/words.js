// Numbers and times as people read them.

const NONE = "\u2013";

/** A number to so many significant figures. */
export function figures(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-4)
    ? value.toExponential(digits - 1)
    : String(Number(value.toPrecision(digits)));
}

/** A count with its unit of thousands. */
export function count(value) {
  if (value === null || value === undefined) return NONE;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return String(Math.round(value * 100) / 100);
}

/** A count to its last digit, where there is room for it. */
export function whole(value) {
  return value < 1e6 ? value.toLocaleString("en") : count(value);
}

export function latency(value) {
  return value === null || value === undefined ? "cannot run" : `${figures(value)} ms`;
}

/** Seconds below two minutes, minutes below two hours, then hours. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A time of day with its date, from seconds since 1970. */
export function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString();
}

export function plural(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** Where something is said to be measured. */
export function device(name) {
  return name === "host" ? "this machine" : name;
}
