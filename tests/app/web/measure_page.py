"""How quick the page is with a large run, in a real browser; prints a table.

``python tests/app/web/measure_page.py [RUNS]``: a folder that holds a run of ``large_run.py`` as its
newest, or none, to write one. First view: from the start of the navigation until the candidates
are painted. An interaction: from the event until the frame that shows its effect. On a machine
that does other things the times of work tell more: they leave out what was waited for.
"""

import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from pelnas.app.web.server import Site
from pelnas.store import find_run

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
TIMES = 15
SETTLED = 5  # seconds until what the page asks for ahead of time is there
SEEN = "return performance.getEntriesByName('first-view')[0]?.startTime"
PAINTED = """
const done = arguments[arguments.length - 1];
const painted = () => new Promise((r) => requestAnimationFrame(() => setTimeout(r, 0)));
const took = async (act, ready) => {
  await painted();
  const from = performance.now();
  act();
  while (!ready()) await painted();
  await painted();
  return performance.now() - from;
};
const at = (selector) => document.querySelector(selector);
const slide = (value) => {
  at("#round").value = value;
  at("#round").dispatchEvent(new Event("input"));
};
const choose = (selector, place) => {
  at(selector).selectedIndex = place;
  at(selector).dispatchEvent(new Event("change"));
};
const go = (where) => {
  location.hash = location.hash.split("/").slice(0, 3).join("/") + where;
};
const call = (n) => {
  for (const open of document.querySelectorAll("dialog")) open.remove();
  document.querySelectorAll("button.span")[n % 10].click();
};
const over = (x, y) => {
  const box = at(".plot").getBoundingClientRect();
  const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true };
  at(".plot").dispatchEvent(new PointerEvent("pointermove", place));
};
"""
ACTIONS = {
    "slider to another round": (
        "slide(40 + 3 * n)",
        "at('output').textContent.includes(`round ${41 + 3 * n} `)",
    ),
    "pointer over the points": ("over(0.2 + 0.03 * n, 0.3)", "true"),
    "zoom by a button": ("at('.tools [aria-label=\"Zoom in\"]').click()", "true"),
    "show everything": ("at('.tools [aria-label=\"Show everything\"]').click()", "true"),
    "hide or show a niche": ("at('.legend .key').click()", "true"),
    "colour by another kind": ("choose('#colour', (n + 1) % 3)", "true"),
    "another candidate, with its cell": (
        "go(`/front/r${n}n3c4`)",
        "at('.candidate h2')?.textContent === `r${n}n3c4`",
    ),
    "niches, and back": (
        "go(n % 2 ? '/front' : '/niches')",
        "at(n % 2 ? '#tab-front' : '#tab-niches').ariaSelected === 'true'"
        " && at(n % 2 ? '.plot' : '.curve')",
    ),
    "rules, and back": (
        "go(n % 2 ? '/front' : '/rules')",
        "at(n % 2 ? '.plot' : '.history')",
    ),
    "timeline of another round": (
        "go(`/timeline/${n + 5}`)",
        "at('.waterfall h2')?.textContent === `Round ${n + 5}`",
    ),
    "prompt and answer of a call": ("call(n)", "at('dialog pre')"),
}


def worked(browser: webdriver.Chrome) -> tuple[float, float]:
    """Milliseconds that the page's thread and this process have computed, waiting left out."""
    found = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    tasks = next(metric["value"] for metric in found if metric["name"] == "TaskDuration")
    return 1000 * tasks, 1000 * time.process_time()


def measure(output: Path) -> None:
    """Print one line for the first view and one for each kind of interaction."""
    site = Site(output)
    threading.Thread(target=site.serve, daemon=True).start()
    run = find_run(output, "last").name
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS:
        options.add_argument(flag)
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.set_script_timeout(120)
        browser.set_window_size(1366, 900)
        for name in ("first view, nothing read before", "first view again"):
            browser.get("about:blank")
            browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
            start = worked(browser)[1]
            browser.get(f"{site.address}/run/{run}")
            took = WebDriverWait(browser, 120, 0.05).until(lambda b: b.execute_script(SEEN))
            page, server = worked(browser)
            print(
                f"{name:34}{took:7.0f} ms   of work so far: page {page:.0f} ms,"
                f" server {server - start:.0f} ms"
            )
            start = server
        WebDriverWait(browser, 120).until(
            lambda b: b.execute_script("return document.querySelector('.axes .xtick')")
        )
        time.sleep(SETTLED)
        for name, (act, ready) in ACTIONS.items():
            script = PAINTED + (
                f"(async () => {{ const all = []; for (let n = 0; n < {TIMES}; n++)"
                f" all.push(await took(() => {act}, () => {ready})); return all; }})().then(done)"
            )
            before = worked(browser)
            times = [float(t) for t in browser.execute_async_script(script)]
            work = [(b - a) / TIMES for a, b in zip(before, worked(browser), strict=True)]
            print(
                f"{name:34}{statistics.median(times):7.0f} ms   worst {max(times):4.0f},"
                f" of work: page {work[0]:.0f} ms, server {work[1]:.0f} ms"
            )
        asked = browser.execute_script("return performance.getEntriesByType('resource').length")
        print(json.dumps({"requests": asked}))
    site.stop()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        from large_run import write

        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            measure(Path(folder))
