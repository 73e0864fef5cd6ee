"""What attention adds to a network: products that no layer makes, and weights that depend on data."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention, softmax
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_SOFTMAX: tuple[Callable[..., Any], ...] = (softmax, torch.softmax, Tensor.softmax)


class Products(TorchDispatchMode):
    """Counts multiply-accumulates outside of layers: matrix products such as attention's two.

    ``enter`` and ``leave`` are hooks before and after each layer, whose products are not counted.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self._layers = 0  # that are running

    def enter(self, *_: object) -> None:
        """A layer starts."""
        self._layers += 1

    def leave(self, *_: object) -> None:
        """A layer ends."""
        self._layers -= 1

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and PyTorch's compiler takes a second to import

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        found = func(*args, **given)
        operations = flop_registry.get(getattr(func, "_overloadpacket", None))
        if operations is not None and not self._layers:
            self.total += operations(*args, **given, out_val=found) // 2  # an addition each
        return found


class UniformAttention(TorchFunctionMode):
    """Lets every softmax give equal weights, so that attention is an average over its values.

    As a normalisation, softmax conserves no synaptic flow, and its slope grows without bound
    with the scores of absolute weights.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Any = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in _SOFTMAX:
            scores = args[0]
            dim = given["dim"] if "dim" in given else args[1]
            return torch.full_like(scores, 1 / scores.shape[dim])
        if func is scaled_dot_product_attention:
            queries, _, values = args[:3]
            return values.mean(-2, keepdim=True).expand(*queries.shape[:-1], values.shape[-1])
        return func(*args, **given)
