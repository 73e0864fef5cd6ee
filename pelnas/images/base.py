"""The interface of an image source, and what all sources share: labels and resizing."""

import hashlib
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import ImagesError

if TYPE_CHECKING:
    from PIL.Image import Image

#: (channels, height, width), uint8 or float32
Pixels = NDArray[Any]
GREY, COLOUR = 1, 3  # channels
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey, ITU-R BT.601, as Pillow converts
#: What Pillow raises for damaged files of its many formats.
BROKEN = (OSError, EOFError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class Labels:
    """``index`` (n,) int64 into ``names``; ``held_out`` (n,) bool, or ``None`` without a split."""

    index: NDArray[np.int64]
    names: tuple[str, ...]
    held_out: NDArray[np.bool_] | None


class Source(ABC):
    """Labelled images. ``digest``: a hash that changes with them; ``dtype``: of their pixels.

    ``channels``: that they have unless somebody asks for others; ``offered``: that they can have.
    """

    name: str
    labels: Labels
    digest: str
    dtype: type[np.generic] = np.uint8
    channels: int = COLOUR
    offered: tuple[int, ...] = (GREY, COLOUR)

    @abstractmethod
    def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> Iterator[Pixels]:
        """The images of ascending indices in a shape (channels, height, width).

        Cut to the largest middle part of that aspect ratio and resized.

        ImagesError: an image that cannot be read.
        """


def encode(values: NDArray[Any], where: str, held_out: NDArray[np.bool_] | None = None) -> Labels:
    """Classes in sorted order from labels of any plain kind: whole numbers or texts.

    ImagesError: not one label an image, a missing or broken one, or fewer than two classes.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise ImagesError(
            f"expected one label for each image of {where}, found labels of shape {values.shape}:"
            " give class numbers or names"
        )
    if values.dtype.kind == "f" and (np.isfinite(values) & (values % 1 == 0)).all():
        values = values.astype(np.int64)
    if values.dtype.kind not in "iubU":
        raise ImagesError(
            f"expected labels of {where} as whole numbers or texts, found {values.dtype}"
            " or missing ones: correct them"
        )
    names, index = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ImagesError(
            f"expected two or more classes in {where}, found only {names[0]!s}:"
            " add images of another class"
        )
    if held_out is not None:
        _check_held_out(index, names, held_out, where)
    return Labels(index.astype(np.int64), tuple(map(str, names)), held_out)


def _check_held_out(
    index: NDArray[np.intp], names: NDArray[Any], held_out: NDArray[np.bool_], where: str
) -> None:
    """ImagesError: nothing to learn from, or a class that stands among held-out images alone."""
    if held_out.all():
        raise ImagesError(
            f"expected training images in {where}, found only held-out ones: add some"
        )
    unknown = np.setdiff1d(index, index[~held_out])
    if len(unknown):
        raise ImagesError(
            f"expected held-out images of {where} in the classes of its training images, found the"
            f" class {', '.join(str(names[label]) for label in unknown[:3])[:80]} among held-out ones"
            " alone: sort them into the classes, or give the training images alone"
        )


def digest_of(*parts: Any) -> str:
    """SHA-256 of arrays by their bytes and of plain values by their text."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def fit(image: "Image", shape: tuple[int, int, int]) -> Pixels:
    """The middle of an image in a shape (channels, height, width) of one or three channels.

    uint8, or float32 for mode F. What does not belong to the aspect ratio is cut off.
    """
    from PIL.Image import Resampling

    channels, height, width = shape
    plain = image if image.mode == "F" else _converted(image, channels)
    fitted = np.asarray(plain.resize((width, height), Resampling.BILINEAR, _middle(image, shape)))
    return np.broadcast_to(fitted, shape) if fitted.ndim == 2 else fitted.transpose(2, 0, 1)


def _middle(image: "Image", shape: tuple[int, int, int]) -> tuple[float, float, float, float]:
    """The largest box in the middle of an image with the aspect ratio of a shape."""
    _, height, width = shape
    across, down = float(image.width), float(image.height)
    if across * height > down * width:
        across = down * width / height
    else:
        down = across * height / width
    left, top = (image.width - across) / 2, (image.height - down) / 2
    return left, top, left + across, top + down


def _converted(image: "Image", channels: int) -> "Image":
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB") if channels == COLOUR else image.convert("RGB").convert("L")
