"""ONNX Runtime on the processor: what most people deploy on machines without a GPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pelnas.cache import Cache
from pelnas.errors import DeviceError
from pelnas.runtimes.base import Floats, Pass, Runtime
from pelnas.runtimes.deployed import INPUT, Deployed
from pelnas.runtimes.exports import export_all

CPU_ALONE = ("CPUExecutionProvider",)
WARNINGS = 3  # its least severe messages that are shown: errors


class OnnxRuntime(Runtime):
    """Its CPU provider with all graph optimisations, on the calling thread if there is one thread."""

    name = "onnxruntime"

    def __init__(self, providers: Sequence[str] = CPU_ALONE) -> None:
        import onnxruntime

        self._providers = providers

        version = str(onnxruntime.__version__)
        self.title = f"ONNX Runtime {version}"
        self.versions = {"onnxruntime": version}

    def prepare(self, networks: Sequence[Deployed], cache: Cache) -> None:
        """Export them."""
        export_all(networks, cache)

    @contextmanager
    def loaded(self, deployed: Deployed, threads: int, cache: Cache) -> Iterator[Pass]:
        yield opened(deployed.measurable(cache), threads, self._providers)


def opened(content: bytes, threads: int, providers: Sequence[str] = CPU_ALONE) -> Pass:
    """An ONNX file, ready to run by the first of these providers. DeviceError: it cannot."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = WARNINGS
    try:
        session = InferenceSession(content, options, providers=list(providers))
    except _errors() as error:
        raise DeviceError(
            "expected a network that ONNX Runtime can run, found:"
            f" {str(error).splitlines()[0][:200]}: measure it with --runtime torch"
        ) from None
    if session.get_providers()[0] != providers[0]:  # it falls back without an error
        raise DeviceError(
            f"expected ONNX Runtime to run networks by its {providers[0]}, found that this does not"
            " load: install the CUDA and cuDNN libraries that it wants, or use --runtime torch"
        )

    def run(images: Floats) -> Floats:
        (logits,) = session.run(None, {INPUT: images})
        return logits  # type: ignore[no-any-return]

    return run


def _errors() -> tuple[type[Exception], ...]:
    """What the runtime raises: many types, without one that they share."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    types = (each for each in vars(state).values() if isinstance(each, type))
    return tuple(each for each in types if issubclass(each, Exception))
