"""Real training of found networks, on the images that they were searched for.

::

    data = split(load_images(None, 32), seed=0)
    network = initial(space, space.read("6111"), data, seed=0)
    result = train(network, data, TrainingSettings(epochs=10))
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelnas.accelerator import CPU, Accelerator, found, seeded
from pelnas.training.settings import (
    Epoch,
    Step,
    TrainingResult,
    TrainingSettings,
    TrainingStopped,
)

if TYPE_CHECKING:
    from torch import nn

    from pelnas.architecture import Architecture
    from pelnas.spaces import SearchSpace
    from pelnas.training.checkpoint import load_trained
    from pelnas.training.data import Part, TrainingData, split

__all__ = [
    "Epoch",
    "Part",
    "Step",
    "TrainingData",
    "TrainingResult",
    "TrainingSettings",
    "TrainingStopped",
    "initial",
    "load_trained",
    "split",
    "train",
]

#: Imported when first used: they bring numpy and torch, and a command line wants its defaults soon.
_HOMES = {
    "Part": "pelnas.training.data",
    "TrainingData": "pelnas.training.data",
    "load_trained": "pelnas.training.checkpoint",
    "split": "pelnas.training.data",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pelnas.training' has no attribute {name!r}")


def train(
    network: "nn.Module",
    data: "TrainingData",
    settings: TrainingSettings | None = None,
    *,
    checkpoint: Path | None = None,
    on_step: Callable[[Step], None] | None = None,
    stop: Callable[[], bool] | None = None,
    accelerator: Accelerator = CPU,
) -> TrainingResult:
    """Train a network in place; it ends with the weights of its best epoch, in evaluation mode.

    ``network``: images (n, 3, r, r), normalised, to logits (n, classes), on the CPU, where it also
    ends. ``accelerator``: what computes the steps; one without memory for a batch takes it in
    halves, which sum up to the same step but for the statistics of batch norms.
    ``checkpoint``: a file to go on from where it exists; written while training,
    kept afterwards. A training that was interrupted and goes on ends with the
    very weights of one that was not, on the same machine's processor with as many threads.
    ``on_step`` hears of every step. ``stop`` is asked before every step.

    TrainingStopped: ``stop`` said so; the checkpoint is written. ImagesError: the
    images do not fit the network. TrainingError: the loss is not finite. AcceleratorError: it is not
    there, or has no memory for two images.
    StoreError: the checkpoint cannot be written, or is of another training.
    """
    from pelnas.training.loop import Trainer  # brings torch

    own = settings or TrainingSettings()
    trainer = Trainer(network, data, own, checkpoint, found(accelerator))
    return trainer.run(on_step or (lambda _: None), stop or (lambda: False))


def initial(
    space: "SearchSpace", architecture: "Architecture", data: "TrainingData", seed: int
) -> "nn.Module":
    """The untrained network of an architecture for these images; equal seeds give equal weights."""
    with seeded(seed):
        return space.build(architecture, data.shape)
