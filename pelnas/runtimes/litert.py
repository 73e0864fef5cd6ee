"""A network as a file of LiteRT, formerly TensorFlow Lite: what phones and small boards run.

A board needs the interpreter alone. The converter, litert-torch, is in no extra: it wants older
packages than the ones that this project is tested with, and takes an environment of its own.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from pelnas.errors import ConfigError, DeviceError
from pelnas.runtimes.deployed import Deployed, level

SUFFIX = ".tflite"
CONVERTER = "litert_torch"


@contextmanager
def _quiet() -> Iterator[None]:
    """The converter reports every step where a command's answer belongs, and warns of PyTorch's."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def measurable(network: Deployed) -> bytes:
    """A file with the network's operations and shapes and arbitrary weights, float32, one image.

    Images come with their channels last, as LiteRT's operations want them. ConfigError: the
    converter is not installed. DeviceError: an operator that it lacks.
    """
    import torch

    try:
        converter = import_module(CONVERTER)
    except ImportError as error:
        raise ConfigError(
            f"expected the converter litert-torch for files of LiteRT, found that it cannot be"
            f" imported ({error}): run this where pelnas and litert-torch can be imported, or use"
            " --format onnx"
        ) from None
    built = network.build()
    level(built)
    channels, height, width = network.input.pixels
    image = torch.zeros(1, height, width, channels)
    with _quiet(), TemporaryDirectory() as place:
        try:
            wanted = converter.to_channel_last_io(built, args=[0]).eval()
            file = Path(place) / f"network{SUFFIX}"
            converter.convert(wanted, (image,)).export(str(file))
            return file.read_bytes()
        except (RuntimeError, ValueError, NotImplementedError) as error:
            problem = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise DeviceError(
                f"expected a network of operators that LiteRT has, found: {problem}: use --format"
                " onnx"
            ) from None
