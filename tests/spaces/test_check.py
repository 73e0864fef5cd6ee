"""The suite that ships fails where a space breaks its promise, and says how."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import nn

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ImagesError, SpaceError
from pelnas.predicate import Condition, Predicate
from pelnas.spaces.base import Layer
from pelnas.spaces.check import CHECKS, Products, examine, multiply_accumulates
from pelnas.spaces.tiny import Tiny


class OneChoice(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.choices = (self.choices[0][:1], *self.choices[1:])


class SpacedName(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.choices = ((*self.choices[0], "two words"), *self.choices[1:])


class EqualSlots(Tiny):
    slots = ("edge", "edge", "other")


class Forgetful(Tiny):
    """Reads every text as the same network."""

    def parse(self, text: str) -> Architecture:
        super().parse(text)
        return self.at(0)


class ValueErrors(Tiny):
    def parse(self, text: str) -> Architecture:
        if "~" not in text:
            raise ValueError("not like this")
        return super().parse(text)


class Credulous(Tiny):
    def parse(self, text: str) -> Architecture:
        return super().parse(text) if "~" in text else self.at(7)


class Endless(Tiny):
    def at(self, index: int) -> Architecture:
        return super().at(index % self.size)


class Shifted(Tiny):
    def index(self, architecture: Architecture) -> int:
        return (super().index(architecture) + 1) % self.size


class NoPooling(Tiny):
    def sample(self, rng: Any) -> Architecture:
        return self.of(tuple(int(rng.integers(4)) for _ in self.choices))


class Unseeded(Tiny):
    def sample(self, rng: Any) -> Architecture:
        return self.at(int(torch.randint(self.size, ())))


class NotCanonical(Tiny):
    """Says that the last edge has no effect beside a first of none, and keeps its choice."""

    def active(self, genes: tuple[int, ...]) -> tuple[int, ...]:
        return (0, 1) if genes[0] == 0 else (0, 1, 2)

    def of(self, genes: tuple[int, ...]) -> Architecture:
        return Architecture(self.name, genes)


class FarNeighbours(Tiny):
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        yield self.of(tuple((gene + 1) % 5 for gene in architecture.genes))


class Itself(Tiny):
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        yield architecture


class Unknown(Tiny):
    def features(self, architecture: Architecture) -> dict[str, float]:
        extra = {} if architecture == self.at(0) else {"surprise": 1.0}
        return super().features(architecture) | extra


class Infinite(Tiny):
    def features(self, architecture: Architecture) -> dict[str, float]:
        return super().features(architecture) | {"depth": float("inf")}


class Unreadable(Tiny):
    def features(self, architecture: Architecture) -> dict[str, float]:
        return super().features(architecture) | {"two words": 1.0}


class Gap(Tiny):
    complexity_niches = (("one", Predicate((Condition("convolutions", "==", 1.0),))),)


class Overlap(Tiny):
    complexity_niches = (("all", Predicate()), *Tiny.complexity_niches)


class OneKey(Tiny):
    def key(self, architecture: Architecture) -> str:
        return "all"


class Mute(Tiny):
    def describe(self) -> str:
        return "cells"


class TwoLines(Tiny):
    def explain(self, architecture: Architecture) -> str:
        return super().explain(architecture).replace("; ", "\n")


class NoLabels(Tiny):
    def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        return (Layer("", "conv"),)


class WrongError(Tiny):
    def check_shape(self, shape: Shape) -> None:
        if shape.height < 32:
            raise ImagesError("too small")


class TakesNone(Tiny):
    def check_shape(self, shape: Shape) -> None:
        raise SpaceError("never")


class TwoHeads(Tiny):
    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        return super().build(architecture, Shape.square(2, 32, shape.channels))


class ColourOnly(Tiny):
    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        return super().build(architecture, Shape(shape.classes))


class Overflow(Tiny):
    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        network = super().build(architecture, shape)
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))
        return network


class Draws(Tiny):
    """Weights by a generator of its own."""

    generator = torch.Generator()

    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        network = super().build(architecture, shape)
        with torch.no_grad():
            for weights in network.parameters():
                weights.copy_(torch.rand(weights.shape, generator=self.generator))
        return network


class Miscounted(Tiny):
    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        return super().parameters(architecture, Shape(shape.classes))


class SquareFlops(Tiny):
    def flops(self, architecture: Architecture, shape: Shape) -> float:
        square = Shape.square(shape.classes, shape.height, shape.channels)
        return super().flops(architecture, square)


FLAWS = MappingProxyType(
    {
        OneChoice: ("positions", "expected two or more"),
        SpacedName: ("positions", "names without spaces"),
        EqualSlots: ("slots", "one for each position"),
        Forgetful: ("text", "expected genes"),
        ValueErrors: ("other texts", "expected ArchitectureError, found ValueError: not like this"),
        Credulous: ("other texts", "expected ArchitectureError, found"),
        Endless: ("index", "expected ArchitectureError"),
        Shifted: ("index", "expected genes"),
        NoPooling: ("sampling", "never avg_pool_3x3"),
        Unseeded: ("sampling", "equal architectures from equal seeds"),
        NotCanonical: ("active", "another inactive 1->2"),
        FarNeighbours: ("neighbours", "one active choice changed"),
        Itself: ("neighbours", "other architectures, found itself"),
        Unknown: ("features", "found surprise"),
        Infinite: ("features", "a finite number, found inf"),
        Unreadable: ("features", "features: expected an answer, found PredicateError"),
        Gap: ("niches", "one niche, found none"),
        Overlap: ("niches", "one niche, found"),
        OneKey: ("key", "one for all"),
        Mute: ("descriptions", "the operation none"),
        TwoLines: ("descriptions", "explain(): expected one line"),
        NoLabels: ("descriptions", "a label"),
        WrongError: ("shapes", "expected SpaceError, found ImagesError"),
        TakesNone: ("shapes", "expected some square"),
        TwoHeads: ("networks", "logits of shape (2, 7), found (2, 2)"),
        ColourOnly: ("networks", "networks: expected an answer, found RuntimeError"),
        Overflow: ("networks", "expected finite logits"),
        Draws: ("weights", "equal weights after"),
        Miscounted: ("parameters", "for images 1x20x27: expected"),
        SquareFlops: ("flops", "multiply-accumulates, found"),
    }
)


@pytest.mark.parametrize("flawed", FLAWS, ids=lambda flawed: flawed.__name__)
def test_a_flaw_fails_its_check_in_one_sentence(flawed: type[Tiny]) -> None:
    check, reason = FLAWS[flawed]
    (outcome,) = examine(flawed(), [check])
    assert reason in outcome.problem
    assert len(outcome.problem.splitlines()) == 1
    assert len(outcome.problem) < 700


def test_the_whole_suite_runs_whatever_fails() -> None:
    outcomes = list(examine(Miscounted()))
    assert [outcome.check for outcome in outcomes] == list(CHECKS)
    assert [outcome.check for outcome in outcomes if not outcome.passed] == ["parameters"]


def test_every_check_can_fail() -> None:
    assert {check for check, _ in FLAWS.values()} == set(CHECKS)


class Attention(nn.Module):
    """One head over 6 tokens of 4 features: products of 6x4x6 and 6x6x4."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.project = nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.project(images.reshape(len(images), 6, 8))
        if self.fused:
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens


@pytest.mark.parametrize("fused", [True, False])
def test_products_are_counted_by_hand(fused: bool) -> None:
    counted = multiply_accumulates(Attention(fused), Shape(4, 4, 4, 3))
    assert counted == Products(6 * 8 * 4, 2 * 6 * 6 * 4, 0, 6 * 4)
    assert set(counted.in_every_way()) == {192, 192 + 288, 192 + 24, 192 + 288 + 24}
    depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
    counted = multiply_accumulates(depthwise, Shape(8, 5, 7, 8))
    assert counted == Products(8 * 9 * 3 * 4, 0, 8 * 3 * 4, 0)
