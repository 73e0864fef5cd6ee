"""The network that a run's architecture stands for: trained if it was, else with random weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelnas.architecture import Architecture, Evaluation, Shape
from pelnas.runtimes.deployed import Deployed
from pelnas.spaces import get_space
from pelnas.store import RunStore, TrainingRecord
from pelnas.store.folder import inside

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Chosen:
    """One architecture of a run, with all that the run knows of it.

    ``id``: of its candidate, or its index where the search did not evaluate it.
    """

    id: str
    architecture: Architecture
    text: str
    evaluation: Evaluation | None
    training: TrainingRecord | None


@dataclass(frozen=True)
class Built:
    """A network in evaluation mode and what it takes.

    ``classes``: what each logit stands for, where that is known. ``preparation``: how stored
    pixels become its input, or ``None`` where any images would do, since its weights are random.
    """

    network: "nn.Module"
    shape: Shape
    classes: tuple[str, ...] = ()
    preparation: Mapping[str, Any] | None = None


def chosen(store: RunStore, architecture: Architecture) -> Chosen:
    """The last evaluation of an architecture, and its training that did best on validation images."""
    space = get_space(store.config.space)
    text = space.format(architecture)
    evaluated = [e for e in store.evaluations() if e.candidate.architecture == text]
    trained = [record for record in store.trainings() if record.architecture == text]
    return Chosen(
        evaluated[-1].id if evaluated else str(space.index(architecture)),
        architecture,
        text,
        evaluated[-1] if evaluated else None,
        max(trained, key=lambda record: record.validation_accuracy, default=None),
    )


def built(store: RunStore, choice: Chosen, shape: Shape) -> Built:
    """The network of a choice. StoreError: its weights are gone or damaged."""
    space = get_space(store.config.space)
    if choice.training is None:
        deployed = Deployed(space, choice.architecture, shape)
        return Built(deployed.build(), deployed.input)
    return _trained(choice, inside(store.folder, choice.training.weights))


def _trained(choice: Chosen, weights: Path) -> Built:
    from pelnas.training.checkpoint import load_trained

    network, content = load_trained(weights)
    classes = tuple(map(str, content["class_names"]))
    taken = Shape(len(classes), content["resolution"], content["width"], content["channels"])
    deployed = Deployed(get_space(choice.architecture.space), choice.architecture, taken)
    own = deployed.build()  # without a resizing of its own
    own.load_state_dict(network.state_dict())
    preparation = {
        "formula": "pixels * scale + offset, per channel, of pixels as they are stored",
        "scale": content["scale"].flatten().tolist(),
        "offset": content["offset"].flatten().tolist(),
    }
    return Built(own, deployed.input, classes, preparation)
