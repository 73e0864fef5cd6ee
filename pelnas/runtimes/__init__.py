"""Runtimes: what executes a network on this machine; one file per runtime, one entry in the table."""

from collections.abc import Callable

from pelnas.accelerator import CPU, Accelerator
from pelnas.errors import DeviceError
from pelnas.runtimes.base import Pass, Runtime

__all__ = ["RUNTIMES", "Pass", "Runtime", "get_runtime"]


def _onnxruntime() -> Runtime:
    from pelnas.runtimes.onnx_runtime import OnnxRuntime

    return OnnxRuntime()


def _torch() -> Runtime:
    from pelnas.runtimes.pytorch import PyTorch

    return PyTorch()


def _torch_compile() -> Runtime:
    from pelnas.runtimes.pytorch import CompiledPyTorch

    return CompiledPyTorch()


#: Each runtime by the name that ``--runtime`` takes.
RUNTIMES: dict[str, Callable[[], Runtime]] = {
    "onnxruntime": _onnxruntime,
    "torch": _torch,
    "torch-compile": _torch_compile,
}


def get_runtime(name: str, on: Accelerator = CPU) -> Runtime:
    """The runtime of a name. DeviceError: there is none, or it does not work on this machine.

    ``on``: ``cuda`` for this machine's graphics processor. AcceleratorError: there is none.
    """
    if on != CPU and name in RUNTIMES:
        return _on_cuda(name)
    if name not in RUNTIMES:
        raise DeviceError(
            f"expected a runtime ({', '.join(RUNTIMES)}), found {name[:40]!r}: name one of these"
        )
    return RUNTIMES[name]()


def _on_cuda(name: str) -> Runtime:
    from pelnas.runtimes import cuda

    if name not in cuda.RUNTIMES:
        raise DeviceError(
            f"expected a runtime for CUDA ({', '.join(cuda.RUNTIMES)}), found {name}: name one of"
            " these"
        )
    return cuda.RUNTIMES[name]()
