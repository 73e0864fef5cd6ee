"""Proxies that only count: parameters, multiply-accumulates, entropy, and the norm of the weights."""

from math import log

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from pelnas.accelerator import wide
from pelnas.proxies.network import layers_of
from pelnas.proxies.passes import Passes

SIGMOIDS = (nn.Sigmoid, nn.Hardsigmoid)


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


def entropy(passes: Passes) -> float:
    """Sum over convolutions and linear layers of the logarithm of their fan-in.

    How much a network of random weights can express by its depth and width: Shen et al.,
    "DeepMAD: Mathematical Architecture Design for Deep Convolutional Neural Network",
    CVPR 2023, equation 4, without the weights of the resolutions. Layers of a gate, such as
    squeeze-and-excite, scale features and compute none: they are not counted. Neither
    images nor weights matter.
    """
    return entropy_of(passes.network)


def entropy_of(network: nn.Module) -> float:
    """The proxy ``entropy`` of a network, which may be on the device ``meta``."""
    gates = _gates(network)
    return sum(log(_fan_in(module)) for _, module in layers_of(network) if module not in gates)


def _gates(network: nn.Module) -> set[nn.Module]:
    """The layers of modules that end in a sigmoid, which have the values of a gate."""
    inside = (module for name, module in network.named_modules() if name)
    gates = (module for module in inside if any(isinstance(m, SIGMOIDS) for m in module.children()))
    return {layer for gate in gates for _, layer in layers_of(gate)}


def _fan_in(module: nn.Module) -> int:
    """Inputs that one output value of a layer is a sum over."""
    if isinstance(module, _ConvNd):
        return module.weight.numel() // module.out_channels
    return module.in_features if isinstance(module, nn.Linear) else 1


def l2_norm(passes: Passes) -> float:
    """Sum over the layers of the Euclidean norm of their weights.

    A baseline of Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
    """
    total = 0.0
    for _, module in layers_of(passes.network):
        weight = module.weight
        if isinstance(weight, Tensor):
            total += float(wide(weight.detach().norm()))
    return total
