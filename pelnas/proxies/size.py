"""Proxies that only count: parameters, multiply-accumulates, and the norm of the weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from pelnas.proxies.network import hooked, layers_of, run, stand_ins
from pelnas.proxies.passes import Passes


def params(passes: Passes) -> float:
    """How many parameters the network has, as a plain count (not millions).

    A baseline of NAS-Bench-Suite-Zero: Krishnakumar et al., NeurIPS 2022.
    """
    return float(sum(value.numel() for value in passes.network.parameters()))


def flops(passes: Passes) -> float:
    """Multiply-accumulates of convolutions and linear layers for one image, biases included.

    A baseline of NAS-Bench-Suite-Zero: Krishnakumar et al., NeurIPS 2022.
    Layers that run several times count each time; norms, activations and
    pooling are not counted.
    """
    counted: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        counted.append(multiply_accumulates(module, inputs[0], output))

    network = passes.network
    training = network.training
    network.eval()  # one image has no batch statistics
    try:
        with hooked([m for _, m in layers_of(network)], count), torch.no_grad():
            run(network, stand_ins(network), passes.images[:1])
    finally:
        network.train(training)
    return float(sum(counted))


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


def l2_norm(passes: Passes) -> float:
    """Sum over the layers of the Euclidean norm of their weights.

    A baseline of Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
    """
    total = 0.0
    for _, module in layers_of(passes.network):
        weight = module.weight
        if isinstance(weight, Tensor):
            total += float(weight.detach().norm().double())
    return total
