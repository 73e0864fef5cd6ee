"""The graphics processor as a device: absent it is one sentence; present, networks are timed on it."""

from pathlib import Path

import pytest
import torch

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import Measurement, load_config
from pelnas.devices import get_device, known_devices
from pelnas.devices.host import HostDevice
from pelnas.errors import AcceleratorError, DeviceError
from pelnas.runtimes import get_runtime
from pelnas.runtimes.onnx_runtime import OnnxRuntime
from pelnas.spaces import get_space

SHAPE = Shape.square(10, 8)
HAS_CUDA = torch.cuda.is_available()


@pytest.mark.skipif(HAS_CUDA, reason="this machine has CUDA")
@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_absent_it_is_one_sentence(tmp_path: Path, runtime: str) -> None:
    settings = {"device": "host-cuda", "space": "tiny", "measurement": {"runtime": runtime}}
    with pytest.raises(AcceleratorError, match=r"^expected cuda on this machine, found [^\n]*$"):
        get_device(load_config(None, settings), get_space("tiny"), SHAPE, Cache(tmp_path / "c"))


def test_it_is_a_known_device_with_two_runtimes() -> None:
    assert "host-cuda" in known_devices()
    with pytest.raises(DeviceError, match=r"for CUDA \(onnxruntime, torch\), found torch-compile"):
        get_runtime("torch-compile", "cuda")


def test_a_provider_that_falls_back_is_refused(tmp_path: Path) -> None:
    """ONNX Runtime goes on with its next provider and says so in a log alone."""
    from pelnas.runtimes.deployed import Deployed

    runtime, space = (
        OnnxRuntime(("CUDAExecutionProvider", "CPUExecutionProvider")),
        get_space("tiny"),
    )
    if "CUDAExecutionProvider" in _providers():
        pytest.skip("this ONNX Runtime has the provider")
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(DeviceError, match="by its CUDAExecutionProvider, found that this does not"),
        runtime.loaded(Deployed(space, space.at(3), SHAPE), 1, Cache(tmp_path / "c")),
    ):
        pass


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


@pytest.mark.skipif(not HAS_CUDA, reason="this machine has no CUDA")
def test_a_network_is_timed_by_events(tmp_path: Path) -> None:
    space = get_space("nasbench201")
    measurement = Measurement(runtime="torch", warmup=2, repeats=10)
    device = HostDevice(space, Shape.square(10, 32), measurement, Cache(tmp_path / "c"), "cuda")
    small, large = device.costs([space.of((0,) * 6), space.of((3,) * 6)])
    assert device.name == "host-cuda"
    assert "CUDA event" in device.source
    assert small.latency_ms is not None
    assert large.latency_ms is not None
    assert 0 < small.latency_ms < large.latency_ms
