"""Images in a folder of class folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pelnas.errors import ImagesError
from pelnas.images.base import Pixels, Source, digest_of, encode
from pelnas.images.depth import Depth, sample_of
from pelnas.images.parts import HELD_OUT, TRAIN, hints_at_part, is_part

SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
#: Folders and files that systems leave beside images; what begins with a dot is hidden anyway.
LEFT_BEHIND = frozenset(
    ("$recycle.bin", "@eadir", "__macosx", "lost+found", "system volume information", "thumbs.db")
)


class FolderSource(Source):
    """A folder for each class; or folders ``train`` and ``test`` (or ``val``) of such folders.

    Images may lie deeper inside their class folder. What is hidden or left behind by a
    system is not read, at any depth. ImagesError: no images, or what may be parts of a split.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.resolve().name
        split = _parts(path)
        found = [
            (file, folder.name, held_out)
            for part, held_out in split.items()
            for folder in _folders(part)
            for file in _images_of(folder)
        ]
        self._files = [file for file, _, _ in found]
        held = np.array([held_out for _, _, held_out in found]) if len(split) > 1 else None
        self.labels = encode(np.array([name for _, name, _ in found], dtype=str), str(path), held)
        self._depth = Depth.of(
            (self._files[index] for index in sample_of(len(self._files))), str(path)
        )
        self.dtype = self._depth.dtype
        stamps = (_stamp(file, path) for file in self._files)
        self.digest = digest_of(*stamps, *self._depth.stamp)

    def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> Iterator[Pixels]:
        for index in indices:
            file = self._files[index]
            yield self._depth.decode(file, shape, str(file))


def _parts(path: Path) -> dict[Path, bool]:
    """The folders that hold class folders, with whether they are held out.

    ``path`` itself, unless it has ``train`` and parts that are held out, and nothing else.
    ImagesError: anything else that may be a split, for its parts would become the classes.
    """
    inside = _folders(path)
    names = {folder.name for folder in inside}
    if TRAIN in names and names <= {TRAIN, *HELD_OUT}:
        return {folder: folder.name != TRAIN for folder in inside}
    doubtful = [folder for folder in inside if _may_be_part(folder)]
    if doubtful:
        raise ImagesError(_question(path, doubtful, inside))
    return {path: False}


def _may_be_part(folder: Path) -> bool:
    """By its name; a train, a steam train or a test pattern is a class if images lie in it."""
    if is_part(folder.name) and folder.name != TRAIN:
        return True
    inside = _visible(folder) if hints_at_part(folder.name) else []
    return any(map(Path.is_dir, inside)) and not any(map(_is_image, inside))


def _question(path: Path, doubtful: Sequence[Path], inside: Sequence[Path]) -> str:
    others = ", ".join(folder.name for folder in inside if folder not in doubtful)
    beside = f" beside {others[:200]}" if others else ""
    one = next((each for each in doubtful if TRAIN in each.name.casefold()), doubtful[0])
    return (
        f"expected a folder for each class in {path}, or folders train and test of such folders,"
        f" found {', '.join(folder.name for folder in doubtful)[:200]}, which may be parts of a"
        f" split{beside}: give one part alone (such as {one}), leave only parts named train"
        " and test there, or rename them if they are classes"
    )


def _folders(path: Path) -> list[Path]:
    found = [p for p in _visible(path) if p.is_dir()]
    if not found:
        raise ImagesError(
            f"expected a folder for each class in {path}, found none:"
            " sort the images into folders named by their class"
        )
    return found


def _images_of(folder: Path) -> list[Path]:
    files = sorted(_images_below(folder))
    if not files:
        raise ImagesError(
            f"expected images ({', '.join(SUFFIXES)}) in class folder {folder}, found none:"
            " add some or remove the folder"
        )
    return files


def _images_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_give_up):
        folders[:] = [name for name in folders if _shown(name)]
        paths = (Path(place, name) for name in files if _shown(name))
        yield from filter(_is_image, paths)


def _give_up(error: OSError) -> None:
    raise error


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _visible(path: Path) -> list[Path]:
    return [inner for inner in sorted(path.iterdir()) if _shown(inner.name)]


def _shown(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in LEFT_BEHIND


def _stamp(file: Path, root: Path) -> tuple[str, int, int]:
    status = file.stat()
    return file.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns
