// Load something again while a run is live, not too often.

const EVERY = 2500; // ms

export class Again {
  constructor(load, kinds) {
    this._load = load;
    this._kinds = new Set(kinds);
    this._last = performance.now();
    this._timer = 0;
  }

  told(event) {
    if (!this._kinds.has(event.kind) || this._timer) return;
    const wait = Math.max(0, this._last + EVERY - performance.now());
    this._timer = setTimeout(async () => {
      this._timer = 0;
      this._last = performance.now();
      try {
        await this._load();
      } catch {
        // the next event tries again, and the head of the page tells of a lost server
      }
    }, wait);
  }
}
