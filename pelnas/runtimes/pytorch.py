"""PyTorch as a runtime: its interpreter (eager mode), and what ``torch.compile`` makes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from pelnas.accelerator import CPU, Accelerator
from pelnas.cache import Cache
from pelnas.errors import DeviceError
from pelnas.runtimes.base import Floats, Pass, Runtime
from pelnas.runtimes.deployed import Deployed

if TYPE_CHECKING:
    from torch import nn

COMPILERS = ("c++", "g++", "clang++", "cl")


class PyTorch(Runtime):
    """The interpreter, which runs one operator after the other."""

    name = "torch"

    def __init__(self, accelerator: Accelerator = CPU) -> None:
        self._device = torch.device(accelerator)
        self.title = f"PyTorch {torch.__version__}"
        self.versions = {"torch": torch.__version__}

    @contextmanager
    def loaded(self, deployed: Deployed, threads: int, cache: Cache) -> Iterator[Pass]:
        network = self._prepared(deployed.build().to(self._device))

        def run(images: Floats) -> Floats:
            logits = network(torch.from_numpy(images).to(self._device))
            return logits.cpu().numpy()  # type: ignore[no-any-return]

        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                yield run
        finally:
            torch.set_num_threads(before)

    def _prepared(self, network: "nn.Module") -> "nn.Module":
        return network


class CompiledPyTorch(PyTorch):
    """``torch.compile`` with its default backend; each network takes seconds to minutes to compile.

    DeviceError: this machine has no C++ compiler, which that backend needs.
    """

    name = "torch-compile"
    alternates = False  # a network that is loaded throws away what was compiled for others

    def __init__(self) -> None:
        super().__init__()
        if not (os.environ.get("CXX") or any(map(shutil.which, COMPILERS))):
            raise DeviceError(
                f"--runtime torch-compile expects a C++ compiler ({', '.join(COMPILERS)}), found"
                " none: install one, set CXX, or use --runtime onnxruntime"
            )
        self.title += " (torch.compile)"

    def _prepared(self, network: "nn.Module") -> "nn.Module":
        torch.compiler.reset()  # what was compiled for the network before is in the way of the limit
        return torch.compile(network)  # type: ignore[return-value]
