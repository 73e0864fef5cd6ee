"""Peak memory and size of a network, counted exactly on the network that is built.

*Memory*: the bytes of activations that are alive at once in the widest moment of one forward
pass in evaluation mode, one image, float32: operations run one after another in the order of
the network, each holds its inputs and its output, and every activation that a later operation
still needs is held, too. An operation is what PyTorch runs as one (a convolution, a batch norm,
an addition); views are free; scratch space within an operation is not counted. Weights are not
part of it: a microcontroller keeps them in flash, where ``size`` counts.

*Size*: the bytes of the weights on disk in float32, each batch norm folded into the convolution
before it, as exporters do: scale and shift become a bias. Formats add a few kilobytes of names.

The rule of memory is that of Lin et al., "MCUNet: Tiny Deep Learning on IoT Devices", NeurIPS
2020, without the planning of patches or buffers in place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

BYTES = 4  # of a float32

#: One operation: the buffers that it reads and those that it writes.
Step = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Footprint:
    """Peak of the activations and size of the weights, both in bytes; lower is better."""

    memory: int
    size: int


class Pass:
    """The steps of a forward pass as a space knows them, and the sizes of its buffers."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.sizes: dict[int, int] = {}

    def buffer(self, size: int) -> int:
        """A new buffer."""
        self.sizes[len(self.sizes)] = size
        return len(self.sizes) - 1

    def operation(self, reads: tuple[int, ...], size: int) -> int:
        """What an operation writes, in a buffer of this size."""
        written = self.buffer(size)
        self.steps.append((reads, (written,)))
        return written

    def then(self, reads: int, sizes: Sequence[int]) -> int:
        """What a chain of operations writes last, each reading what the one before has written."""
        for size in sizes:
            reads = self.operation((reads,), size)
        return reads


def peak(steps: Sequence[Step], sizes: Mapping[int, int]) -> int:
    """The most that is alive during any step: what it reads and writes, and what is read later.

    ``sizes``: of each buffer, in any unit. The first steps' unwritten inputs are alive from
    the beginning on.
    """
    last = {buffer: place for place, (reads, _) in enumerate(steps) for buffer in reads}
    written = {buffer for _, writes in steps for buffer in writes}
    alive = {buffer for reads, _ in steps for buffer in reads if buffer not in written}
    most = 0
    for place, (reads, writes) in enumerate(steps):
        alive.update(reads, writes)
        most = max(most, sum(sizes[buffer] for buffer in alive))
        alive = {buffer for buffer in alive if last.get(buffer, -1) > place}
    return most


def unweighted(build: "Callable[[], nn.Module]") -> "nn.Module":
    """A network with zeros for weights, made without the time that drawing them takes."""
    import torch

    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu")
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            value.zero_()
    return network


def counted(network: "nn.Module", pixels: tuple[int, ...]) -> Footprint:
    """The footprint of a network for one image of this shape, by a pass of zeros through it."""
    steps, sizes, norms = _traced(network.eval(), pixels)
    weights = sum(value.numel() for value in network.parameters())
    return Footprint(peak(steps, sizes), BYTES * (weights - norms))


def _traced(
    network: "nn.Module", pixels: tuple[int, ...]
) -> tuple[list[Step], dict[int, int], int]:
    """The steps of a pass, the bytes of its buffers, and the weights that folding norms saves."""
    import torch
    from torch import nn
    from torch.utils._python_dispatch import TorchDispatchMode

    weights = {_buffer(value) for value in (*network.parameters(), *network.buffers())}
    steps: list[Step] = []
    sizes: dict[int, int] = {}
    kept: list[Tensor] = []  # so that no buffer takes the name of one that is gone

    def seen(values: Any) -> tuple[int, ...]:
        found = [value for value in _tensors(values) if _buffer(value) not in weights]
        kept.extend(found)
        sizes.update((_buffer(value), value.untyped_storage().nbytes()) for value in found)
        return tuple(dict.fromkeys(map(_buffer, found)))

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # nothing is compiled here, and the compiler takes a second to import

        def __torch_dispatch__(
            self, operation: Any, types: Any, given: Any = (), named: Any = None
        ) -> Any:
            result = operation(*given, **(named or {}))
            steps.append((seen([given, named or {}]), seen(result)))  # a view writes what it reads
            return result

    saved = 0
    convolved: dict[int, nn.Conv2d] = {}

    def fold(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        nonlocal saved
        if isinstance(module, nn.Conv2d):
            convolved[id(result)] = module
            kept.append(result)
        elif id(given[0]) in convolved:
            bias = convolved[id(given[0])].bias is not None
            saved += sum(v.numel() for v in module.parameters())
            saved -= 0 if bias else convolved[id(given[0])].out_channels

    kinds = nn.Conv2d, nn.BatchNorm2d
    hooks = [m.register_forward_hook(fold) for m in network.modules() if isinstance(m, kinds)]
    with torch.no_grad(), Recorder():  # type: ignore[no-untyped-call]
        network(torch.zeros(1, *pixels))
    for hook in hooks:
        hook.remove()
    return steps, sizes, saved


def _buffer(value: "Tensor") -> int:
    """The memory that a tensor looks at: the same for its views."""
    return int(value.untyped_storage()._cdata)


def _tensors(values: Any) -> "Iterator[Tensor]":
    """Every tensor in what an operation takes or gives."""
    from torch import Tensor

    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(list(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
