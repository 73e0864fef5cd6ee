"""AZ-NAS: four views of the features between a network's primary blocks, and ZiCo's gradients.

A block is what a network repeats. ``blocks_of`` opens sequences and lists:
their members that have parts of their own are blocks, a plain run of leaves
with a convolution is one block, and a lone convolution is a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle
from torch.nn.modules.conv import _ConvNd

from pelnas.accelerator import drawn, wide
from pelnas.proxies import FLOOR
from pelnas.proxies.network import LAYERS, NORMS, hooked, run, stand_ins
from pelnas.proxies.passes import Passes

_OPENED = (nn.Sequential, nn.ModuleList)


@dataclass(frozen=True)
class Views:
    """The three measured views of AZ-NAS."""

    expressivity: float
    progressivity: float
    trainability: float


def expressivity(passes: Passes) -> float | None:
    """Sum over the blocks of the entropy of the normalised eigenvalues of their features' covariance.

    Lee & Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture
    Search", CVPR 2024; on the images, with Kaiming normal weights (fan in). Tokens count as
    pixels. This and the two below are undefined where no block gives feature maps or tokens.
    """
    found = views(passes)
    return None if found is None else found.expressivity


def progressivity(passes: Passes) -> float | None:
    """The smallest growth of that entropy from one block to the next; the floor for one block.

    Lee & Ham, "AZ-NAS", CVPR 2024.
    """
    found = views(passes)
    return None if found is None else found.progressivity


def trainability(passes: Passes) -> float | None:
    """Mean over the blocks of ``2 - s - 1 / s``, s the largest singular value of a block's Jacobian.

    The Jacobian between channels is estimated by random signs sent back
    through the block; a block that turns feature maps into tokens has none. Lee & Ham, "AZ-NAS", CVPR 2024.
    """
    found = views(passes)
    return None if found is None else found.trainability


def zico(passes: Passes) -> float:
    """Sum over the layers of ``log sum(E|g| / std g)`` over their weights, g the loss's gradients.

    Mean and deviation over the two halves of the batch, as the paper's two
    batches. Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of
    Variation on Gradients", ICLR 2023.
    """
    total = 0.0
    for pair in zip(*passes.half_gradients, strict=True):
        both = wide(torch.stack(pair))
        spread = both.std(0, correction=0)
        ratio = (both.abs().mean(0) / spread)[spread > 0].sum()
        total += float(ratio.log()) if ratio > 0 else 0.0
    return total


def views(passes: Passes) -> Views | None:
    """The views of these passes, measured once; ``None`` for a network without blocks."""
    if "views" not in passes.extra:
        passes.extra["views"] = _measure(passes)
    known: Views | None = passes.extra["views"]
    return known


def _measure(passes: Passes) -> Views | None:
    generator = torch.Generator().manual_seed(passes.seed)
    found = _block_features(passes, generator)
    entropies = [_entropy(feature.detach()) for feature in found]
    if not entropies:
        return None
    if any(value is None for value in entropies):
        return Views(FLOOR, FLOOR, FLOOR)
    values = [value for value in entropies if value is not None]
    growth = [after - before for before, after in pairwise(values)]
    alike = [pair for pair in pairwise(found) if pair[0].ndim == pair[1].ndim]
    steps = [_propagation(before, after, generator) for before, after in alike]
    return Views(
        sum(values),
        min(growth, default=FLOOR),
        sum(steps) / len(steps) if steps else FLOOR,
    )


def _block_features(passes: Passes, generator: torch.Generator) -> list[Tensor]:
    """Outputs of the blocks, with the graph between them.

    Each (batch, channels, height, width), or (batch, tokens, channels).
    """
    network = passes.network
    tensors = stand_ins(network)
    for prefix, module in network.named_modules():
        for kind in ("weight", "bias"):
            value = tensors.values.get(f"{prefix}.{kind}" if prefix else kind)
            if value is None:
                continue
            if isinstance(module, LAYERS):
                _kaiming(value.data, kind, generator)
            elif isinstance(module, NORMS):
                value.data.fill_(1 if kind == "weight" else 0)
    found: list[Tensor] = []

    def take(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim in (3, 4):
            found.append(output)

    with hooked(list(blocks_of(network)), take):
        run(network, tensors, passes.images)
    return found


def _kaiming(value: Tensor, kind: str, generator: torch.Generator) -> None:
    if kind == "bias":
        value.zero_()
    else:
        fan_in = value[0].numel()
        value.copy_(drawn(value, generator, (2 / fan_in) ** 0.5))


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """The primary blocks, in order of definition."""
    for child in module.children():
        if isinstance(child, _OPENED) and any(any(part.children()) for part in child):
            yield from blocks_of(child)
        elif any(child.children()) or isinstance(child, _ConvNd):
            yield child


def _entropy(feature: Tensor) -> float | None:
    """Entropy of the normalised spectrum of the channels' covariance; ``None`` without variance."""
    rows = _rows(feature)
    rows = rows - rows.mean(0, keepdim=True)
    covariance = wide(rows.T @ rows).cpu() / len(rows)
    spectrum = torch.linalg.eigvalsh(covariance).clamp_min(0)
    if not spectrum.sum() > 0:
        return None
    shares = spectrum / spectrum.sum()
    return -float((shares * (shares + 1e-8).log()).sum())


def _rows(feature: Tensor) -> Tensor:
    """(places, channels): a row for each pixel or token of each image."""
    return (feature.permute(0, 2, 3, 1) if feature.ndim == 4 else feature).flatten(0, -2)


def _propagation(before: Tensor, after: Tensor, generator: torch.Generator) -> float:
    signs = torch.randint(0, 2, after.shape, generator=generator).to(after) * 2 - 1
    sent = _sent_back(before, after, signs)
    if sent.shape == signs.shape and torch.equal(sent, signs):
        return FLOOR  # an identity learns nothing
    stride = sent.shape[2] // signs.shape[2]
    shrunk = [stride * side for side in signs.shape[2:]]
    if sent.ndim == 4 and stride > 1 and list(sent.shape[2:]) == shrunk:
        sent = pixel_unshuffle(sent, stride)
    rows_out, rows_in = _rows(signs), _rows(sent)
    if len(rows_in) != len(rows_out):
        return FLOOR  # no channel Jacobian between maps of unrelated sizes
    largest = float(torch.linalg.matrix_norm(wide(rows_in.T @ rows_out).cpu() / len(rows_out), 2))
    return 2 - largest - 1 / (largest + 1e-6)


def _sent_back(before: Tensor, after: Tensor, signs: Tensor) -> Tensor:
    if not (before.requires_grad and after.requires_grad):
        return torch.zeros_like(before)
    (found,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
    return torch.zeros_like(before) if found is None else found
