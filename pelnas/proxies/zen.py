"""Zen score: how strongly a network of Gaussian weights answers a small change of its input."""

from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pelnas.accelerator import drawn, wide
from pelnas.proxies import FLOOR
from pelnas.proxies.network import LAYERS, NORMS, Tensors, hooked, run, stand_ins
from pelnas.proxies.passes import Passes

MIXUP = 1e-2  # size of the change, of the paper


def zen(passes: Passes) -> float | None:
    """``log E|f(x) - f(x + 0.01 e)| + sum over batch norms of log sqrt(mean variance)``.

    x and e are standard normal of the images' shape, the weights standard
    normal, f the features before global pooling (the input of the last
    adaptive pooling; else of the last linear layer), their absolute difference
    summed over an image and averaged over the batch. Lin et al., "Zen-NAS",
    ICCV 2021; the variance is, as in its authors' program, the running variance
    that a batch norm holds after both passes. Undefined without batch norms.
    """
    if not any(isinstance(module, _BatchNorm) for module in passes.network.modules()):
        return None
    generator = torch.Generator().manual_seed(passes.seed)
    tensors = gaussian(passes.network, generator)
    first = drawn(passes.images, generator)
    second = first + MIXUP * drawn(first, generator)
    with torch.no_grad():
        change = features(passes.network, tensors, first) - features(
            passes.network, tensors, second
        )
    size = float(wide(change.flatten(1).abs().sum(1)).mean())
    if not size > 0:
        return FLOOR
    return log(size) + sum(_log_scale(value) for value in _variances(passes.network, tensors))


def gaussian(network: nn.Module, generator: torch.Generator) -> Tensors:
    """Stand-ins with standard normal weights, unit norms, zero biases and fresh statistics."""
    tensors = stand_ins(network)
    for prefix, module in network.named_modules():
        names = {
            kind: f"{prefix}.{kind}" if prefix else kind
            for kind in ("weight", "bias", "running_mean", "running_var")
        }
        values = {kind: tensors.values.get(name) for kind, name in names.items()}
        if isinstance(module, LAYERS) and values["weight"] is not None:
            values["weight"].data.copy_(drawn(values["weight"].data, generator))
        elif isinstance(module, NORMS) and values["weight"] is not None:
            values["weight"].data.fill_(1)
        if isinstance(module, LAYERS + NORMS):
            for kind, fill in (("bias", 0), ("running_mean", 0), ("running_var", 1)):
                value = values[kind]
                if value is not None:
                    value.data.fill_(fill)
    return tensors


def features(network: nn.Module, tensors: Tensors, images: Tensor) -> Tensor:
    """What goes into the last adaptive pooling, or else into the last linear layer."""
    pools = [m for m in network.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    taken: list[Tensor] = []

    def take(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        taken.append(inputs[0])

    with hooked((pools or linear)[-1:], take, before=True):
        logits = run(network, tensors, images)
    return taken[-1] if taken else logits


def _variances(network: nn.Module, tensors: Tensors) -> list[Tensor]:
    found = []
    for prefix, module in network.named_modules():
        name = f"{prefix}.running_var" if prefix else "running_var"
        if isinstance(module, _BatchNorm) and name in tensors.values:
            found.append(tensors.values[name])
    return found


def _log_scale(variance: Tensor) -> float:
    return log(float(wide(variance).mean())) / 2
