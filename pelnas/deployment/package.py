"""Networks of a run as folders that leave: model.py, model.onnx, weights and a card, all checked."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from pelnas.architecture import Architecture
from pelnas.cache import default_cache
from pelnas.config import Measurement
from pelnas.deployment.card import card, text
from pelnas.deployment.check import Floats, Job, check_alone, check_onnx
from pelnas.deployment.network import Built, Chosen, built, chosen
from pelnas.deployment.source import source
from pelnas.errors import StoreError
from pelnas.images import load_images
from pelnas.runtimes.deployed import export
from pelnas.runtimes.onnx_runtime import OnnxRuntime, opened
from pelnas.runtimes.timer import Loaded, Timer, processor
from pelnas.spaces import get_space
from pelnas.store import RunStore

SOURCE, WEIGHTS, ONNX = "model.py", "weights.pt", "model.onnx"
CARD, CARD_TEXT = "card.json", "card.md"
IMAGES = 8  # real images on which the exported network is compared
DIGITS = "digits"


@dataclass(frozen=True)
class Exported:
    """One network that left.

    ``predicted_ms``: what the search knew of its latency, on the run's device; ``None`` without.
    ``latency_ms``, ``spread_ms``: measured on this machine, of the file that was exported.
    ``difference``: of the file's logits from PyTorch's, at most 1e-4.
    """

    id: str
    architecture: str
    folder: Path
    trained: bool
    predicted_ms: float | None
    latency_ms: float
    spread_ms: float
    difference: float


def export_networks(
    store: RunStore,
    architectures: Sequence[Architecture],
    to: Path,
    images: Path | None = None,
) -> list[Exported]:
    """Write each into ``to``, or of several each into a folder of its own in it.

    Nothing appears in ``to`` before all are checked. ``images``: where the run's are now.
    StoreError: it is not an empty folder. DeviceError: a network that ONNX lacks operators
    for, that cannot be written as a file, or whose files compute something else.
    """
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise StoreError(
            f"expected an empty folder or a new one to export to, found other content in {to}:"
            " name another"
        )
    with _beside(to) as making:
        exporter = _Exporter(store, making, images)
        choices = [chosen(store, architecture) for architecture in architectures]
        several = len(choices) > 1
        for choice in choices:
            exporter.write(choice, making / choice.id if several else making)
        exporter.check()
        done = exporter.measure()
    return [replace(each, folder=to / each.id if several else to) for each in done]


@contextmanager
def _beside(to: Path) -> Iterator[Path]:
    """A folder that takes the place of ``to`` in one step, if all goes well."""
    making = to.parent / f".{to.name}.{uuid4().hex[:8]}"
    try:
        making.mkdir(parents=True)
        yield making
        if to.is_dir():
            to.rmdir()
        making.rename(to)
    except OSError as error:
        raise StoreError(
            f"{to} cannot be written ({error.strerror or error}): free disk space, correct its"
            " permissions, or name another folder"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


@dataclass(frozen=True)
class _Written:
    """A network whose files are in a folder, without its card."""

    choice: Chosen
    made: Built
    place: Path
    difference: float


class _Exporter:
    """Writes networks one after the other; tries all of them at the end, and measures them together."""

    def __init__(self, store: RunStore, making: Path, images: Path | None) -> None:
        self._store, self._images = store, images
        self._scratch = making / ".check"
        self._scratch.mkdir()
        self._measurement = Measurement()
        self._runtime = OnnxRuntime()
        self._written: list[_Written] = []
        self._jobs: list[Job] = []

    def write(self, choice: Chosen, place: Path) -> None:
        import torch

        made = built(self._store, choice, self._store.sources().shape(self._store.config))
        place.mkdir(exist_ok=True)
        content = export(made.network, made.shape)
        pictures = self._pictures(made)
        difference = check_onnx(content, made.network, pictures)
        (place / ONNX).write_bytes(content)
        title = f"{self._store.config.space}: {choice.id} of run {self._store.name}."
        (place / SOURCE).write_text(
            source(made.network, title, choice.text, made.shape), encoding="utf-8"
        )
        weights = place / WEIGHTS if choice.training else self._scratch / f"{choice.id}.pt"
        torch.save(made.network.state_dict(), weights)
        self._written.append(_Written(choice, made, place, difference))
        self._jobs.append(self._job(choice, place, weights, pictures))

    def check(self) -> None:
        """Build every network from its own file in a process without pelnas."""
        check_alone(self._jobs, [each.made.network for each in self._written])
        shutil.rmtree(self._scratch)

    def measure(self) -> list[Exported]:
        """Time the files over several sessions, several in alternation, and add the cards."""
        timer = Timer(self._runtime, self._measurement, default_cache())
        timings = timer.over_sessions(self._written, self._work, self._loaded)
        return [self._carded(each, *one) for each, one in zip(self._written, timings, strict=True)]

    def _loaded(self, written: Sequence[_Written], _: ExitStack) -> list[Loaded]:
        threads = self._measurement.threads
        return [
            Loaded(opened((each.place / ONNX).read_bytes(), threads), each.made.shape)
            for each in written
        ]

    def _work(self, written: _Written) -> float:
        space, shape = get_space(self._store.config.space), written.made.shape
        return self._measurement.batch * space.flops(space.parse(written.choice.text), shape)

    def _carded(self, written: _Written, latency: float, spread: float) -> Exported:
        choice, place = written.choice, written.place
        measured = {"latency_ms": latency, "spread_ms": spread, "source": self._how()}
        about = card(self._store, choice, written.made, measured, written.difference)
        (place / CARD).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        (place / CARD_TEXT).write_text(text(about), encoding="utf-8")
        return Exported(
            id=choice.id,
            architecture=choice.text,
            folder=place,
            trained=choice.training is not None,
            predicted_ms=choice.evaluation.cost.latency_ms if choice.evaluation else None,
            latency_ms=latency,
            spread_ms=spread,
            difference=written.difference,
        )

    def _job(self, choice: Chosen, place: Path, weights: Path, pictures: Floats) -> Job:
        images, logits = (self._scratch / f"{choice.id}.{end}.npy" for end in ("in", "out"))
        np.save(images, pictures)
        return Job(choice.id, place / SOURCE, weights, images, logits)

    def _pictures(self, made: Built) -> Floats:
        """Real images (IMAGES, channels, height, width): the run's, or digits where it has none."""
        config, shape = self._store.config, made.shape
        place = config.images if self._images is None else self._images
        place = None if place == Path(DIGITS) else place
        images = load_images(place, (shape.height, shape.width), shape.channels)
        return images.batch(min(IMAGES, len(images.train)), config.seed)[0]

    def _how(self) -> str:
        return f"{self._runtime.title}, 1 thread, {processor()}"
