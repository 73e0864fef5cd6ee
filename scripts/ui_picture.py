"""Make ``docs/ui.png``: the page of a run with one network of its front chosen.

``python scripts/ui_picture.py RUN docs/ui.png``, with chromium and chromedriver at hand.
"""

import shutil
import sys
import threading
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from pelnas.app.web.server import Site
from pelnas.report import front_points
from pelnas.store import RunStore

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
SIZE = (1400, 1000)  # pixels of the window; the page is some 100 lower
PATIENCE = 60  # seconds
SHOWN = """
const plot = document.querySelector(".axes .xtick");
return plot && document.querySelector(".candidate h2")?.textContent === arguments[0];
"""


def photograph(run: Path, picture: Path) -> None:
    """Serve the run's folder on the loopback address, and keep what a browser shows of it."""
    with RunStore.read(run) as store:
        points = front_points(store)
    chosen = points[3 * len(points) // 4].id
    site = Site(run.parent)
    threading.Thread(target=site.serve, daemon=True).start()
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS:
        options.add_argument(flag)
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.set_window_size(*SIZE)
        browser.get(f"{site.address}/run/{run.name}/front/{chosen}")
        WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(SHOWN, chosen))
        browser.save_screenshot(str(picture))
    site.stop()


if __name__ == "__main__":
    photograph(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
