"""A network leaves as an ONNX file that computes what it computes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.errors import DeviceError
from pelnas.runtimes.deployed import OPSET, Deployed, export
from pelnas.runtimes.onnx_runtime import opened
from pelnas.spaces import SPACES, get_space
from pelnas.spaces.tiny import Tiny


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def deployed(space: str, seed: int = 0) -> Deployed:
    found = get_space(space)
    return Deployed(found, found.sample(np.random.default_rng(seed)), Shape.square(10, 32))


@pytest.mark.parametrize("space", SPACES)
def test_the_file_computes_what_the_network_computes(space: str) -> None:
    network = deployed(space)
    content = export(network.build(), network.input)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    images = np.random.default_rng(0).standard_normal((2, *network.input.pixels), np.float32)
    with torch.no_grad():
        wanted = network.build()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(opened(content, 1)(images), wanted, atol=1e-4)


@pytest.mark.parametrize("space", ["tiny", "autoformer_small"])
def test_what_is_measured_has_the_same_operations_and_shapes(space: str, cache: Cache) -> None:
    network = deployed(space)
    model = network.build()
    with torch.no_grad():  # tensors that are equal, such as fresh biases, would be shared
        for parameter in model.parameters():
            parameter.normal_()
    real = onnx.load_from_string(export(model, network.input)).graph
    level = onnx.load_from_string(network.measurable(cache)).graph
    assert [node.op_type for node in level.node] == [node.op_type for node in real.node]
    assert [w.dims for w in level.initializer] == [w.dims for w in real.initializer]


def test_an_export_is_made_once_and_kept_small(cache: Cache) -> None:
    network = deployed("nasbench201")
    first = network.measurable(cache)
    assert network.measurable(cache) == first
    (kept,) = cache.get_many([network._key()]).values()
    assert len(kept) < len(first) / 20


def test_a_damaged_entry_of_the_cache_is_made_again(cache: Cache) -> None:
    network = deployed("tiny")
    whole = network.measurable(cache)
    for damage in ("no base 85 \u20ac", "AAAA", [1]):
        cache.put(network._key(), damage)
        assert network.measurable(cache) == whole


def test_a_network_is_deployed_at_its_own_resolution() -> None:
    network = deployed("mnasnet_scaled")
    resolution = network.space.choices[1][network.architecture.genes[1]]
    assert f"r{network.input.height}" == f"r{network.input.width}" == resolution
    same = onnx.load_from_string(export(network.build(), network.input)).graph
    assert "Resize" not in {node.op_type for node in same.node}


def test_the_file_says_its_opset() -> None:
    network = deployed("tiny")
    model = onnx.load_from_string(export(network.build(), network.input))
    assert [each.version for each in model.opset_import if not each.domain] == [OPSET]


class Bessel(Tiny):
    """Networks with an operator that no ONNX has."""

    def build(self, *arguments: object) -> torch.nn.Module:
        class Network(torch.nn.Module):
            def forward(self, images: torch.Tensor) -> torch.Tensor:
                return torch.special.bessel_j0(images).mean((2, 3))

        return Network()


def test_an_operator_that_onnx_lacks_is_one_sentence(
    cache: Cache, capfd: pytest.CaptureFixture[str]
) -> None:
    space = Bessel()
    with pytest.raises(DeviceError, match=r"bessel_j0.*--runtime torch"):
        Deployed(space, space.at(0), Shape.square(10, 16)).measurable(cache)
    assert capfd.readouterr().out == ""
