"""Images to learn from, to choose by and to judge by: three disjoint parts."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Shape
from pelnas.errors import ImagesError
from pelnas.images import ImageSet
from pelnas.images.base import digest_of

TEST = 0.2  # share of each class that is held out where the source holds nothing out
VALIDATION = 0.15  # share of each class of the rest


@dataclass(frozen=True, eq=False)
class Part:
    """``pixels`` (n, channels, height, width), uint8 or float32, as stored; ``labels`` (n,)."""

    pixels: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Labelled images in three parts, held in memory.

    ``scale``, ``offset`` (channels, 1, 1): ``pixels * scale + offset`` has mean 0 and
    variance 1 in each channel of the training part (estimated).
    ``digest``: changes with the images, their resolution and the split.
    """

    name: str
    class_names: tuple[str, ...]
    digest: str
    train: Part
    validation: Part
    test: Part
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def shape(self) -> Shape:
        """What a network for these images takes and gives."""
        channels, height, width = self.train.pixels.shape[1:]
        return Shape(self.classes, height, width, channels)


def split(images: ImageSet, seed: int) -> TrainingData:
    """The three parts of an image set.

    Test: what the source itself holds out, else a fifth of each class.
    Validation: 15 % of each class of the rest. Both are drawn by ``seed``, which
    has nothing to do with the seed of a training: trainings are compared on the
    same split. ImagesError: too few images of a class, or an unreadable one.
    """
    _check_counts(images)
    learn, test = images.train_test(TEST, seed)
    rest = replace(images, train=learn, test=None)
    train, validation = rest.train_test(VALIDATION, seed)
    learned_from = replace(rest, train=train)  # mean and spread are learned from these alone
    black = np.zeros((1, images.shape.channels, 1, 1), dtype=np.float32)
    offset = learned_from.normalise(black)[0]
    scale = learned_from.normalise(black + 1)[0] - offset
    return TrainingData(
        name=images.name,
        class_names=images.class_names,
        digest=digest_of(images.digest, train, validation, test),
        train=_part(images, train),
        validation=_part(images, validation),
        test=_part(images, test),
        scale=scale,
        offset=offset,
    )


def _part(images: ImageSet, indices: NDArray[np.int64]) -> Part:
    pixels = images.pixels(indices)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ImagesError(
            f"expected finite pixels, found NaN or infinity in {images.name}: repair or remove"
            " those images"
        )
    return Part(pixels, images.labels[indices])


def _check_counts(images: ImageSet) -> None:
    """Each class needs an image in each part; what the source holds out is not counted."""
    least = 3 if images.test is None else 2
    found = Counter(images.labels[images.train].tolist())
    for label, name in enumerate(images.class_names):
        if found[label] < least:
            raise ImagesError(
                f"expected {least} or more training images of class {name!r} in {images.name} to"
                f" hold some out, found {found[label]}: add images of that class"
            )
