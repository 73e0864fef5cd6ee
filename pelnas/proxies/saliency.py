"""Pruning saliencies summed over a network: how much its loss depends on its weights."""

from math import isfinite

import torch

from pelnas.accelerator import wide
from pelnas.proxies.attention import UniformAttention
from pelnas.proxies.network import gradients, identity_norms, run, stand_ins
from pelnas.proxies.passes import Passes


def grad_norm(passes: Passes) -> float:
    """Sum over the layers of the Euclidean norm of the loss's gradient.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
    """
    return sum(float(wide(gradient.norm())) for gradient in passes.backward.gradients)


def snip(passes: Passes) -> float:
    """Sum over the layers' weights of ``|w * dL/dw|``.

    Lee, Ajanthan & Torr, "SNIP: Single-shot Network Pruning based on Connection
    Sensitivity", ICLR 2019; summed as in Abdelfattah et al. 2021.
    """
    return sum(float(wide(saliency.abs().sum())) for saliency in _saliencies(passes))


def plain(passes: Passes) -> float:
    """Sum over the layers' weights of ``w * dL/dw``.

    Mozer & Smolensky, "Skeletonization", NIPS 1988; as in NAS-Bench-Suite-Zero.
    """
    return sum(float(wide(saliency).sum()) for saliency in _saliencies(passes))


def grasp(passes: Passes) -> float | None:
    """Minus the sum over the layers' weights of ``w * (H g)``: H the Hessian, g the gradient.

    Wang, Zhang & Grosse, "Picking Winning Tickets Before Training by Preserving
    Gradient Flow", ICLR 2020, with the sign of Abdelfattah et al. 2021. Undefined where
    torch has no second derivative of a function that the network calls.
    """
    curvature = passes.backward.curvature
    return None if curvature is None else -curvature


def fisher(passes: Passes) -> float:
    """Sum over layers and channels of half the mean, over images, of the squared ``sum a * dL/da``.

    a: the channel's activations at the layer's output. Theis et al., "Faster
    gaze prediction with dense networks and Fisher pruning", 2018; Turner et
    al., "BlockSwap", ICLR 2020; a channel counts once, however many weights it has.
    """
    return passes.backward.fisher


def synflow(passes: Passes) -> float | None:
    """``log(1 + sum |w * dR/dw|)``, R the summed output of the network of absolute weights for ones.

    Tanaka et al., "Pruning neural networks without any data by iteratively
    conserving synaptic flow", NeurIPS 2020. One image of ones, norms replaced
    by identities and attention by an average, float64. The logarithm keeps dozens of
    orders of magnitude printable and leaves the order of networks as it is. Undefined
    where the sum exceeds float64.
    """
    network = passes.network
    tensors = stand_ins(network, wide)
    for value in tensors.values.values():
        value.data = value.data.abs() if value.is_floating_point() else value.data
    ones = torch.ones_like(wide(passes.images[:1]))
    with identity_norms(network), UniformAttention():
        output = run(network, tensors, ones)
    found = gradients(output.sum(), tensors.weights)
    pairs = zip(tensors.weights, found, strict=True)
    total = sum(float((weight.detach() * gradient).abs().sum()) for weight, gradient in pairs)
    flow = float(torch.tensor(total, dtype=torch.float64).log1p())
    return flow if isfinite(flow) else None


def _saliencies(passes: Passes) -> list[torch.Tensor]:
    backward = passes.backward
    pairs = zip(backward.weights, backward.gradients, strict=True)
    return [weight.detach() * gradient for weight, gradient in pairs]
