"""What computes scores and trainings: the processor, or a graphics processor of this machine.

``cpu`` is the default, and on purpose not the fastest: its values are equal to the last bit on every
machine with the same torch and the same kind of processor, so that a run can go on elsewhere and
share what others have computed. Values of ``cuda`` and ``mps`` agree with it to about six digits.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from pelnas.errors import AcceleratorError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Accelerator = Literal["cpu", "cuda", "mps"]
Asked = Literal["auto", "cpu", "cuda", "mps"]

CPU: Accelerator = "cpu"
CUDA: Accelerator = "cuda"
MPS: Accelerator = "mps"
NAMES: tuple[Asked, ...] = get_args(Asked)


def found(asked: str) -> Accelerator:
    """What a name means on this machine: ``auto`` is cuda, else mps, else cpu; any other is itself.

    AcceleratorError: no such name, or this machine or its torch lacks it.
    """
    if asked == CPU:
        return CPU
    there = _there()
    if asked == "auto":
        return there[0]
    for name in there:
        if name == asked:
            return name
    if asked not in NAMES:
        raise AcceleratorError(
            f"expected an accelerator ({', '.join(NAMES)}), found {asked[:40]!r}: name one of these"
        )
    raise AcceleratorError(f"expected {asked} on this machine, found {_lack(asked)}")


def _there() -> tuple[Accelerator, ...]:
    """What this machine has, the fastest first."""
    import torch

    there: list[Accelerator] = [CPU]
    if torch.backends.mps.is_available():
        there.insert(0, MPS)
    if torch.cuda.is_available():
        there.insert(0, CUDA)
    return tuple(there)


def _lack(asked: str) -> str:
    import torch

    other = "use --accelerator cpu or auto"
    if asked == MPS:
        return f"no graphics processor that torch reaches by Metal (a Mac with macOS 14): {other}"
    if torch.version.cuda is None and torch.version.hip is None:
        return (
            f"that its torch ({torch.__version__}) was built without CUDA: install torch with CUDA,"
            f" or {other}"
        )
    return f"no NVIDIA graphics processor and driver that torch reaches: {other}"


def title(name: str) -> str:
    """For people: ``cpu``, or ``cuda (NVIDIA H200)``."""
    if name != CUDA:
        return name
    import torch

    return f"{name} ({torch.cuda.get_device_name()})"


def wide(value: "Tensor") -> "Tensor":
    """The same numbers as float64; on the processor where the accelerator has no float64."""
    return (value.cpu() if value.device.type == MPS else value).double()


def drawn(like: "Tensor", generator: "torch.Generator", std: float = 1.0) -> "Tensor":
    """Normal values of a tensor's shape, drawn on the processor: the same on every accelerator."""
    import torch

    return torch.empty_like(like, device=CPU).normal_(std=std, generator=generator).to(like.device)


def reseed(value: int, device: "torch.device | None" = None) -> None:
    """Begin the random numbers of the processor, and of this device, anew.

    ``torch.manual_seed`` begins those of every kind of device: for one that nobody has used yet it
    keeps the call with the whole stack of its callers, which takes longer than a small network, and
    never lets go of it.
    """
    import torch

    torch.default_generator.manual_seed(value)
    if device is not None and device.type == CUDA:
        torch.cuda.manual_seed_all(value)
    elif device is not None and device.type == MPS:
        torch.mps.manual_seed(value)


@contextmanager
def seeded(value: int, device: "torch.device | None" = None) -> Iterator[None]:
    """Random numbers of the processor, and of this device, from a seed.

    After the block their states are as they were before.
    """
    import torch

    of_cuda = device is not None and device.type == CUDA
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if of_cuda else []):
        reseed(value, device)
        yield


@contextmanager
def exact(device: "torch.device") -> Iterator[None]:
    """Full float32, and the same algorithm each time: by default CUDA rounds to 11 bits (TF32)."""
    if device.type != CUDA:
        yield
        return
    import torch

    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    with ExitStack() as held:
        held.enter_context(
            torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=False
            )
        )
        held.callback(setattr, matmul, "allow_tf32", before)
        matmul.allow_tf32 = False
        yield


def out_of_memory(error: BaseException) -> bool:
    """Whether a computation failed for want of memory of the accelerator; what it held is released."""
    import torch

    if not isinstance(error, torch.OutOfMemoryError):
        return False
    release()
    return True


def release() -> None:
    """Give back memory of the accelerator that torch keeps for later."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
