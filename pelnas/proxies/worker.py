"""What a worker does that scores architectures: it holds a space and a batch, and gets texts."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.accelerator import CPU, Accelerator, found, out_of_memory, seeded
from pelnas.architecture import Shape
from pelnas.errors import MemoryLackError
from pelnas.pool import Work
from pelnas.spaces import SearchSpace, get_space


@dataclass(frozen=True)
class Job:
    """What every architecture is scored on.

    ``proxies``: names of ``pelnas.proxies.table.known_proxies``; ``threads``: torch
    threads a worker, at most: never more than its process has, as by OMP_NUM_THREADS;
    ``accelerator``: what computes them.
    """

    space: str
    proxies: tuple[str, ...]
    shape: Shape
    seed: int
    threads: int
    accelerator: Accelerator = CPU


def score_architecture(
    space: SearchSpace,
    job: Job,
    text: str,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> dict[str, float]:
    """The proxies of one architecture, built with weights drawn from ``job.seed``.

    images (batch, *job.shape.pixels), labels (batch,). ProxyError: see
    ``pelnas.proxies.engine.score_network``. AcceleratorError: it is not there, or has no memory
    for the batch (MemoryLackError).
    """
    import torch

    from pelnas.proxies.engine import score_network

    threads = torch.get_num_threads()
    torch.set_num_threads(min(job.threads, threads))
    try:
        with seeded(job.seed):
            network = space.build(space.parse(text), job.shape)
        device = torch.device(found(job.accelerator))
        batch = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
        return score_network(network.to(device), *batch, job.proxies, job.seed, job.shape.classes)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise MemoryLackError(
            f"expected memory of {job.accelerator} for {len(images)} images of"
            f" {job.shape.size}, found too little: end what else runs there, lower scoring.batch,"
            " or use --accelerator cpu"
        ) from None
    finally:
        torch.set_num_threads(threads)


def work_of(job: Job, images: NDArray[np.float32], labels: NDArray[np.int64]) -> Work:
    """Scoring on this batch; a task is an official text, its answer its proxies by name."""
    arrays: dict[str, NDArray[Any]] = {"images": images, "labels": labels}
    return Work("pelnas.proxies.worker:scoring", asdict(job), arrays)


def scoring(
    settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> Callable[[str], dict[str, float]]:
    """The worker's side of ``work_of``. SpaceError: it has no such space."""
    proxies, shape = tuple(settings["proxies"]), Shape(**settings["shape"])
    job = Job(**{**settings, "proxies": proxies, "shape": shape})
    space = get_space(job.space)

    def score(text: str) -> dict[str, float]:
        return score_architecture(space, job, text, arrays["images"], arrays["labels"])

    return score
