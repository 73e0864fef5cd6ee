"""A network as it is deployed: with the input that it wants, and as an ONNX file."""

import base64
import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pelnas.accelerator import seeded
from pelnas.architecture import Architecture, Shape
from pelnas.cache import Cache, Key, cache_key
from pelnas.errors import DeviceError
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from torch import nn

OPSET = 17  # of ONNX: what LiteRT, OpenVINO, TensorRT and ONNX Runtime since 1.12 read
EXPORTER = "torch.onnx.export(dynamo=False)"
INPUT, OUTPUT = "images", "logits"
METHOD = 1  # version of how a file is made; a new one leaves old cached files alone
OFFSET = 0.01  # about every bias of a file that is only measured
STEP = 1e-4  # by which its tensors differ
_FASTEST = 1  # level of zlib; weights that are equal shrink to kilobytes at any


@dataclass(frozen=True)
class Deployed:
    """One architecture of a space for images of a shape.

    A network that resizes images itself is deployed without that step: its input has the
    resolution that it works at (``SearchSpace.input_shape``), since whoever feeds it
    resizes anyway.
    """

    space: SearchSpace
    architecture: Architecture
    shape: Shape  # of the images of the search

    @property
    def input(self) -> Shape:
        """The shape of the images that the deployed network takes."""
        return self.space.input_shape(self.architecture, self.shape)

    def build(self) -> "nn.Module":
        """The network in evaluation mode with random weights, the same each time."""
        with seeded(0):
            return self.space.build(self.architecture, self.input).eval()

    def measurable(self, cache: Cache) -> bytes:
        """An ONNX file with the network's operations and shapes and arbitrary weights.

        Latency depends on the former alone. All weights of a tensor are equal, so that the file
        packs to some kilobytes and one export per network can be kept in the cache.
        DeviceError: an operator that ONNX lacks.
        """
        key = self._key()
        content = _unpacked(cache.get_many([key]).get(key))
        if not content:
            network = self.build()
            level(network)
            content = export(network, self.input)
            cache.put(key, _pack(content))
        return content

    def is_kept(self, cache: Cache) -> bool:
        """Whether the cache has its file; it is not unpacked, which may show that it is damaged."""
        return bool(cache.get_many([self._key()]))

    def _key(self) -> Key:
        import torch

        return cache_key(
            "onnx export",
            method=METHOD,
            opset=OPSET,
            space=self.space.name,
            architecture=self.space.format(self.architecture),
            classes=self.input.classes,
            images="x".join(map(str, self.input.pixels)),
            torch=torch.__version__,
            **({"code": self.space.code} if self.space.code else {}),
        )


def export(network: "nn.Module", shape: Shape) -> bytes:
    """A network in evaluation mode as an ONNX file that takes any number of images of a shape.

    Batch norms are folded into the convolutions before them. DeviceError: an operator that
    ONNX (opset ``OPSET``) lacks.
    """
    import torch
    from torch.onnx.errors import OnnxExporterError

    file = io.BytesIO()
    with _quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                network,
                (torch.zeros(1, *shape.pixels),),
                file,  # type: ignore[arg-type]  # it takes files as well
                dynamo=False,  # the other exporter takes seconds a network, and wants onnxscript
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            )
        except OnnxExporterError as error:
            problem = str(error).splitlines()[0][:200]
            raise DeviceError(
                f"expected a network of operators that ONNX (opset {OPSET}) has, found: {problem}:"
                " measure it with --runtime torch"
            ) from None
    return file.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """No advice to use another exporter, and no remarks on shapes.

    Where an operator is missing, torch 2.13 prints the graph whatever it is asked to; at least
    not among what a command answers.
    """
    from torch import _C

    _C._jit_set_onnx_log_output_stream("stderr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def level(network: "nn.Module") -> None:
    """Give all weights of a tensor one value: signals keep about their size from layer to layer.

    No two tensors get the same values: the exporter would share them, and what layers share
    stays in the processor's cache.
    """
    import torch

    with torch.no_grad():
        for number, (name, parameter) in enumerate(network.named_parameters()):
            own = 1 + STEP * number
            if parameter.dim() > 1:
                parameter.fill_(own / max(1, parameter[0].numel()))
            else:
                parameter.fill_(own * (OFFSET if name.endswith("bias") else 1))


def _pack(content: bytes) -> str:
    return base64.b85encode(zlib.compress(content, _FASTEST)).decode("ascii")


def _unpacked(kept: Any) -> bytes:
    """What ``_pack`` made this of; nothing where it did not."""
    try:
        return zlib.decompress(base64.b85decode(kept)) if isinstance(kept, str) else b""
    except (ValueError, zlib.error):
        return b""
