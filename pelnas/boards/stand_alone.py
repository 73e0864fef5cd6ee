"""Measure the networks of this folder on the machine that runs it, and write results.csv.

Run `python measure.py` in the folder that `pelnas device measure --export` wrote. It needs
Python 3.8, numpy and onnxruntime, and nothing else. Stopped, it goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator  # noqa: UP035 - boards have old Pythons

COLUMNS = (
    "architecture", "file", "sha256", "manifest", "median_ms", "iqr_ms", "repeats", "threads",
    "runtime", "machine", "problem",
)  # fmt: skip
REFUSED = -1  # the median of a network that the runtime cannot run
INPUT = "images"
FINE_SECONDS = 1e-5  # a coarser clock cannot time a pass


def main() -> None:
    """Measure what was not measured yet; each network is a row as soon as it is known."""
    options = _options()
    folder = Path(options.folder)
    manifest_bytes = (folder / "manifest.json").read_bytes()
    manifest = json.loads(manifest_bytes)
    digest = hashlib.sha256(manifest_bytes).hexdigest()
    results = folder / "results.csv"
    done = {row["sha256"] for row in _rows(results) if row["manifest"] == digest}
    left = [each for each in manifest["networks"] if each["sha256"] not in done]
    print(f"{len(done)} networks measured, {len(left)} to go")
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for number, network in enumerate(left, start=1):
            row = _measured(folder, network, options)
            writer.writerow(dict(row, manifest=digest))
            file.flush()
            print(f"{number} of {len(left)}: {row['median_ms']} ms {row['problem']}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", default=str(Path(__file__).resolve().parent))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=5, help="passes that do not count")
    parser.add_argument("--repeats", type=int, default=50, help="passes that count")
    return parser.parse_args()


def _rows(results: Path) -> Iterator[dict[str, str]]:
    """The rows that are there; one that was cut off where power went is measured again."""
    if results.is_file():
        with results.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if None not in row.values() and None not in row:
                    yield row


def _measured(folder: Path, network: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """A row of ``results.csv``."""
    content = (folder / network["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != network["sha256"]:
        sys.exit(f"{network['file']} is not the file of the manifest: copy the folder again")
    row = {
        "architecture": network["architecture"],
        "file": network["file"],
        "sha256": network["sha256"],
        "repeats": options.repeats,
        "threads": options.threads,
        "machine": f"{platform.machine()} {platform.platform()}",
    }
    import onnxruntime

    row["runtime"] = f"onnxruntime {onnxruntime.__version__}"
    try:
        run = _opened(content, network["pixels"], options.threads)
    except Exception as error:  # noqa: BLE001 - the runtime's errors share no type
        problem = str(error).splitlines()[0][:200]
        return dict(row, median_ms=REFUSED, iqr_ms=0, problem=problem)
    times = _times(run, options)
    quarter = len(times) // 4
    spread = times[-1 - quarter] - times[quarter]
    return dict(row, median_ms=f"{_median(times):.6g}", iqr_ms=f"{spread:.6g}", problem="")


def _opened(content: bytes, pixels: list[int], threads: int) -> Callable[[], object]:
    """A forward pass over one image."""
    import numpy
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    image = numpy.random.default_rng(0).standard_normal((1, *pixels)).astype(numpy.float32)
    session.run(None, {INPUT: image})
    return lambda: session.run(None, {INPUT: image})


def _times(run: Callable[[], object], options: argparse.Namespace) -> list[float]:
    """Milliseconds of each pass, sorted.

    With one thread its processor time, so that what else runs on the board does not count.
    """
    fine = time.get_clock_info("thread_time").resolution <= FINE_SECONDS
    clock = time.thread_time if options.threads == 1 and fine else time.perf_counter
    for _ in range(options.warmup):
        run()
    times = []
    for _ in range(options.repeats):
        start = clock()
        run()
        times.append(1000 * (clock() - start))
    return sorted(times)


def _median(times: list[float]) -> float:
    half = len(times) // 2
    return times[half] if len(times) % 2 else (times[half - 1] + times[half]) / 2


if __name__ == "__main__":
    main()
