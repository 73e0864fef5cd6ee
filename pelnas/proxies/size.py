"""Proxies that only count: parameters, multiply-accumulates, and the norm of the weights."""

from torch import Tensor

from pelnas.proxies.network import layers_of
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
    return float(passes.operations)


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
