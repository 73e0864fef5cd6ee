"""The same runtimes on this machine's graphics processor, by CUDA.

A pass is timed from images in the machine's memory to logits in it, as an application calls the
network. Times are those of CUDA events, each awaited before the next piece of work is handed out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from pelnas.accelerator import CUDA, found
from pelnas.errors import DeviceError
from pelnas.runtimes.base import Runtime
from pelnas.runtimes.onnx_runtime import OnnxRuntime
from pelnas.runtimes.pytorch import PyTorch

if TYPE_CHECKING:
    from torch.cuda import Event

PROVIDER = "CUDAExecutionProvider"


class EventClock:
    """Seconds of the graphics processor's own clock, once all that it was asked before is done."""

    def __init__(self) -> None:
        self._last: Event | None = None
        self._seconds = 0.0  # summed up, since one interval has 24 bits only

    def __call__(self) -> float:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        event.synchronize()
        if self._last is not None:
            self._seconds += self._last.elapsed_time(event) / 1000
        self._last = event
        return self._seconds


def _events(_: int) -> tuple[str, Callable[[], float]]:
    return "CUDA event", EventClock()


class CudaPyTorch(PyTorch):
    """The interpreter, whose kernels run on the graphics processor with torch's own settings.

    AcceleratorError: there is none.
    """

    def __init__(self) -> None:
        super().__init__(found(CUDA))
        self.processor = torch.cuda.get_device_name()
        self.versions |= {"cuda": str(torch.version.cuda or torch.version.hip)}
        self.clock = _events


class CudaOnnxRuntime(OnnxRuntime):
    """Its CUDA provider. AcceleratorError: no graphics processor. DeviceError: no such provider."""

    def __init__(self) -> None:
        found(CUDA)
        super().__init__((PROVIDER, "CPUExecutionProvider"))
        import onnxruntime

        if PROVIDER not in onnxruntime.get_available_providers():
            raise DeviceError(
                "expected ONNX Runtime with its CUDA provider, found one without: install"
                " onnxruntime-gpu in place of onnxruntime, or use --runtime torch"
            )
        self.title += " (CUDA)"
        self.processor = torch.cuda.get_device_name()
        self.versions |= {"cuda": str(torch.version.cuda)}
        self.clock = _events


RUNTIMES: dict[str, Callable[[], Runtime]] = {
    "onnxruntime": CudaOnnxRuntime,
    "torch": CudaPyTorch,
}
