"""The images that networks are judged on: the user's own, or scikit-learn's digits."""

from pathlib import Path

from pelnas.errors import ImagesError
from pelnas.images.base import Source
from pelnas.images.imageset import ImageSet

__all__ = ["ImageSet", "load_images"]

SMALLEST = 8  # pixels a side


def load_images(
    path: Path | None, resolution: int | tuple[int, int], channels: int | None = None
) -> ImageSet:
    """The labelled images at a path, to be drawn at a resolution: a side, or (height, width).

    ``channels``: 1 for grey, 3 for colour; ``None`` for 3, or as many as an ``.npz`` of another
    number has. ``path``: a folder of class folders, an ``.npz`` of plain arrays, a ``.parquet``
    of encoded images, or ``None`` for the digits. Pixels are read when drawn.
    ImagesError: what was expected there, what was found, what to do.
    """
    size = (resolution, resolution) if isinstance(resolution, int) else resolution
    if min(size) < SMALLEST:
        raise ImagesError(
            f"expected a resolution of at least {SMALLEST} pixels, found {min(size)}: raise it"
        )
    return ImageSet.of(open_source(path), *size, channels)


def open_source(path: Path | None) -> Source:
    """The source at a path; ``None``: the digits. ImagesError: what was expected there."""
    from pelnas.images.arrays import digits, npz
    from pelnas.images.folder import FolderSource
    from pelnas.images.parquet import ParquetSource

    if path is None:
        return digits()
    try:
        if path.is_dir():
            return FolderSource(path)
        if path.is_file() and path.suffix == ".npz":
            return npz(path)
        if path.is_file() and path.suffix == ".parquet":
            return ParquetSource(path)
    except OSError as error:
        raise ImagesError(
            f"expected readable images at {path}, found: {error}; check the path and its rights"
        ) from None
    raise ImagesError(
        "expected images as a folder of class folders, an .npz or a .parquet file, found"
        f" {'another kind of file' if path.exists() else 'nothing'} at {path}: correct the path"
    )
