"""Measure the networks of this folder on the machine that runs it, and write results.csv.

Run `python measure.py` in the folder that `pelnas device measure --export` wrote. It needs
Python 3.8, numpy and onnxruntime (for networks that end with .tflite ai-edge-litert in its
place), and nothing else. Stopped, it goes on where it was.

Networks are timed in groups, one pass of each in turn, and before each pass one of a reference: the
first network of the folder that runs. A latency is the median of a network's times relative to the
reference, times the reference's own latency in the first group; so a board that heats up and
becomes slower while it measures gives latencies on one scale.
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
    "reference_ms", "runtime", "machine", "problem",
)  # fmt: skip
REFUSED = -1  # the median of a network that the runtime cannot run
INPUT = "images"
LITERT = ".tflite"  # what the files of LiteRT end with
FINE_SECONDS = 1e-5  # a coarser clock cannot time a pass
TOGETHER = 12  # networks that are timed in turn


Pass = Callable[[], object]  # a forward pass over one image


def main() -> None:
    """Measure what was not measured yet; each group of networks is rows as soon as it is known."""
    options = _options()
    folder = Path(options.folder)
    manifest_bytes = (folder / "manifest.json").read_bytes()
    manifest = json.loads(manifest_bytes)
    digest = hashlib.sha256(manifest_bytes).hexdigest()
    results = folder / "results.csv"
    rows = [row for row in _whole(results) if row["manifest"] == digest]
    done = {row["sha256"] for row in rows}
    left = [each for each in manifest["networks"] if each["sha256"] not in done]
    print(f"{len(done)} networks measured, {len(left)} to go")
    reference = _reference(folder, manifest["networks"], options.threads) if left else None
    level = next((float(row["reference_ms"]) for row in rows if row.get("reference_ms")), None)
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for start in range(0, len(left), TOGETHER):
            group, level = _measured(
                folder, left[start : start + TOGETHER], reference, level, options
            )
            for number, row in enumerate(group, start=start + 1):
                writer.writerow(dict(row, manifest=digest))
                print(
                    f"{number} of {len(left)}: {row['median_ms']} ms {row['problem']}", flush=True
                )
            file.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", default=str(Path(__file__).resolve().parent))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=5, help="passes that do not count")
    parser.add_argument("--repeats", type=int, default=50, help="passes that count")
    return parser.parse_args()


def _whole(results: Path) -> list[dict[str, str]]:
    """The rows that are whole; a file where one was cut off is written anew without it."""
    rows = list(_rows(results))
    if results.is_file() and len(results.read_bytes().splitlines()) != len(rows) + 1:
        part = results.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        part.replace(results)
    return rows


def _rows(results: Path) -> Iterator[dict[str, str]]:
    """The rows that are there; one that was cut off where power went is measured again."""
    if results.is_file():
        with results.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if None not in row.values() and None not in row:
                    yield row


def _reference(folder: Path, networks: list[dict[str, Any]], threads: int) -> Pass | None:
    """A pass of the first network that the runtime can run; ``None`` if there is none."""
    for network in networks:
        run, _ = _tried(folder, network, threads)
        if run is not None:
            return run
    return None


def _tried(folder: Path, network: dict[str, Any], threads: int) -> tuple[Pass | None, str]:
    """A pass, or what the runtime says against it."""
    content = (folder / network["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != network["sha256"]:
        sys.exit(f"{network['file']} is not the file of the manifest: copy the folder again")
    try:
        if network["file"].endswith(LITERT):
            return _litert_pass(content, threads), ""
        return _opened(content, network["pixels"], threads), ""
    except Exception as error:  # noqa: BLE001 - the runtime's errors share no type
        return None, str(error).splitlines()[0][:200]


def _measured(
    folder: Path,
    networks: list[dict[str, Any]],
    reference: Pass | None,
    level: float | None,
    options: argparse.Namespace,
) -> tuple[list[dict[str, Any]], float | None]:
    """Rows of ``results.csv``, and the latency of the reference: ``level`` if it is known."""
    tried = [_tried(folder, network, options.threads) for network in networks]
    passes = [run for run, _ in tried if run is not None]
    found, own = _relative_times(passes, reference, options) if reference else ([], [])
    if level is None and own:
        level = float(f"{_quantile(own, 0.5):.6g}")
    timed = iter(found)
    rows = []
    for network, (run, problem) in zip(networks, tried):  # noqa: B905 - Python 3.8 has no strict
        row = _row(network, options, problem)
        if run is not None and level is not None:
            times = next(timed)
            spread = _quantile(times, 0.75) - _quantile(times, 0.25)
            row["median_ms"] = f"{level * _quantile(times, 0.5):.6g}"
            row["iqr_ms"] = f"{level * spread:.6g}"
            row["reference_ms"] = level
        rows.append(row)
    return rows, level


def _row(network: dict[str, Any], options: argparse.Namespace, problem: str) -> dict[str, Any]:
    """Of a network that was not timed."""
    return {
        "architecture": network["architecture"],
        "file": network["file"],
        "sha256": network["sha256"],
        "median_ms": REFUSED,
        "iqr_ms": 0,
        "repeats": options.repeats,
        "threads": options.threads,
        "reference_ms": "",
        "runtime": _runtime(network["file"]),
        "machine": f"{platform.machine()} {platform.platform()}",
        "problem": problem,
    }


def _runtime(file: str) -> str:
    """Name and version of what runs a file."""
    if not file.endswith(LITERT):
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"
    from importlib.metadata import version

    return f"ai-edge-litert {version('ai-edge-litert')}"


def _litert_pass(content: bytes, threads: int) -> Pass:
    """A forward pass over one image by LiteRT."""
    import numpy
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (images,) = interpreter.get_input_details()
    random = numpy.random.default_rng(0).standard_normal(images["shape"])
    interpreter.set_tensor(images["index"], random.astype(images["dtype"]))
    interpreter.invoke()
    return interpreter.invoke  # type: ignore[no-any-return]


def _opened(content: bytes, pixels: list[int], threads: int) -> Pass:
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


def _relative_times(
    passes: list[Pass], reference: Pass, options: argparse.Namespace
) -> tuple[list[list[float]], list[float]]:
    """Of each network its times relative to the reference's; and those of the reference in ms.

    With one thread processor time, so that what else runs on the board does not count.
    """
    fine = time.get_clock_info("thread_time").resolution <= FINE_SECONDS
    clock = time.thread_time if options.threads == 1 and fine else time.perf_counter
    for run in [*passes, reference]:
        for _ in range(options.warmup):
            run()
    found: list[list[float]] = [[] for _ in passes]
    own = []
    for _ in range(options.repeats):
        sweep = [(_timed(reference, clock), _timed(run, clock)) for run in passes]
        beside = _quantile([before for before, _ in sweep], 0.5) if sweep else 1.0
        own += [before for before, _ in sweep]
        for times, (_, taken) in zip(found, sweep):  # noqa: B905
            times.append(taken / beside)
    return found, own


def _timed(run: Pass, clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return 1000 * (clock() - start)


def _quantile(values: list[float], share: float) -> float:
    """Between neighbours by their distance, as numpy's default."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


if __name__ == "__main__":
    main()
