"""Fits the model of the predictor ``transfer`` on ``mnasnet`` and writes the file in the package.

    python scripts/fit_transfer_mnasnet.py --data DATA

DATA is a folder with ``mnasnet_imagenet_devices.csv``, networks of Accel-NASBench: columns
``expand``, ``kernel``, ``layers``, ``se`` (seven numbers each) and ``imagenet_top1`` (percent).
"""

import argparse
from pathlib import Path

from pelnas.bench.fitting_mnasnet import fit
from pelnas.bench.trained import read_mnasnet
from pelnas.predictors.transfer_mnasnet import MODEL


def main() -> None:
    """Read the arguments, fit, write, and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of trained accuracies")
    parser.add_argument("--output", type=Path, default=MODEL, help="default: in the package")
    given = parser.parse_args()
    trained = read_mnasnet(given.data)
    fit(trained).save(given.output)
    print(
        f"{given.output}: {given.output.stat().st_size / 1e3:.1f} kB, {len(trained.architectures)} networks"
    )


if __name__ == "__main__":
    main()
