"""Kernels and correlations against explicit loops over pairs of images."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pelnas.proxies.engine import score_network

Batch = tuple[Tensor, Tensor]


def jacobians(network: nn.Module, images: Tensor) -> np.ndarray:
    """d(sum of all logits) / d(image), one logit and image at a time."""
    network.train()
    images = images.clone().requires_grad_()
    logits = network(images)
    total = torch.zeros_like(images)
    for logit in logits.flatten():
        total += torch.autograd.grad(logit, images, retain_graph=True)[0]
    return total.flatten(1).numpy()


def test_nwot_counts_equal_bits_pair_by_pair(network: nn.Module, batch: Batch) -> None:
    inputs: list[Tensor] = []
    activations = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    handles = [
        module.register_forward_pre_hook(lambda _m, given: inputs.append(given[0].clone()))
        for module in activations
    ]
    network.train()
    network(batch[0])
    for handle in handles:
        handle.remove()
    count = len(batch[0])
    kernel = np.zeros((count, count))
    for values in inputs:
        bits = (values.flatten(1) > 0).numpy()
        for i in range(count):
            for j in range(count):
                kernel[i, j] += (bits[i] == bits[j]).sum()
    expected = math.log(np.linalg.det(kernel))
    found = score_network(network, *batch, ["nwot"])["nwot"]
    assert len(inputs) == 4
    assert found == pytest.approx(expected, rel=1e-4)


def test_jacov_from_the_spectrum_of_correlations(network: nn.Module, batch: Batch) -> None:
    spectrum = np.linalg.eigvals(np.corrcoef(jacobians(network, batch[0]))).real
    expected = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in spectrum)
    found = score_network(network, *batch, ["jacov"])["jacov"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_epe_nas_class_by_class(network: nn.Module, batch: Batch) -> None:
    rows = jacobians(network, batch[0])
    expected = 0.0
    for label in range(3):
        mine = rows[batch[1].numpy() == label]
        logs = [math.log(abs(np.corrcoef(a, b)[0, 1]) + 1e-5) for a in mine for b in mine]
        expected += abs(sum(logs))
    found = score_network(network, *batch, ["epe_nas"])["epe_nas"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_epe_nas_compares_classes_when_there_are_many(network: nn.Module, batch: Batch) -> None:
    network.classifier = nn.Linear(8, 101).double()  # type: ignore[assignment]
    rows = jacobians(network, batch[0])
    scores = []
    for label in range(3):
        mine = rows[batch[1].numpy() == label]
        logs = [math.log(abs(np.corrcoef(a, b)[0, 1]) + 1e-5) for a in mine for b in mine]
        scores.append(sum(logs) / len(mine))
    expected = sum(abs(a - b) for a in scores for b in scores) / 3
    found = score_network(network, *batch, ["epe_nas"])["epe_nas"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_class_of_one_image_correlates_with_itself(network: nn.Module, batch: Batch) -> None:
    images, _ = batch
    found = score_network(network, images[:3], torch.tensor([0, 1, 2]), ["epe_nas"])["epe_nas"]
    assert found == pytest.approx(3 * math.log(1 + 1e-5), rel=1e-4)
