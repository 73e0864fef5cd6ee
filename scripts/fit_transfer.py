"""Fits the trees of the predictor ``transfer`` and writes the file that the package carries.

    python scripts/fit_transfer.py --data DATA --images CIFAR10.parquet

DATA is a folder with the trained accuracies of NAS-Bench-201 on cifar10 and
cifar100 (columns ``arch_str``, ``cifar10_test_acc_200``, ``cifar100_test_acc_200``). Proxies of
3,200 cells drawn by a seed are computed on one batch of the images, or taken
from the cache (PELNAS_CACHE), so that a fit that was interrupted goes on.
"""

import argparse
from pathlib import Path

from pelnas.bench.fitting import CELLS, DATASETS, fit, load_sample
from pelnas.cache import default_cache
from pelnas.config import Scoring
from pelnas.images import load_images
from pelnas.predictors.transfer import MODEL


def main() -> None:
    """Read the arguments, fit, write, and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of trained accuracies")
    parser.add_argument("--images", type=Path, required=True, help="CIFAR-10, .parquet or folder")
    parser.add_argument("--cells", type=int, default=CELLS, help=f"cells; default {CELLS}")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one a core")
    parser.add_argument("--output", type=Path, default=MODEL, help="default: in the package")
    given = parser.parse_args()
    scoring = Scoring(workers=given.workers)
    images = load_images(given.images, scoring.size)
    sample = load_sample(given.data, images, scoring, default_cache(), given.cells, _show)
    fitted = fit(sample, DATASETS, seed=0)
    fitted.save(given.output)
    print(f"{given.output}: {given.output.stat().st_size / 1e6:.2f} MB, {given.cells} cells")


def _show(done: int) -> None:
    if done % 100 == 0:
        print(f"{done} cells scored", flush=True)


if __name__ == "__main__":
    main()
