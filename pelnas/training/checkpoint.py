"""Files of tensors that appear whole or not at all, and are read without running code."""

import os
import pickle
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from torch import nn

from pelnas.architecture import Shape
from pelnas.errors import ImagesError, StoreError
from pelnas.images import ImageSet
from pelnas.spaces import get_space
from pelnas.text import plural
from pelnas.training.data import TrainingData

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
#: What torch raises for files that are damaged or made up; it checks little of what it reads.
_OF_FILES = (
    OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError,
    AssertionError, ImportError, ArithmeticError, MemoryError, struct.error, pickle.UnpicklingError,
)  # fmt: skip


def save(path: Path, content: dict[str, Any]) -> None:
    """Replace a file in one step, making its folder. StoreError: it cannot be written."""
    buffer = BytesIO()  # torch's own writer would report a full disk by half a dozen errors
    torch.save(content, buffer)
    fresh = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        path.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        if path.parent.is_dir():
            fresh.unlink(missing_ok=True)
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}): free disk space or correct its"
            " permissions; what was stored before is kept"
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Tensors and plain values of a file. StoreError: it is damaged or holds anything else."""
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch would not have written itself
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict):
            raise TypeError(f"a {type(content).__name__}")
        return content


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """StoreError in place of whatever is raised by a file that is damaged or made up."""
    try:
        yield
    except _OF_FILES as error:
        raise _unusable(path, str(error).splitlines()[0] if str(error) else "nothing") from None


def _unusable(path: Path, found: str) -> StoreError:
    return StoreError(
        f"expected a checkpoint or weights of a training at {path}, found {found[:120]}:"
        " delete that file to train anew"
    )


def save_trained(
    path: Path, space: str, architecture: str, network: nn.Module, data: TrainingData
) -> None:
    """All that is needed to use a trained network: see ``load_trained``."""
    content = {
        "space": space,
        "architecture": architecture,
        "class_names": list(data.class_names),
        "resolution": data.shape.height,
        "width": data.shape.width,
        "channels": data.shape.channels,
        "scale": torch.from_numpy(data.scale),
        "offset": torch.from_numpy(data.offset),
        "network": network.state_dict(),
    }
    save(path, content)


def _words(shape: Shape) -> str:
    channels = f"{shape.channels} {plural(shape.channels, 'channel')}"
    return f"{shape.height}x{shape.width} pixels and {channels}"


def load_trained(path: Path, images: ImageSet | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file of weights, ready to classify, and what came with it.

    ``pixels * scale + offset`` (float32) are the images that it takes, in the
    range of pixels of the images that it learned from; ``class_names[i]`` is
    what logit i stands for. ``images``: what it is to be used on, if that is to be checked.
    StoreError: no such file, or a damaged one. ImagesError: the network takes other images.
    """
    content = load(path)
    if not {"space", "architecture", "class_names", "resolution", "network"} <= content.keys():
        raise _unusable(path, "other content")
    with reading(path):
        space = get_space(content["space"])
        architecture = space.parse(content["architecture"])
        side = content["resolution"]
        sizes = (
            content.setdefault("width", side),
            content.setdefault("channels", 3),
        )  # as before 0.2
        shape = Shape(len(content["class_names"]), side, *sizes)
        network = space.build(architecture, shape)
        network.load_state_dict(content.pop("network"))
    if images is not None and images.shape.pixels != shape.pixels:
        raise ImagesError(
            f"expected images of {_words(shape)}, for which {path.name} was trained, found"
            f" {images.name} with {_words(images.shape)}: load them at that resolution and channels"
        )
    return network.eval(), content
