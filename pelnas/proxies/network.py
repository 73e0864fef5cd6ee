"""Running a network without leaving a trace on it.

Every pass works on stand-ins: detached copies of the weights and buffers are
swapped in for the duration of one call. Weights, buffers, gradients, hooks,
training mode and the global random state are what they were before.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import mha
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from pelnas.accelerator import exact, reseed, seeded
from pelnas.errors import ProxyError

LAYERS = (_ConvNd, nn.Linear)  # what "layer" means in every proxy: it has one weight
NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)
ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
)

Hook = Callable[..., Any]


@dataclass(frozen=True)
class Tensors:
    """Stand-ins for one call: every parameter and buffer by its name in the network."""

    values: dict[str, Tensor]
    layers: tuple[str, ...]  # names of the weights of convolutions and linear layers

    @property
    def weights(self) -> list[Tensor]:
        return [self.values[name] for name in self.layers]


def layers_of(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Convolutions and linear layers with their names, in order of definition."""
    return [
        (name, module) for name, module in network.named_modules() if isinstance(module, LAYERS)
    ]


def stand_ins(network: nn.Module, of: Callable[[Tensor], Tensor] | None = None) -> Tensors:
    """Fresh copies of parameters and buffers; those of layers ask for gradients.

    ``of``: what makes the floating ones another type.
    """
    state = dict(network.named_parameters(remove_duplicate=True))
    buffers = dict(network.named_buffers(remove_duplicate=True))
    values = {name: _copy(value, of) for name, value in (state | buffers).items()}
    names = tuple(
        f"{name}.weight" if name else "weight"
        for name, _ in layers_of(network)
        if (f"{name}.weight" if name else "weight") in values
    )
    for name in names:
        values[name].requires_grad_()
    return Tensors(values, names)


def _copy(value: Tensor, of: Callable[[Tensor], Tensor] | None) -> Tensor:
    copy = value.detach().clone()
    return of(copy) if of is not None and copy.is_floating_point() else copy


def run(network: nn.Module, tensors: Tensors, images: Tensor) -> Tensor:
    """Logits of the network with the stand-ins in place of its own tensors, within ``untouched``.

    ProxyError: the network cannot take images of this shape.
    """
    reseed(torch.initial_seed(), images.device)  # every pass draws the same dropout masks
    try:
        output = functional_call(network, tensors.values, (images,))
    except torch.OutOfMemoryError:
        raise  # of the accelerator: the network is not at fault
    except (RuntimeError, ValueError) as error:
        shape = "x".join(map(str, images.shape[1:]))
        first = str(error).splitlines()[0][:200]
        raise ProxyError(
            f"expected a network that takes images of shape {shape}, found {first!r}:"
            " give images of the channels and the size that the network was built for"
        ) from error
    if not isinstance(output, Tensor) or output.ndim != 2:
        raise ProxyError(
            "expected a network that answers one tensor of logits (batch, classes), found"
            f" {tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__}:"
            " wrap it so that it does"
        )
    return output


def device_of(network: nn.Module) -> torch.device:
    """Where a network's tensors are; the processor for one without any."""
    return next((value.device for value in network.parameters()), torch.device("cpu"))


@contextmanager
def untouched(network: nn.Module, seed: int) -> Iterator[None]:
    """Training mode, no in-place activations, a seeded global generator; all undone afterwards.

    Attention is computed by its formula: the fused kernels have no second derivative, and
    their products cannot be counted.
    """
    modes = [(module, module.training) for module in network.modules()]
    in_place = [module for module in network.modules() if getattr(module, "inplace", False)]
    fast = mha.get_fastpath_enabled()
    device = device_of(network)
    with seeded(seed, device), exact(device), sdpa_kernel(SDPBackend.MATH):
        try:
            mha.set_fastpath_enabled(False)
            network.train()
            for module in in_place:
                setattr(module, "inplace", False)  # noqa: B010 - only some modules have it
            yield
        finally:
            mha.set_fastpath_enabled(fast)
            for module in in_place:
                setattr(module, "inplace", True)  # noqa: B010
            for module, mode in modes:
                module.training = mode


@contextmanager
def hooked(modules: Sequence[nn.Module], after: Hook, before: bool = False) -> Iterator[None]:
    """Call ``after(module, inputs, output)`` (or ``(module, inputs)`` before it) for each module."""
    handles = [
        module.register_forward_pre_hook(after) if before else module.register_forward_hook(after)
        for module in modules
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replaced_forward(modules: Sequence[nn.Module], forward: Hook) -> Iterator[None]:
    """Replace each module's own forward by ``forward(module, inputs)``."""
    own = [module.__dict__.get("forward") for module in modules]
    for module in modules:
        module.__dict__["forward"] = partial(forward, module)
    try:
        yield
    finally:
        for module, before in zip(modules, own, strict=True):
            if before is None:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = before


@contextmanager
def identity_norms(network: nn.Module) -> Iterator[None]:
    """Let every normalisation pass its input on, as the SynFlow paper's data-free pass needs."""
    norms = [module for module in network.modules() if isinstance(module, NORMS)]
    with replaced_forward(norms, _pass_on):
        yield


def _pass_on(_module: nn.Module, inputs: Tensor) -> Tensor:
    return inputs


def gradients(
    output: Tensor,
    inputs: Sequence[Tensor],
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> list[Tensor]:
    """Gradients of a scalar; zero where the output does not depend on an input."""
    if not output.requires_grad:
        return [torch.zeros_like(value) for value in inputs]
    found = torch.autograd.grad(
        output, inputs, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True
    )
    return [
        torch.zeros_like(value) if gradient is None else gradient
        for value, gradient in zip(inputs, found, strict=True)
    ]


def multiply_accumulates(module: nn.Module, inputs: Tensor, output: Tensor) -> int:
    """Of one call of a convolution or linear layer on a batch, divided by the batch."""
    bias = output[0].numel() if module.bias is not None else 0
    if isinstance(module, nn.Linear):
        return output[0].numel() * module.in_features + bias
    if not isinstance(module, _ConvNd):
        return 0
    window = module.weight[0, 0].numel()
    if isinstance(module, _ConvTransposeNd):
        return inputs[0].numel() * module.out_channels // module.groups * window + bias
    return output[0].numel() * module.in_channels // module.groups * window + bias
