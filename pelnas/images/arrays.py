"""Images in arrays: scikit-learn's digits, or the user's ``.npz``."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import ImagesError, UnreadableError
from pelnas.images.base import COLOUR, GREY, LUMA, Labels, Pixels, Source, digest_of, encode, fit
from pelnas.inputs.bounds import CHANNELS
from pelnas.inputs.formats import read_arrays

#: Names of arrays in a file: images and labels, then those held out for tests.
ARRAYS = (
    ("images", "labels", "test_images", "test_labels"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("x", "y", "x_test", "y_test"),
)


class ArraySource(Source):
    """Images in memory: (n, h, w), (n, h, w, c) or (n, c, h, w), uint8 or float."""

    def __init__(self, name: str, images: NDArray[Any], labels: Labels) -> None:
        self.name, self.labels = name, labels
        self._images = _channels_last(images, name)
        own = self._images.shape[3] if self._images.ndim == 4 else GREY
        if own not in self.offered:
            self.channels, self.offered = own, (own,)
        if images.dtype != np.uint8:
            self.dtype = np.float32
            _check_floats(images, name)
        if len(images) != len(labels.index):
            raise ImagesError(
                f"expected a label for each of {len(images)} images of {name},"
                f" found {len(labels.index)}: correct the file"
            )
        self.digest = digest_of(images, labels.index, labels.names, labels.held_out)

    def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> Iterator[Pixels]:
        for index in indices:
            yield _fit_array(self._images[index], shape)


def digits() -> Source:
    """1,797 handwritten digits of 8x8 pixels (scikit-learn's ``load_digits``), 16 shades of grey."""
    images, target = _digits()
    return ArraySource("digits", images, encode(target, "digits"))


@lru_cache  # they are parsed from text, and an assistant looks at them again and again
def _digits() -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Images and labels, which nobody can change."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)
    images.flags.writeable = data.target.flags.writeable = False
    return images, data.target


def npz(path: Path) -> Source:
    """The arrays of a ``.npz`` file. ImagesError: no such arrays, pickles, a broken file."""
    try:
        arrays = read_arrays(path, sum(ARRAYS, ()))
    except UnreadableError as error:
        raise ImagesError(
            f"expected plain arrays (no pickles) in {path}, found: {error}; write it by numpy.savez"
        ) from None
    for images, labels, test_images, test_labels in ARRAYS:
        if images in arrays and labels in arrays:
            held_out = {test_images, test_labels} <= arrays.keys()
            rest = [(test_images, test_labels)] if held_out else []
            return _of_parts(path, [(arrays[x], arrays[y]) for x, y in [(images, labels), *rest]])
    raise ImagesError(
        f"expected arrays images and labels (or x_train and y_train) in {path}, found"
        f" {', '.join(arrays)[:200] or 'none'}: rename them"
    )


def _of_parts(path: Path, parts: list[tuple[NDArray[Any], NDArray[Any]]]) -> Source:
    if len(parts) == 1:
        images, values = parts[0]
        return ArraySource(path.stem, images, encode(values, str(path)))
    kinds = {images.dtype for images, _ in parts}
    if len(kinds) > 1:  # joined, bytes would become floats on another scale
        raise ImagesError(
            f"expected training and test images of one type in {path}, found"
            f" {' and '.join(sorted(map(str, kinds)))}: convert one"
        )
    try:
        images, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    except ValueError as error:
        raise ImagesError(
            f"expected training and test arrays of one shape in {path}, found: {error}"
        ) from None
    held_out = np.arange(len(values)) >= len(parts[0][1])
    return ArraySource(path.stem, images, encode(values, str(path), held_out))


def _channels_last(images: NDArray[Any], name: str) -> NDArray[Any]:
    """A view (n, h, w), or (n, h, w, c) with c of 2 or more.

    Of two axes that may be channels, 3 or 1 decide, else the shorter one.
    """
    if images.ndim == 4:
        first, last = images.shape[1], images.shape[-1]
        known = (GREY, COLOUR)
        if (first in known and last not in known) or (last not in known and first < last):
            images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[-1] == GREY:
        images = images[..., 0]
    is_sound = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in CHANNELS)
    if 0 in images.shape or not is_sound:
        raise ImagesError(
            f"expected images of {name} as (n, h, w), (n, h, w, c) or (n, c, h, w) with {CHANNELS}"
            f" channels, found an array of shape {images.shape}: convert it"
        )
    return images


def _check_floats(images: NDArray[Any], name: str) -> None:
    if images.dtype.kind != "f":
        raise ImagesError(
            f"expected images of {name} as uint8 or float, found {images.dtype}: convert them"
        )
    for index, image in enumerate(images):
        if not np.isfinite(image).all():
            raise ImagesError(
                f"expected finite pixels, found NaN or infinity in image {index} of {name}:"
                " repair or remove it"
            )


def _fit_array(image: NDArray[Any], shape: tuple[int, int, int]) -> Pixels:
    """An image (h, w) or (h, w, c) in a shape; bytes of one or three channels as a picture."""
    from PIL import Image

    channels, *size = shape
    if image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2] == COLOUR):
        return fit(Image.fromarray(np.ascontiguousarray(image)), shape)
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    if image.dtype != np.uint8:
        planes = planes.astype(np.float32)
    one = (GREY, size[0], size[1])
    fitted = np.stack([fit(Image.fromarray(np.ascontiguousarray(p)), one)[0] for p in planes])
    if channels == GREY and len(fitted) == COLOUR:
        fitted = np.tensordot(np.array(LUMA, dtype=np.float32), fitted, 1)[None]
    return np.broadcast_to(fitted, shape)
