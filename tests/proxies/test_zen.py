"""Zen score against a copy of the network that is set up and run step by step."""

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from pelnas.proxies.engine import score_network

Batch = tuple[Tensor, Tensor]


def test_zen_step_by_step(network: nn.Module, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(11)
    copy = deepcopy(network).train()
    for module in copy.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = torch.empty_like(module.weight).normal_(generator=generator)
            if module.bias is not None:
                module.bias.data.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.weight.data.fill_(1)
            module.bias.data.zero_()
    first = torch.empty_like(batch[0]).normal_(generator=generator)
    second = first + 0.01 * torch.empty_like(first).normal_(generator=generator)

    def before_pooling(images: Tensor) -> Tensor:
        found: Tensor = copy.head[0](copy.blocks(copy.stem(images)))  # type: ignore[index, operator]
        return found

    with torch.no_grad():
        change = before_pooling(first) - before_pooling(second)
    expected = math.log(sum(float(image.abs().sum()) for image in change) / len(change))
    for module in copy.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            expected += math.log(float(module.running_var.mean()) ** 0.5)
    found = score_network(network, *batch, ["zen"], seed=11)["zen"]
    assert found == pytest.approx(expected, rel=1e-4)
    assert score_network(network, *batch, ["zen"], seed=12)["zen"] != found
