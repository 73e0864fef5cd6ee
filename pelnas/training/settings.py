"""How a network is trained, and what came of it: plain values, without torch."""

from dataclasses import dataclass, fields

from pelnas.errors import ConfigError, PelnasError
from pelnas.inputs.bounds import TRAINING, Range

YES_OR_NO = Range(False, True)


class TrainingStopped(PelnasError):  # noqa: N818 - nothing is wrong
    """Somebody asked the training to stop; its checkpoint lets it go on."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Stochastic gradient descent with Nesterov momentum and one cosine from peak to zero.

    Transformers are trained with AdamW at a hundredth of the learning rate and a hundred times
    the weight decay, see ``pelnas.training.optimizer``.
    ConfigError: a setting out of range.
    """

    epochs: int = 20  # passes over the training images, at most
    batch: int = 32  # images a step, at most: an epoch is cut into equal batches
    learning_rate: float = 0.05  # at the peak
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.1  # share of all steps in which the rate rises to its peak
    label_smoothing: float = 0.1  # share of a label that is spread over all classes
    shift: float = 0.125  # random shifts by up to this share of a side, the border repeated
    # Off: a mirrored digit, letter or sign is another one or none at all. On for photographs.
    flip: bool = False
    patience: int = 10  # epochs without a better validation after which it ends; 0: never
    seed: int = 0  # of the order of images, their shifts, and whatever the network draws

    def __post_init__(self) -> None:
        for field in fields(self):
            allowed = TRAINING.get(field.name, YES_OR_NO)
            value = getattr(self, field.name)
            if value not in allowed:
                raise ConfigError(
                    f"expected {field.name} of a training from {allowed}, found {value}: change it"
                )


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training images.

    ``loss``: mean of its steps, with label smoothing; ``validation_loss``: without.
    ``validation_accuracy``: percent.
    """

    loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Step:
    """Where a training stands. ``done`` of at most ``total`` steps; ``last``: the last full epoch."""

    done: int
    total: int
    epoch: int  # full epochs
    last: Epoch | None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a training. Accuracies in percent, of the weights of the best epoch.

    The best epoch has the highest validation accuracy, and of those the lowest
    validation loss. As it was chosen for it, the validation accuracy flatters a
    little; the test images were looked at once, afterwards.
    ``best_epoch``: counted from 1. ``seconds``: of wall time, over all resumes. ``pieces``: in how
    many forward passes each step was computed, more than one where an accelerator lacked memory.
    """

    validation_accuracy: float
    test_accuracy: float
    epochs: int
    best_epoch: int
    seconds: float
    history: tuple[Epoch, ...]
    pieces: int = 1
