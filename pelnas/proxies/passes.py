"""The passes that proxies share, each run once and only when somebody asks for it.

One forward pass in training mode serves the kernel of activations, the
classification gradients, and the gradients of the inputs; a second derivative
is taken on the same graph. A proxy reads what it needs from here and never
runs the network itself, except where its paper prescribes other weights.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pelnas.accelerator import wide
from pelnas.errors import ProxyError
from pelnas.proxies.attention import Products
from pelnas.proxies.curvature import quick_second_derivatives, scaled
from pelnas.proxies.network import (
    ACTIVATIONS,
    LAYERS,
    Tensors,
    gradients,
    hooked,
    multiply_accumulates,
    run,
    stand_ins,
)

KERNEL, FISHER, INPUTS, CURVATURE, LOSS = "kernel", "fisher", "inputs", "curvature", "loss"


@dataclass(frozen=True)
class Forward:
    """One forward pass in training mode on the whole batch."""

    tensors: Tensors
    images: Tensor  # asks for gradients where INPUTS is needed
    scale: Tensor | None  # 1, a factor on the layers' weights where CURVATURE is needed
    logits: Tensor
    operations: int  # multiply-accumulates of one image
    kernel: Tensor | None  # (batch, batch) float64: equal activation bits of two images


@dataclass(frozen=True)
class Backward:
    """Gradients of the mean cross-entropy with respect to the layers' weights."""

    weights: list[Tensor]
    gradients: list[Tensor]
    curvature: float | None  # weights . Hessian . gradient; None: torch cannot differentiate twice
    fisher: float


@dataclass
class _Collector:
    """Adds up Fisher sums while the loss is propagated back."""

    open: bool = False
    total: float = 0.0


