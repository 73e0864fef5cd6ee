"""What every proxy of the table owes to every network."""

import gc
from collections.abc import Callable
from math import isfinite
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pelnas.architecture import Shape
from pelnas.proxies.engine import score_network
from pelnas.proxies.table import PROXIES, SUITE_ZERO
from pelnas.spaces import get_space
from pelnas.spaces.transformer import VisionTransformer


def tiny(text: str) -> nn.Module:
    space = get_space("tiny")
    return space.build(space.parse(text), Shape.square(3, 16))


def alive() -> nn.Module:
    return tiny("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|")


def dead() -> nn.Module:
    return tiny("|none~0|+|none~0|none~1|")


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        nn.SiLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def grouped() -> nn.Module:
    """Group norm, depthwise convolution, dropout, frozen weights, no linear layer."""
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.GELU()),
        nn.Dropout(0.5),
        nn.Sequential(nn.Conv2d(8, 8, 3, groups=8, padding="same"), nn.BatchNorm2d(8), nn.ReLU6()),
        nn.Sequential(nn.Conv2d(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
    return network.requires_grad_(False)


class Excited(nn.Module):
    """An inverted bottleneck: pointwise, depthwise, squeeze-and-excite, pointwise, a shortcut."""

    def __init__(self, channels: int, activation: type[nn.Module]) -> None:
        super().__init__()
        wide = 4 * channels
        self.expand = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), activation()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            activation(),
        )
        self.excite = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(wide, channels, 1),
            activation(),
            nn.Conv2d(channels, wide, 1),
            nn.Hardsigmoid() if activation is nn.Hardswish else nn.Sigmoid(),
        )
        self.project = nn.Sequential(
            nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, images: Tensor) -> Tensor:
        wide = self.depthwise(self.expand(images))
        return images + self.project(wide * self.excite(wide))


def mobile(activation: type[nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), activation()),
        nn.Sequential(Excited(4, activation), Excited(4, activation)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )


def transformer() -> nn.Module:
    blocks = [(2, 48), (1, 32)]
    return VisionTransformer(12, blocks, 8, 8, (2, 2), classes=3, channels=3)


class Encoder(nn.Module):
    """torch's own transformer layers, with functional activations and linear patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Linear(3 * 8 * 8, 12)
        layer = nn.TransformerEncoderLayer(12, 2, 24, 0.1, "gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(12, 3)

    def forward(self, images: Tensor) -> Tensor:
        patches = nn.functional.unfold(images, 8, stride=8).transpose(1, 2)
        logits: Tensor = self.classifier(self.layers(self.patches(patches)).mean(1))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cells": alive,
    "plain": plain,
    "grouped": grouped,
    "hardswish": lambda: mobile(nn.Hardswish),
    "silu": lambda: mobile(nn.SiLU),
    "transformer": transformer,
    "encoder": Encoder,
}
#: What is not defined for a network, and so is absent: no batch norms, no activation layers.
UNDEFINED = {"plain": {"zen"}, "transformer": {"zen"}, "encoder": {"zen", "nwot"}}


def build(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return make()


def batch() -> tuple[Tensor, Tensor]:
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    return images, torch.tensor([0, 1, 2, 0, 1, 2])


def state(network: nn.Module) -> dict[str, Any]:
    """All that a proxy could leave behind."""
    modules = dict(network.named_modules())
    return {
        "tensors": {name: value.clone() for name, value in network.state_dict().items()},
        "identities": [id(value) for value in network.state_dict(keep_vars=True).values()],
        "gradients": [value.grad for value in network.parameters()],
        "asks": [value.requires_grad for value in network.parameters()],
        "modes": {name: module.training for name, module in modules.items()},
        "in place": {name: getattr(module, "inplace", None) for name, module in modules.items()},
        "attributes": {name: sorted(module.__dict__) for name, module in modules.items()},
        "hooks": {
            name: (len(module._forward_hooks), len(module._forward_pre_hooks))
            for name, module in modules.items()
        },
        "random": torch.get_rng_state(),
        "grad mode": torch.is_grad_enabled(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    tensors, later = before.pop("tensors"), after.pop("tensors")
    assert tensors.keys() == later.keys()
    assert all(torch.equal(tensors[name], later[name]) for name in tensors)
    assert torch.equal(before.pop("random"), after.pop("random"))
    assert before == after


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_finite_deterministic_and_leaves_no_trace(kind: str, name: str) -> None:
    network = build(NETWORKS[kind])
    network.train(mode=kind == "plain")
    next(iter(network.children())).eval()
    before = state(network)
    first = score_network(network, *batch(), [name], seed=4)
    assert_same(before, state(network))
    torch.rand(1)  # the global generator moves on; the value does not
    assert score_network(network, *batch(), [name], seed=4) == first
    assert list(first) == ([] if name in UNDEFINED.get(kind, ()) else [name])
    assert all(map(isfinite, first.values()))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_value_does_not_depend_on_what_else_is_asked(kind: str) -> None:
    network = build(NETWORKS[kind]).double()
    images, labels = batch()
    together = score_network(network, images.double(), labels)
    assert together.keys() == PROXIES.keys() - UNDEFINED.get(kind, set())
    for name, value in together.items():
        alone = score_network(network, images.double(), labels, [name])[name]
        assert value == pytest.approx(alone, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("name", PROXIES)
def test_no_signal_is_the_floor_and_the_floor_is_lowest(name: str) -> None:
    proxy = PROXIES[name]
    if name in {"params", "flops", "complexity", "l2_norm", "entropy"}:
        return  # they count, and look at no signal
    lifeless = score_network(build(dead), *batch(), [name])[name]
    living = score_network(build(alive), *batch(), [name])[name]
    assert lifeless == proxy.floor
    assert living > proxy.floor or name in {"plain", "grasp"}  # signed: 0 is no lowest value


def test_the_gradients_of_a_network_in_use_survive() -> None:
    network = build(alive)
    images, labels = batch()
    nn.functional.cross_entropy(network(images), labels).backward()
    held = [value.grad.clone() for value in network.parameters() if value.grad is not None]
    score_network(network, images, labels)
    kept = [value.grad for value in network.parameters() if value.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(held, kept, strict=True))


@pytest.mark.parametrize("name", [*PROXIES, None])
def test_no_tensor_outlives_the_call(name: str | None) -> None:
    """A graph that holds itself is never freed: memory would grow with every architecture."""
    network, data = build(alive), batch()
    names = None if name is None else [name]
    score_network(network, *data, names)
    gc.collect()
    gc.freeze()  # what lives by now is not counted
    score_network(network, *data, names)
    assert tensors_alive() == 0


def tensors_alive() -> int:
    """Those that came since and are still there."""
    gc.collect()
    return sum(issubclass(type(each), Tensor) for each in gc.get_objects())


def test_an_error_leaves_no_trace_either() -> None:
    network = build(alive)
    before = state(network)
    with pytest.raises(Exception, match="1x16x16"):
        score_network(network, batch()[0][:, :1], batch()[1])
    assert_same(before, state(network))


def test_the_table() -> None:
    assert all(name == proxy.name for name, proxy in PROXIES.items())
    assert all(proxy.compute.__doc__ for proxy in PROXIES.values())
    thirteen = (
        "epe_nas fisher flops grad_norm grasp jacov l2_norm nwot params plain snip synflow zen"
    )
    assert " ".join(SUITE_ZERO) == thirteen
