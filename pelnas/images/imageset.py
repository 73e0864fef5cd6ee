"""Labelled images, decoded as they are drawn.

A batch of 32 from 60,000 JPEGs decodes 32 of them, and once a fixed sample for
the mean and spread of the colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Shape
from pelnas.errors import ImagesError
from pelnas.images.base import COLOUR, Source, digest_of

STATISTICS_SAMPLE = 512  # training images that mean and spread are estimated on
STATISTICS_SEED = 0

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one size, decoded as they are drawn.

    ``name``: ``digits``, or the name of the folder or file.
    ``class_names[label]``: what a label means; labels run from 0 to ``classes - 1``.
    ``digest``: a hash of content, order, labels, size and channels: equal digests
    and seeds give equal batches, so caches can key on it. A folder is hashed by
    the paths, sizes and modification times of its files, every other source by
    its bytes.
    """

    name: str
    class_names: tuple[str, ...]
    digest: str
    pixel_shape: tuple[int, int, int]  # (channels, height, width) of each image
    labels: Labels = field(repr=False)  # (n,), of every image
    train: Indices = field(repr=False)  # images that may be learned from
    test: Indices | None = field(repr=False)  # images held out by the source, if it says so
    source: Source = field(repr=False)

    @classmethod
    def of(cls, source: Source, height: int, width: int, channels: int | None = None) -> "ImageSet":
        """The images of a source at a size; ``channels``: its own unless given.

        ImagesError: it cannot have so many channels.
        """
        if channels is not None and channels not in source.offered:
            offered = " or ".join(map(str, source.offered))
            raise ImagesError(
                f"expected {channels} channels, found that images of {source.name} have {offered}:"
                " change scoring.channels (--channels) or the images"
            )
        shape = (channels or source.channels, height, width)
        labels = source.labels
        held_out = labels.held_out
        everything = np.arange(len(labels.index))
        return cls(
            name=source.name,
            class_names=labels.names,
            digest=digest_of(source.digest, *_size_parts(*shape)),
            pixel_shape=shape,
            labels=labels.index,
            train=everything if held_out is None else everything[~held_out],
            test=None if held_out is None else everything[held_out],
            source=source,
        )

    @property
    def shape(self) -> Shape:
        """What networks for these images take and give."""
        channels, height, width = self.pixel_shape
        return Shape(self.classes, height, width, channels)

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def class_images(self) -> dict[str, int]:
        """How many training images each class has, by its name."""
        counts = np.bincount(self.labels[self.train], minlength=self.classes)
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    @property
    def held_out(self) -> int:
        """How many images the source holds out."""
        return 0 if self.test is None else len(self.test)

    def batch(self, count: int, seed: int) -> tuple[Floats, Labels]:
        """Training images (count, *pixel_shape), normalised, and their labels (count,).

        The same for equal seeds; every prefix holds the classes as evenly as
        possible. ImagesError: more images asked for than there are, or all are equal.
        """
        if not 1 <= count <= len(self.train):
            raise ImagesError(
                f"expected a batch of 1 to {len(self.train)} images of {self.name},"
                f" found {count}: ask for fewer or bring more images"
            )
        drawn = self._balanced(count, np.random.default_rng(seed))
        pixels = self.pixels(drawn)
        if count > 1 and (pixels == pixels[0]).all():
            raise ImagesError(
                f"expected images that differ, found all {count} drawn from {self.name} equal in"
                " every pixel: look at what the files hold"
            )
        return self.normalise(pixels), self.labels[drawn]

    def train_test(self, fraction: float, seed: int) -> tuple[Indices, Indices]:
        """Indices to learn from and to test on: the source's own split where it has one.

        Otherwise ``fraction`` of each class, at least one image, is held out by the seed.
        ImagesError: a class with a single image, which cannot be split.
        """
        if self.test is not None:
            return self.train, self.test
        order = np.random.default_rng(seed).permutation(self.train)
        held_out = np.zeros(len(order), dtype=bool)
        for label, name in enumerate(self.class_names):
            own = np.flatnonzero(self.labels[order] == label)
            if len(own) < 2:
                raise ImagesError(
                    f"expected two or more images of class {name!r} in {self.name} to hold some"
                    f" out, found {len(own)}: add images of that class"
                )
            held_out[own[: min(len(own) - 1, max(1, round(fraction * len(own))))]] = True
        return np.sort(order[~held_out]), np.sort(order[held_out])

    def pixels(self, indices: Sequence[int] | Indices) -> NDArray[Any]:
        """Images (k, *pixel_shape) in the order of ``indices``, as stored: uint8, or float32.

        Cut to their middle and resized. ImagesError: an image that cannot be read.
        """
        wanted, place = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
        kind = np.dtype((self.source.dtype, self.pixel_shape))
        images = self.source.read(wanted.tolist(), self.pixel_shape)
        return np.fromiter(images, dtype=kind, count=len(wanted))[place]

    def normalise(self, pixels: NDArray[Any]) -> Floats:
        """float32 with mean 0 and variance 1 in each channel over the set (estimated)."""
        mean, deviation = self._statistics
        return (pixels.astype(np.float32) - mean) / deviation

    @cached_property
    def _statistics(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each channel (channels, 1, 1), from a fixed sample."""
        order = np.random.default_rng(STATISTICS_SEED).permutation(self.train)
        sample = self.pixels(order[:STATISTICS_SAMPLE])
        mean = sample.mean(axis=(0, 2, 3), dtype=np.float64)
        deviation = sample.std(axis=(0, 2, 3), dtype=np.float64)
        deviation[deviation <= 1e-6 * np.abs(mean)] = 1.0  # a channel that never changes stays 0
        return (
            mean.astype(np.float32)[:, None, None],
            deviation.astype(np.float32)[:, None, None],
        )

    def _balanced(self, count: int, rng: np.random.Generator) -> Indices:
        """Turn by turn one image of each class that still has some, in a drawn order of classes."""
        order = rng.permutation(self.train)
        turn = np.empty(len(order), dtype=np.int64)
        for label in range(self.classes):
            own = np.flatnonzero(self.labels[order] == label)
            turn[own] = np.arange(len(own))
        place = rng.permutation(self.classes)[self.labels[order]]
        return order[np.lexsort((place, turn))[:count]]


def _size_parts(channels: int, height: int, width: int) -> tuple[int, ...]:
    """Size and channels for a digest; the side alone for squares in colour, as it always was."""
    return (height,) if height == width and channels == COLOUR else (height, width, channels)
