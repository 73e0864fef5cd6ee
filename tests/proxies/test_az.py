"""AZ-NAS and ZiCo against the definitions, with explicit Jacobians, spectra and loops."""

import math
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pelnas.architecture import Shape
from pelnas.proxies.az import blocks_of
from pelnas.proxies.engine import score_network
from pelnas.spaces import get_space

Batch = tuple[Tensor, Tensor]
SEED = 7


def kaiming(network: nn.Module, generator: torch.Generator) -> nn.Module:
    copy = deepcopy(network).train()
    for module in copy.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = (2 / module.weight[0].numel()) ** 0.5
            module.weight.data.normal_(std=deviation, generator=generator)
            if module.bias is not None:
                module.bias.data.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(1)
            module.bias.data.zero_()
    return copy


def stages(network: nn.Module) -> list[nn.Module]:
    return [network.stem, *network.blocks]  # type: ignore[misc, list-item]


def entropies(network: nn.Module, images: Tensor) -> list[float]:
    found = []
    with torch.no_grad():
        for stage in stages(network):
            images = stage(images)
            rows = images.permute(0, 2, 3, 1).reshape(-1, images.shape[1]).numpy()
            spectrum = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
            shares = spectrum / spectrum.sum()
            found.append(-sum(p * math.log(p + 1e-8) for p in shares))
    return found


def test_blocks_are_what_a_network_repeats(network: nn.Module) -> None:
    assert list(blocks_of(network)) == [*stages(network), network.head]
    cells = get_space("nasbench201").build(get_space("nasbench201").at(0), Shape.square(10, 32))
    assert list(blocks_of(cells))[:-1] == [cells.stem, *cells.stages]
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    assert list(blocks_of(plain)) == [plain[0], plain[2]]


def test_expressivity_and_progressivity(network: nn.Module, batch: Batch) -> None:
    copy = kaiming(network, torch.Generator().manual_seed(SEED))
    expected = entropies(copy, batch[0])
    found = score_network(network, *batch, ["expressivity", "progressivity"], seed=SEED)
    growth = [after - before for before, after in pairwise(expected)]
    assert found["expressivity"] == pytest.approx(sum(expected), rel=1e-4)
    assert found["progressivity"] == pytest.approx(min(growth), rel=1e-4)


@pytest.mark.parametrize("extra", [0, 4])
def test_trainability_from_the_whole_jacobian_of_each_block(
    network: nn.Module, batch: Batch, extra: int
) -> None:
    """Of square images, and of wider ones."""
    images = torch.cat([batch[0], batch[0].flip(0)[..., :extra]], dim=3)
    generator = torch.Generator().manual_seed(SEED)
    copy = kaiming(network, generator)
    found = score_network(network, images, batch[1], ["trainability"], seed=SEED)["trainability"]
    features = copy.stem(images).detach()  # type: ignore[operator]
    scores = []
    for block in copy.blocks:  # type: ignore[union-attr]
        before = features.clone()
        features = block(before).detach()
        signs = torch.randint(0, 2, features.shape, generator=generator).double() * 2 - 1
        jacobian = torch.autograd.functional.jacobian(block, before).flatten(0, 3).flatten(1)
        sent = (signs.flatten() @ jacobian).reshape(before.shape)
        total = torch.zeros(4 * before.shape[1], features.shape[1], dtype=torch.float64)
        for n, y, x in np.ndindex(len(features), *features.shape[2:]):
            patch = sent[n, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten()
            total += torch.outer(patch, signs[n, :, y, x])
        mean = total / (len(features) * features.shape[2] * features.shape[3])
        largest = float(np.linalg.svd(mean.numpy())[1].max())
        scores.append(2 - largest - 1 / (largest + 1e-6))
    assert found == pytest.approx(sum(scores) / 2, rel=1e-4)


def test_zico_weight_by_weight(network: nn.Module, batch: Batch) -> None:
    halves = []
    for images, labels in zip(batch[0].chunk(2), batch[1].chunk(2), strict=True):
        network.zero_grad()
        network.train()
        cross_entropy(network(images), labels).backward()
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        halves.append([layer.weight.grad.flatten().tolist() for layer in layers])
    expected = 0.0
    for first, second in zip(*halves, strict=True):
        ratios = [
            (abs(a) + abs(b)) / 2 / float(np.std([a, b]))
            for a, b in zip(first, second, strict=True)
            if np.std([a, b]) > 0
        ]
        expected += math.log(sum(ratios))
    assert score_network(network, *batch, ["zico"])["zico"] == pytest.approx(expected, rel=1e-4)


def test_complexity_is_the_count_of_operations(network: nn.Module, batch: Batch) -> None:
    found = score_network(network, *batch, ["complexity", "flops"])
    assert found["complexity"] == found["flops"] > 0
