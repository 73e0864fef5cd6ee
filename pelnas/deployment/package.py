"""Networks of a run as folders that leave: model.py, model.onnx, weights and a card, all checked."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from pelnas.architecture import Architecture
from pelnas.config import Measurement
from pelnas.deployment.card import card, text
from pelnas.deployment.check import Floats, Job, check_alone, check_onnx
from pelnas.deployment.network import Built, Chosen, built, chosen
from pelnas.deployment.source import source
from pelnas.devices.host import processor
from pelnas.errors import StoreError
from pelnas.images import load_images
from pelnas.runtimes.deployed import export
from pelnas.runtimes.onnx_runtime import OnnxRuntime, opened
from pelnas.runtimes.timing import latency
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
    on_done: Callable[[Exported], None] = lambda _: None,
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
        done = []
        for choice in choices:
            place = making / choice.id if several else making
            found = exporter.write(choice, place, to / choice.id if several else to)
            on_done(found)
            done.append(found)
        exporter.check()
    return done


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


class _Exporter:
    """Writes networks one after the other, and tries all of them at the end."""

    def __init__(self, store: RunStore, making: Path, images: Path | None) -> None:
        self._store, self._images = store, images
        self._scratch = making / ".check"
        self._scratch.mkdir()
        self._measurement = Measurement()
        self._runtime = OnnxRuntime()
        self._networks: list[Built] = []
        self._jobs: list[Job] = []

    def write(self, choice: Chosen, place: Path, final: Path) -> Exported:
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
        self._remember(choice, made, place, weights, pictures)
        run = opened(content, self._measurement.threads)
        median, spread = latency(run, made.shape, self._measurement)
        measured = {"latency_ms": median, "spread_ms": spread, "source": self._how()}
        about = card(self._store, choice, made, measured, difference)
        (place / CARD).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        (place / CARD_TEXT).write_text(text(about), encoding="utf-8")
        predicted = choice.evaluation.cost.latency_ms if choice.evaluation else None
        return Exported(
            id=choice.id,
            architecture=choice.text,
            folder=final,
            trained=choice.training is not None,
            predicted_ms=predicted,
            latency_ms=median,
            spread_ms=spread,
            difference=difference,
        )

    def check(self) -> None:
        """Build every network from its own file in a process without pelnas."""
        check_alone(self._jobs, [made.network for made in self._networks])
        shutil.rmtree(self._scratch)

    def _remember(
        self, choice: Chosen, made: Built, place: Path, weights: Path, pictures: Floats
    ) -> None:
        images, logits = (self._scratch / f"{choice.id}.{end}.npy" for end in ("in", "out"))
        np.save(images, pictures)
        self._networks.append(made)
        self._jobs.append(Job(choice.id, place / SOURCE, weights, images, logits))

    def _pictures(self, made: Built) -> Floats:
        """Real images (IMAGES, channels, height, width): the run's, or digits where it has none."""
        config, shape = self._store.config, made.shape
        place = config.images if self._images is None else self._images
        place = None if place == Path(DIGITS) else place
        images = load_images(place, (shape.height, shape.width), shape.channels)
        return images.batch(min(IMAGES, len(images.train)), config.seed)[0]

    def _how(self) -> str:
        return f"{self._runtime.title}, 1 thread, {processor()}"
