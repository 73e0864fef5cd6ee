"""The entry point: any proxies of any network on one batch, in shared passes."""

from collections.abc import Mapping, Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from pelnas.errors import ProxyError
from pelnas.proxies.network import layers_of, untouched
from pelnas.proxies.passes import Passes
from pelnas.proxies.table import PROXIES, Proxy, get_proxy


def score_network(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    names: Sequence[str] | None = None,
    seed: int = 0,
    classes: int | None = None,
) -> dict[str, float]:
    """The named proxies (all built-in ones for ``None``) of a network, in the order asked.

    images: floating (batch >= 2, channels, height, width), normalised; labels:
    (batch,) int64; ``classes``: how many the images have, where the caller
    knows it. Always finite: a proxy of a network in which no signal flows is
    its ``floor``. A proxy that is not defined for the network, such as ``zen``
    without batch norms, is absent. Equal arguments give equal values; the network
    is not changed.

    ProxyError: an unknown proxy, a batch of one, images that are not finite or
    do not fit the network, labels that do not fit the images or the head, or a
    network without convolutions and linear layers.
    """
    asked = _find(names)
    _check(network, images, labels)
    needs = frozenset(need for proxy in asked.values() for need in proxy.needs)
    with untouched(network, seed):
        passes = Passes(network, images, labels, needs, seed)
        if any(proxy.signal for proxy in asked.values()) or classes is not None:
            _check_head(passes.forward.logits.shape[1], labels, classes)
        found = {name: _value(proxy, passes) for name, proxy in asked.items()}
    return {name: value for name, value in found.items() if value is not None}


def _find(names: Sequence[str] | None) -> Mapping[str, Proxy]:
    return {name: get_proxy(name) for name in (PROXIES if names is None else names)}


def _value(proxy: Proxy, passes: Passes) -> float | None:
    if proxy.signal and not passes.signal:
        return proxy.floor
    value = proxy.compute(passes)
    return value if value is None or isfinite(value) else proxy.floor


def _check(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise ProxyError(
            "expected floating images (batch, channels, height, width), found"
            f" {images.dtype} of shape {tuple(images.shape)}: stack and normalise them"
        )
    if len(images) < 2:
        raise ProxyError(f"expected a batch of at least 2 images, found {len(images)}: give more")
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ProxyError(
            f"expected {len(images)} labels of type int64, one an image, found"
            f" {labels.dtype} of shape {tuple(labels.shape)}: give one label for each image"
        )
    if not bool(torch.isfinite(images).all()):
        raise ProxyError("expected finite images, found NaN or infinity: clean the images")
    if not layers_of(network):
        raise ProxyError(
            "expected a network with at least one convolution or linear layer, found none:"
            " zero-cost proxies judge the weights of such layers"
        )


def _check_head(outputs: int, labels: Tensor, classes: int | None) -> None:
    if classes is not None and classes != outputs:
        raise ProxyError(
            f"expected as many classes as the head has outputs ({outputs}), found {classes}:"
            " build the network for the classes of the images"
        )
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= outputs:
        raise ProxyError(
            f"expected labels from 0 to {outputs - 1} for a head of {outputs} outputs, found"
            f" {lowest if lowest < 0 else highest}: build the network for the classes of the images"
        )
