"""What holds for every runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.errors import DeviceError
from pelnas.runtimes import RUNTIMES, get_runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.spaces import get_space

SLOW = {"torch-compile"}  # it compiles C++ for seconds


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in RUNTIMES
    ]
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_runs_a_network_and_leaves_torch_as_it_was(name: str, tmp_path: Path) -> None:
    space, before = get_space("tiny"), torch.get_num_threads()
    deployed = Deployed(space, space.at(9), Shape.square(10, 16))
    images = np.random.default_rng(0).standard_normal((2, 3, 16, 16), np.float32)
    runtime = get_runtime(name)
    with runtime.loaded(deployed, before + 1, Cache(tmp_path / "c.sqlite")) as run:
        logits = run(images)
    assert logits.shape == (2, 10)
    assert np.isfinite(logits).all()
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()


def test_it_says_what_it_is(name: str) -> None:
    runtime = get_runtime(name)
    assert runtime.name == name
    assert all(version in runtime.title for version in runtime.versions.values())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DeviceError, match="onnxruntime, torch"):
        get_runtime("tensorrt")


def test_without_a_compiler_torch_compile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(DeviceError, match="C\\+\\+ compiler"):
        get_runtime("torch-compile")