class Passes:
    """The passes over one network and one batch.

    images: (batch, channels, height, width); labels: (batch,) int64.
    ``needs``: what the asked proxies will read, so that one forward pass records all of it.
    """

    def __init__(
        self, network: nn.Module, images: Tensor, labels: Tensor, needs: frozenset[str], seed: int
    ) -> None:
        self.network = network
        self.images = images
        self.labels = labels
        self.needs = needs
        self.seed = seed
        self.extra: dict[
            str, Any
        ] = {}  # what a family of proxies measures once for all its members
        self._fisher = _Collector()

    @cached_property
    def forward(self) -> Forward:
        tensors = stand_ins(self.network)
        images = self.images.detach().requires_grad_(INPUTS in self.needs)
        batch, products = len(images), Products()
        units = _of_type(self.network, ACTIVATIONS) if KERNEL in self.needs else []
        kernel = wide(self.images.new_zeros(batch, batch)) if units else None

        def count_bits(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if kernel is not None:
                products.enter()  # ours, not the network's
                kernel.add_(equal_bits(inputs[0].detach()))
                products.leave()

        layers = _of_type(self.network, LAYERS)
        counted: list[int] = []

        def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            products.leave()
            counted.append(multiply_accumulates(module, inputs[0], output))
            if FISHER in self.needs:
                self._watch_channels(module, output)

        scale = self.images.new_ones(()).requires_grad_() if CURVATURE in self.needs else None
        if scale is not None:
            tensors = scaled(self.network, tensors, scale)

        gradient = bool(self.needs & {FISHER, INPUTS, CURVATURE, LOSS})
        with (
            hooked(units, count_bits, before=True),
            hooked(layers, products.enter, before=True),
            hooked(layers, watch),
            products,
            nullcontext() if scale is None else quick_second_derivatives(self.network, scale),
            torch.set_grad_enabled(gradient),
        ):
            logits = run(self.network, tensors, images)
        operations = sum(counted) + products.total // batch
        return Forward(tensors, images, scale, logits, operations, kernel)

    @cached_property
    def operations(self) -> int:
        """Multiply-accumulates of one image; from the shared pass where there is one."""
        if self.needs:
            return self.forward.operations
        counted: list[int] = []
        products = Products()

        def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            products.leave()
            counted.append(multiply_accumulates(module, inputs[0], output))

        layers = _of_type(self.network, LAYERS)
        self.network.eval()  # one image has no batch statistics
        try:
            with (
                hooked(layers, products.enter, before=True),
                hooked(layers, count),
                products,
                torch.no_grad(),
            ):
                run(self.network, stand_ins(self.network), self.images[:1])
        finally:
            self.network.train()
        return sum(counted) + products.total

    def _watch_channels(self, module: nn.Module, output: Tensor) -> None:
        """Note the Fisher sum of a layer's channels when the loss's gradient passes by."""
        if not output.requires_grad:
            return
        activation = output.detach()
        channel = output.ndim - 1 if isinstance(module, nn.Linear) else 1
        collector = self._fisher  # never self: the graph would hold the passes that hold it

        def note(gradient: Tensor) -> None:
            if collector.open:
                values = _channel_fisher(activation, gradient.detach(), channel)
                collector.total += float(values.sum())

        output.register_hook(note)  # type: ignore[no-untyped-call]

    @cached_property
    def signal(self) -> bool:
        """Whether the output depends on the image at all (to within rounding)."""
        logits = self.forward.logits.detach()
        spread = (logits - logits[:1]).abs().max()
        return bool(torch.isfinite(logits).all() and spread > 1e-6 * logits.abs().max())

    @cached_property
    def input_gradients(self) -> Tensor:
        """(batch, pixels) float64, on the processor: gradient of all logits' sum at every input."""
        forward = self.forward
        (found,) = gradients(forward.logits.sum(), [forward.images], retain_graph=True)
        return wide(found.flatten(1)).cpu()

    @cached_property
    def backward(self) -> Backward:
        if INPUTS in self.needs:
            _ = self.input_gradients  # before the graph is freed
        forward = self.forward
        weights = forward.tensors.weights
        loss = cross_entropy(forward.logits, self.labels)
        self._fisher.open = True  # the graph is walked for other gradients too
        found = gradients(loss, weights, create_graph=forward.scale is not None)
        self._fisher.open = False
        first = [gradient.detach() for gradient in found]
        curvature = 0.0 if forward.scale is None else _curvature(first, found, forward.scale)
        return Backward(weights, first, curvature, self._fisher.total)

    @cached_property
    def half_gradients(self) -> list[list[Tensor]]:
        """Gradients of the loss for the first and for the second half of the batch."""
        if len(self.images) < 4:
            raise ProxyError(
                f"expected at least 4 images for the two batches of zico, found {len(self.images)}:"
                " give a larger batch, or leave zico out"
            )
        found = []
        for images, labels in zip(self.images.chunk(2), self.labels.chunk(2), strict=True):
            tensors = stand_ins(self.network)
            loss = cross_entropy(run(self.network, tensors, images), labels)
            found.append(gradients(loss, tensors.weights))
        return found


def _curvature(first: list[Tensor], found: list[Tensor], scale: Tensor) -> float | None:
    """Derivative by the scale of ``first . gradient``, first held fixed."""
    product = torch.stack([(a * b).sum() for a, b in zip(first, found, strict=True)]).sum()
    try:
        (slope,) = gradients(product, [scale])
    except RuntimeError as error:
        if "is not implemented" in str(error):  # of a rare function that is called, not a module
            return None
        raise
    return float(slope)


def _of_type(network: nn.Module, kinds: tuple[type, ...]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


def equal_bits(values: Tensor) -> Tensor:
    """(batch, batch): units that are positive in both images or in neither."""
    signs = (values.flatten(1) > 0).to(values.dtype).mul_(2).sub_(1)
    return wide(signs @ signs.T).add_(signs.shape[1]).div_(2)


def _channel_fisher(activation: Tensor, gradient: Tensor, channel: int) -> Tensor:
    product = activation * gradient
    others = [axis for axis in range(1, product.ndim) if axis != channel]
    per_image = product.sum(others) if others else product
    return wide(per_image).square().mean(0).div(2)
