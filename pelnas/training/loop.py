"""The training loop: every random draw depends on the seed and the step alone, so that
a training which goes on from a checkpoint is the one that was never interrupted."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pelnas.accelerator import CPU, Accelerator, exact, release, seeded
from pelnas.errors import ImagesError, MemoryLackError, StoreError, TrainingError
from pelnas.training import checkpoint
from pelnas.training.augmentation import augment
from pelnas.training.data import Part, TrainingData
from pelnas.training.optimizer import optimizer_of
from pelnas.training.settings import Epoch, Step, TrainingResult, TrainingSettings, TrainingStopped

SAVE_SECONDS = 30.0  # of training between two checkpoints; less than that may be lost by a kill
LEAST = 2  # images that batch norms need
EVALUATED = 256  # images of one forward pass without gradients
ORDER, SHIFTS, NETWORK = range(3)  # what is drawn, so that no two draws share their seed


class Trainer:
    """One training of one network; ``run`` may be called once."""

    def __init__(
        self,
        network: nn.Module,
        data: TrainingData,
        settings: TrainingSettings,
        path: Path | None,
        accelerator: Accelerator = CPU,
    ) -> None:
        self.settings, self.data, self._path = settings, data, path
        self._accelerator, self._device = accelerator, torch.device(accelerator)
        # Convolutions on a CPU are about a fifth faster with the channels last.
        self.network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._scale, self._offset = torch.from_numpy(data.scale), torch.from_numpy(data.offset)
        _check_head(network, self._normal(data.train.pixels[:2]).to(self._device), data)
        self._optimizer = optimizer_of(self.network, settings)
        self._steps = math.ceil(len(data.train) / settings.batch)  # of an epoch
        self._shift = round(settings.shift * data.shape.width)
        self._step = 0
        self._loss = 0.0  # sum over the steps of the epoch under way
        self._seconds = 0.0
        self._pieces = 1  # of a step's batch, one forward pass each
        self._history: list[Epoch] = []
        self._best: dict[str, Tensor] = {}

    def run(self, on_step: Callable[[Step], None], stop: Callable[[], bool]) -> TrainingResult:
        """See ``pelnas.training.train``."""
        with exact(self._device):
            result = self._run(on_step, stop)
        self.network.cpu()
        return result

    def _run(self, on_step: Callable[[Step], None], stop: Callable[[], bool]) -> TrainingResult:
        if self._path is not None and self._path.is_file():
            self._restore(self._path)
        total = self._steps * self.settings.epochs
        saved = mark = time.perf_counter()
        while self._step < total and not self._exhausted():
            if stop():
                self._save()
                raise TrainingStopped("the training was asked to stop: start it again to go on")
            self._advance(total)
            self._seconds += time.perf_counter() - mark
            mark = time.perf_counter()
            if mark - saved > SAVE_SECONDS:
                self._save()
                saved = mark
            last = self._history[-1] if self._history else None
            on_step(Step(self._step, total, len(self._history), last))
        self._save()
        return self._result()

    # -- steps ----------------------------------------------------------------

    def _advance(self, total: int) -> None:
        """One step, and the validation where it ends an epoch."""
        epoch, place = divmod(self._step, self._steps)
        order = self._rng(ORDER, epoch).permutation(len(self.data.train))
        chosen = np.array_split(order, self._steps)[place]
        rate = learning_rate(self._step, total, self.settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        self._loss += self._learn(chosen)
        self._step += 1
        if place + 1 == self._steps:
            self._end_epoch()

    def _learn(self, chosen: NDArray[Any]) -> float:
        images = self._normal(self.data.train.pixels[chosen])
        labels = torch.from_numpy(self.data.train.labels[chosen])
        images = augment(images, self._shift, self.settings.flip, self._rng(SHIFTS, self._step))
        self.network.train()
        while True:
            try:
                value = self._back(images, labels)
                break
            except torch.OutOfMemoryError:
                self._halve(len(images))
        self._optimizer.step()
        return value

    def _back(self, images: Tensor, labels: Tensor) -> float:
        """The gradients of a batch, piece by piece; its mean loss."""
        self._optimizer.zero_grad()
        value = 0.0
        dropout = int(self._rng(NETWORK, self._step).integers(2**63))
        with seeded(dropout, self._device):
            pieces = zip(images.chunk(self._pieces), labels.chunk(self._pieces), strict=True)
            for part, own in pieces:
                loss = self._loss_of(part, own) * (len(part) / len(images))
                if not math.isfinite(each := loss.item()):
                    raise TrainingError(
                        f"expected a finite loss, found {each} in step {self._step + 1}:"
                        f" lower the learning rate from {self.settings.learning_rate:g}"
                    )
                torch.autograd.backward(loss)
                value += each
        return value

    def _loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        logits = self._logits(images)
        return functional.cross_entropy(
            logits, labels.to(self._device), label_smoothing=self.settings.label_smoothing
        )

    def _logits(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(images.to(self._device))
        return logits

    def _halve(self, batch: int) -> None:
        """Take pieces of half the size from now on. MemoryLackError: they would be single images."""
        release()
        self._optimizer.zero_grad()
        if batch // (2 * self._pieces) < LEAST:
            raise MemoryLackError(
                f"expected memory of {self._accelerator} for {LEAST} images of"
                f" {self.data.shape.size}, found too little: end what else runs there, or use"
                " --accelerator cpu"
            )
        self._pieces *= 2

    def _end_epoch(self) -> None:
        accuracy, loss = self._evaluate(self.data.validation)
        self._history.append(Epoch(self._loss / self._steps, loss, accuracy))
        self._loss = 0.0
        if self._best_epoch() == len(self._history) - 1:
            self._best = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def _best_epoch(self) -> int:
        """Ties keep the earlier epoch."""
        merits = [(e.validation_accuracy, -e.validation_loss) for e in self._history]
        return merits.index(max(merits))

    def _exhausted(self) -> bool:
        patience, done = self.settings.patience, len(self._history)
        return bool(patience and done and done - 1 - self._best_epoch() >= patience)

    def _result(self) -> TrainingResult:
        self.network.load_state_dict(self._best)
        accuracy, _ = self._evaluate(self.data.test)
        best = self._best_epoch()
        return TrainingResult(
            validation_accuracy=self._history[best].validation_accuracy,
            test_accuracy=accuracy,
            epochs=len(self._history),
            best_epoch=best + 1,
            seconds=self._seconds,
            history=tuple(self._history),
            pieces=self._pieces,
        )

    # -- images -----------------------------------------------------------------

    def _evaluate(self, part: Part) -> tuple[float, float]:
        """Accuracy in percent, and mean cross entropy."""
        self.network.eval()
        correct, loss = 0, 0.0
        with torch.inference_mode():
            for start in range(0, len(part), EVALUATED):
                images = self._normal(part.pixels[start : start + EVALUATED])
                labels = torch.from_numpy(part.labels[start : start + EVALUATED]).to(self._device)
                logits = torch.cat([self._logits(few) for few in images.chunk(self._pieces)])
                correct += int((logits.argmax(1) == labels).sum())
                loss += functional.cross_entropy(logits, labels, reduction="sum").item()
        return 100 * correct / len(part), loss / len(part)

    def _normal(self, pixels: NDArray[Any]) -> Tensor:
        return torch.from_numpy(pixels).float() * self._scale + self._offset

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng((self.settings.seed, purpose, number))

    # -- checkpoint ---------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        own = {} if self._accelerator == CPU else {"accelerator": self._accelerator}
        return asdict(self.settings) | {"images": self.data.digest} | own

    def _save(self) -> None:
        if self._path is None:
            return
        content = {
            "identity": self._identity(),
            "step": self._step,
            "loss": self._loss,
            "seconds": self._seconds,
            "pieces": self._pieces,
            "history": [list(astuple(epoch)) for epoch in self._history],
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
        }
        checkpoint.save(self._path, content)

    def _restore(self, path: Path) -> None:
        content = checkpoint.load(path)
        if content.get("identity") != self._identity():
            raise StoreError(
                f"expected a checkpoint of this training at {path}, found one of other settings"
                " or images: delete that file to train anew"
            )
        with checkpoint.reading(path):
            self.network.load_state_dict(content["network"])
            self._optimizer.load_state_dict(content["optimizer"])
            self._step, self._loss = int(content["step"]), float(content["loss"])
            self._seconds, self._best = float(content["seconds"]), content["best"]
            self._pieces = int(content.get("pieces", 1))  # none before 0.2
            self._history = [Epoch(*numbers) for numbers in content["history"]]


def learning_rate(step: int, total: int, settings: TrainingSettings) -> float:
    """The rate of a step counted from 0: a line up to the peak, then half a cosine towards 0."""
    rising = round(settings.warmup * total)
    if step < rising:
        return settings.learning_rate * (step + 1) / rising
    share = (step - rising) / (total - rising)
    return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2


def _check_head(network: nn.Module, images: Tensor, data: TrainingData) -> None:
    """Check that the network takes these images and has one output per class."""
    network.eval()
    try:
        with torch.inference_mode():
            logits = network(images)
    except RuntimeError as error:
        raise ImagesError(
            f"expected images that fit the network, found {tuple(images.shape[1:])} in {data.name}"
            f" ({str(error).splitlines()[0][:120]}): build it for them"
        ) from None
    if logits.shape != (len(images), data.classes):
        raise ImagesError(
            f"expected a network with logits of {data.classes} classes, as the images of"
            f" {data.name} have, found {tuple(logits.shape[1:])}: build it with that many classes"
        )
