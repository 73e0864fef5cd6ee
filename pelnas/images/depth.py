"""How the pixels of encoded images are read: bytes, or deeper ones on the scale of bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import ImagesError
from pelnas.images.base import BROKEN, Pixels, fit

if TYPE_CHECKING:
    from PIL.Image import Image

SAMPLE = 64  # images of a set whose depth is looked at
FLOAT_SCALES = (1.0, 255.0)
WHOLE_SCALES = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))  # of cameras and scanners
BEYOND = 4  # times white that a pixel outside the sample may have
UNSIGNED, SIGNED = 1, 2  # values of the TIFF tag
SAMPLE_FORMAT = 339

File = Path | IO[bytes]


@dataclass(frozen=True)
class Depth:
    """``white``: the value of deep pixels that is read as 255; 0 where a set has bytes only.

    It is one number for a set, found in a sample: a darker image stays darker. Pixels of 16
    or 32 bits and floating-point ones are deep; they become float32.
    """

    white: float = 0.0

    @classmethod
    def of(cls, sample: Iterable[File], where: str) -> "Depth":
        """From some images of a set. One that cannot be read is passed over: reading it says so.

        ImagesError: deep pixels whose scale is ambiguous.
        """
        found = [deep for deep in map(_deep_range, sample) if deep is not None]
        if not found:
            return cls()
        if len({floating for floating, _, _ in found}) > 1:
            raise ImagesError(
                f"expected images of one kind of pixels in {where}, found floating-point ones and"
                " whole numbers of more than 8 bits: convert all images to one kind"
            )
        scales = FLOAT_SCALES if found[0][0] else WHOLE_SCALES
        low, top = min(low for _, low, _ in found), max(top for _, _, top in found)
        if low < 0 or not top <= scales[-1]:
            kinds = "0 to 1, or from 0 to 255," if found[0][0] else "0 to 65535"
            raise ImagesError(
                f"expected pixels from {kinds} in images of {where}, found {low:g} to {top:g}:"
                " scale all images alike"
            )
        return cls(next(scale for scale in scales if top <= scale))

    @property
    def dtype(self) -> type[np.generic]:
        """Of the pixels that ``decode`` returns."""
        return np.float32 if self.white else np.uint8

    @property
    def stamp(self) -> tuple[str, ...]:
        """What a digest of the images has to hold: nothing for bytes."""
        return (f"white at {self.white:g}",) if self.white else ()

    def decode(self, file: File, shape: tuple[int, int, int], where: str) -> Pixels:
        """An encoded image, upright, in a shape (channels, height, width).

        ImagesError: it cannot be read.
        """
        from PIL import Image, ImageOps

        try:
            with Image.open(file) as image:
                image.draft("RGB", shape[:0:-1])  # JPEG decodes faster at a fraction of its size
                deep, unsigned = _is_deep(image), _is_unsigned(image)
                upright = ImageOps.exif_transpose(image)
        except (*BROKEN, Image.DecompressionBombError) as error:
            raise ImagesError(
                f"expected a readable image in {where}, found: {error}; repair or remove it"
            ) from None
        if deep:
            upright = self._scaled(_values(upright, unsigned), upright.mode, where)
        return fit(upright, shape)

    def _scaled(self, values: NDArray[np.float64], mode: str, where: str) -> "Image":
        """Deep pixels on the scale of the set, as floats; as bytes in a set of bytes."""
        from PIL import Image

        if not np.isfinite(values).all():
            raise ImagesError(
                f"expected finite pixels, found NaN or infinity in {where}: repair or remove it"
            )
        low, top = float(values.min()), float(values.max())
        white = self.white or WHOLE_SCALES[-1]
        most = BEYOND * white if self.white else white
        if low < 0 or top > most or (mode == "F" and not self.white):
            usual = f"from 0 to {self.white:g}" if self.white else "of 8 bits"
            raise ImagesError(
                f"expected pixels {usual} as in the other images, found {low:g} to {top:g} in"
                f" {where}: scale all images alike"
            )
        return Image.fromarray((values * (255 / white)).astype(self.dtype))


def sample_of(count: int) -> Sequence[int]:
    """At most ``SAMPLE`` indices of so many, spread evenly."""
    return sorted({index * count // SAMPLE for index in range(SAMPLE)}) if count else []


def _is_deep(image: "Image") -> bool:
    """ValueError: signed bytes, which Pillow would read as unsigned ones."""
    if image.mode == "L" and _sample_format(image) == SIGNED:
        raise ValueError("signed bytes; convert them to unsigned ones")
    return image.mode == "F" or image.mode.startswith("I")


def _is_unsigned(image: "Image") -> bool:
    """Whether these are 32 bits without a sign, which Pillow reads as signed ones."""
    return image.mode == "I" and image.format == "TIFF" and _sample_format(image) == UNSIGNED


def _sample_format(image: "Image") -> int:
    found = getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, UNSIGNED)
    return int(found[0] if isinstance(found, tuple) else found)


def _deep_range(file: File) -> tuple[bool, float, float] | None:
    """Whether an image is of floats, its lowest and its highest pixel; ``None`` for bytes."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            if not _is_deep(image):
                return None
            floating, values = image.mode == "F", _values(image, _is_unsigned(image))
    except (*BROKEN, Image.DecompressionBombError):
        return None
    finite = values[np.isfinite(values)]
    return floating, float(finite.min(initial=0.0)), float(finite.max(initial=0.0))


def _values(image: "Image", unsigned: bool) -> NDArray[np.float64]:
    """Pixels (h, w) of one channel."""
    values = np.asarray(image)
    return (values.view(np.uint32) if unsigned else values).astype(np.float64)
