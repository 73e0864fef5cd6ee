"""How large a batch of large images may be, so that scoring keeps within its memory.

The batch decides the values of proxies, so it must be the same on every machine: it
follows from the sizes of tensors alone, never from the memory that is free. Where an accelerator
has no memory for it, it is halved, once and for all networks (``batch_that_fits``).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.errors import MemoryLackError
from pelnas.spaces import SearchSpace

LIMIT = 4 * 2**30  # bytes of all processes that score together
IMPORTED = 2**29  # bytes of one that has imported torch and holds a network
ALWAYS = 32 * 128**2  # pixels of a batch, all images together, that no network makes too large
LEAST = 4  # images that proxies need, whatever their size
PASSES = 4.5  # bytes of all passes at their peak, for one that is kept for one backward pass
SAMPLED = 256  # networks among which the largest stands for its space


def batch_and_workers(
    space: SearchSpace, shape: Shape, batch: int, workers: int
) -> tuple[int, int]:
    """How many images of this shape, and processes that score them, keep within ``LIMIT``.

    At most as many as asked. The batch is a multiple of four, at least ``LEAST``, unless all that
    were asked for fit; it depends on space, shape and ``batch`` alone.
    """
    if batch * shape.height * shape.width <= ALWAYS:
        return batch, workers
    image = PASSES * bytes_of_graph(space, shape)
    room = int((LIMIT - IMPORTED) / image)
    fits = min(batch, max(LEAST, room - room % 4))
    return fits, max(1, min(workers, int(LIMIT / (IMPORTED + fits * image))))


@lru_cache(maxsize=8)
def bytes_of_graph(space: SearchSpace, shape: Shape) -> int:
    """What one image adds to what a forward pass keeps for the backward pass, by a large network."""
    import torch

    from pelnas.proxies.network import untouched

    network = space.build(large(space, shape), shape).train()
    own = {value.untyped_storage().data_ptr() for value in network.state_dict().values()}
    kept: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda value: value)
    with untouched(network, 0), hooks:
        logits = network(torch.zeros(2, *shape.pixels))
    del logits  # only now: a freed tensor's place may be taken by another
    return sum(kept.values()) // 2


def large(space: SearchSpace, shape: Shape) -> Architecture:
    """The network with the most multiply-accumulates of a fixed sample."""
    rng = np.random.default_rng(0)
    sample = [space.sample(rng) for _ in range(SAMPLED)]
    return max(sample, key=lambda each: space.flops(each, shape))


def batch_that_fits(score: Callable[[int], object], batch: int) -> int:
    """The first of ``batch``, half of it, a quarter, ... of which ``score`` finds memory.

    MemoryLackError, as ``score`` raises it: fewer than ``LEAST`` images would be left.
    """
    while True:
        try:
            score(batch)
        except MemoryLackError:
            if batch // 2 < LEAST:
                raise
            batch //= 2
        else:
            return batch
