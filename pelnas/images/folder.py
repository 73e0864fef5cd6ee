"""Images in a folder of class folders."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pelnas.errors import ImagesError
from pelnas.images.base import Pixels, Source, decode, digest_of, encode

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
HELD_OUT = ("test", "val", "valid", "validation")


class FolderSource(Source):
    """A folder for each class; or folders ``train`` and ``test`` (or ``val``) of such folders.

    Images may lie deeper inside their class folder. Hidden folders are passed over.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.resolve().name
        inside = _folders(path)
        split = {folder.name: folder.name in HELD_OUT for folder in inside}
        if "train" not in split or any(name not in ("train", *HELD_OUT) for name in split):
            split = {"": False}
        found = [
            (file, folder.name, held_out)
            for part, held_out in split.items()
            for folder in _folders(path / part)
            for file in _images_of(folder)
        ]
        self._files = [file for file, _, _ in found]
        held = np.array([held_out for _, _, held_out in found]) if len(split) > 1 else None
        self.labels = encode(np.array([name for _, name, _ in found], dtype=str), str(path), held)
        self.digest = digest_of(*(_stamp(file, path) for file in self._files))

    def read(self, indices: Sequence[int], side: int) -> Iterator[Pixels]:
        for index in indices:
            file = self._files[index]
            yield decode(file, side, str(file))


def _folders(path: Path) -> list[Path]:
    found = [p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    if not found:
        raise ImagesError(
            f"expected a folder for each class in {path}, found none:"
            " sort the images into folders named by their class"
        )
    return found


def _images_of(folder: Path) -> list[Path]:
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not files:
        raise ImagesError(
            f"expected images ({', '.join(SUFFIXES)}) in class folder {folder}, found none:"
            " add some or remove the folder"
        )
    return files


def _stamp(file: Path, root: Path) -> tuple[str, int, int]:
    status = file.stat()
    return file.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns
