"""Whether an exported network is the one that was meant, tried as its user would."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import DeviceError
from pelnas.runtimes.onnx_runtime import opened

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
TOLERANCE = 1e-4  # of logits, relative to the largest where that is above 1
SECONDS = 600  # that a process may take to build the networks
#: Builds each network from its file, in a process in which nothing can import pelnas.
_ALONE = """
import json, runpy, sys
sys.modules["pelnas"] = None
import numpy, torch
for job in json.load(sys.stdin):
    network = runpy.run_path(job["source"])["load"](job["weights"])
    with torch.no_grad():
        logits = network(torch.from_numpy(numpy.load(job["images"])))
    numpy.save(job["logits"], logits.numpy())
"""


@dataclass(frozen=True)
class Job:
    """A network to be tried by its files; ``images`` and ``logits`` are .npy files."""

    id: str
    source: Path
    weights: Path
    images: Path
    logits: Path

    def plain(self) -> dict[str, str]:
        paths = ("source", "weights", "images", "logits")
        return {name: str(getattr(self, name)) for name in paths}


def check_onnx(content: bytes, network: "nn.Module", images: Floats) -> float:
    """How far the logits of an ONNX file are from the network's, see ``TOLERANCE``.

    DeviceError: the file is not valid ONNX, cannot be run, or computes something else.
    """
    import onnx
    import torch

    try:
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise DeviceError(f"expected a valid ONNX file, found: {str(error)[:200]}") from None
    with torch.no_grad():
        wanted = network(torch.from_numpy(images)).numpy()
    return _difference(opened(content, 1)(images), wanted, "ONNX Runtime")


def check_alone(jobs: Sequence[Job], networks: Sequence["nn.Module"]) -> None:
    """Build all from their own files, without pelnas. DeviceError: one fails, or differs."""
    import torch

    asked = json.dumps([job.plain() for job in jobs])
    done = subprocess.run(  # noqa: S603 - this Python, and a text of ours
        [sys.executable, "-I", "-c", _ALONE],
        input=asked,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DeviceError(
            f"expected files that PyTorch builds without pelnas, found: {last[:200]}:"
            " change build() of the search space"
        )
    for job, network in zip(jobs, networks, strict=True):
        with torch.no_grad():
            wanted = network(torch.from_numpy(np.load(job.images))).numpy()
        _difference(np.load(job.logits), wanted, f"model.py of {job.id}")


def _difference(found: Floats, wanted: Floats, what: str) -> float:
    scale = max(1.0, float(np.abs(wanted).max()))
    difference = float(np.abs(found - wanted).max()) / scale
    if not difference <= TOLERANCE:  # NaN is no agreement either
        raise DeviceError(
            f"expected logits of {what} within {TOLERANCE:g} of those of the network, found a"
            f" difference of {difference:.3g}: nothing was exported"
        )
    return difference
