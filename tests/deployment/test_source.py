"""A network's file builds the same network with PyTorch alone."""

import ast
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from pelnas.architecture import Shape
from pelnas.deployment.source import source
from pelnas.errors import DeviceError
from pelnas.runtimes.deployed import Deployed
from pelnas.spaces import SPACES, get_space

SHAPE = Shape(4, 8, 12, 3)


def run(text: str, folder: Path) -> dict[str, Any]:
    file = folder / "model.py"
    file.write_text(text, encoding="utf-8")
    return runpy.run_path(str(file))


@pytest.mark.parametrize("space", SPACES)
def test_it_builds_what_the_space_builds(space: str, tmp_path: Path) -> None:
    known = get_space(space)
    architecture = known.sample(np.random.default_rng(3))
    deployed = Deployed(known, architecture, Shape.square(10, 32))
    network = deployed.build()
    text = source(network, space, known.format(architecture), deployed.input)
    module = run(text, tmp_path)
    assert module["ARCHITECTURE"] == known.format(architecture)
    assert module["INPUT"] == deployed.input.pixels
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    alone = module["load"](tmp_path / "weights.pt")
    images = torch.randn(2, *deployed.input.pixels, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(alone(images), network(images))


def test_it_imports_torch_alone() -> None:
    tree = ast.parse(source(nn.Sequential(nn.Flatten()), "a", "b", SHAPE))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["import torch", "from torch import nn"]


class Everything(nn.Module):
    """Modules with settings that their repr leaves out, and every kind of step."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False, ceil_mode=True)
        self.branches = nn.ModuleList([nn.Conv2d(3, 4, (1, 3), padding="same"), nn.Conv2d(3, 4, 1)])
        self.norm = nn.BatchNorm2d(4, eps=1e-3, momentum=0.2)
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.5))
        self.head = nn.Sequential(nn.GELU("tanh"), nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten())
        self.classifier = nn.Linear(8, 4, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled = self.pool(images)
        first, second = (branch(pooled) for branch in self.branches)
        mixed = torch.cat([first[:, :2], second[:, -2:]], dim=1) - first / 2 + first * second
        mixed = nn.functional.pad(mixed, (0, 1), value=0.5)[..., :-1]
        return self.classifier(self.head(self.norm(mixed) * self.scale))


def test_every_kind_of_module_and_step(tmp_path: Path) -> None:
    network = Everything().eval()
    module = run(source(network, "everything", "", SHAPE), tmp_path)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    images = torch.randn(2, *SHAPE.pixels, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(module["load"](tmp_path / "weights.pt")(images), network(images))


class Choosing(nn.Module):
    """Its pass depends on what it sees."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if images.sum() > 0 else -images


class Buffered(nn.Module):
    """A table that no state would carry."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.ones(3), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.get_buffer("table").sum()


class Foreign(nn.Module):
    """A function that is not torch's."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return foreign(images)


@torch.fx.wrap
def foreign(images: torch.Tensor) -> torch.Tensor:
    return images


@pytest.mark.parametrize(
    ("network", "found"),
    [(Choosing(), "not the same for all images"), (Buffered(), "buffers"), (Foreign(), "foreign")],
)
def test_what_cannot_be_written_is_one_sentence(network: nn.Module, found: str) -> None:
    with pytest.raises(DeviceError, match=f"(?s)file of its own.*{found}"):
        source(network, "a", "b", SHAPE)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=st.text(max_size=60), architecture=st.text(max_size=60))
def test_texts_of_a_space_are_never_code(title: str, architecture: str, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten())
    tree = ast.parse(source(network, title, architecture, SHAPE))
    plain = ast.parse(source(network, "a", "b", SHAPE))
    assert [type(node) for node in tree.body] == [type(node) for node in plain.body]
    (given_text,) = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ARCHITECTURE"
    ]
    assert given_text == architecture
