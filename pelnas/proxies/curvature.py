"""The second derivative that GraSP needs, made cheap: one number in place of a vector.

GraSP's sum is the derivative of ``g . gradient(s * w)`` at s = 1 along one
factor s on all layers' weights, g held fixed. With s multiplied into the
layers' outputs, no gradient of a weight is needed in the second pass. Batch
norms get their second derivative in closed form, since the library composes
it of many passes over the features.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from pelnas.proxies.network import replaced_forward


def scale_output(module: nn.Module, output: Tensor, scale: Tensor) -> Tensor:
    """A layer's output with its weight multiplied by ``scale``, its bias as it was."""
    bias = module.bias
    if not isinstance(bias, Tensor):
        return output * scale
    shape = (-1,) if isinstance(module, nn.Linear) else (-1,) + (1,) * (output.ndim - 2)
    shift = bias.reshape(shape)
    return (output - shift) * scale + shift


@contextmanager
def quick_batch_norms(network: nn.Module) -> Iterator[None]:
    """Let batch norms normalise by their batch with a closed second derivative; no statistics kept."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with replaced_forward(norms, _normalise):
        yield


def _normalise(module: nn.Module, inputs: Tensor) -> Tensor:
    found: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
        inputs, module.weight, module.bias, module.eps
    )
    return found


class _Normalise(torch.autograd.Function):
    """Batch normalisation; differentiable twice in its input, constant in weight and bias."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        output, mean, scale = torch.native_batch_norm(
            inputs, weight, bias, None, None, True, 0.0, eps
        )
        ctx.save_for_backward(inputs, weight, mean, scale)
        ctx.eps = eps
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        found = _Propagate.apply(  # type: ignore[no-untyped-call]
            gradients[0], *ctx.saved_tensors, ctx.eps
        )
        return found, None, None, None


class _Propagate(torch.autograd.Function):
    """The first derivative of ``_Normalise``: gradient of the input from that of the output."""

    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        inputs: Tensor,
        weight: Tensor | None,
        mean: Tensor,
        scale: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(gradient, inputs, weight, mean, scale)
        ctx.eps = eps
        return _propagate(gradient, inputs, weight, mean, scale, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        gradient, inputs, weight, mean, scale = ctx.saved_tensors
        cotangent = cotangents[0]
        back = _propagate(cotangent, inputs, weight, mean, scale, ctx.eps)
        bent = _bend(cotangent, gradient, inputs, weight, mean, scale)
        return back, bent, None, None, None, None


def _propagate(
    gradient: Tensor,
    inputs: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    scale: Tensor,
    eps: float,
) -> Tensor:
    found: Tensor = torch.ops.aten.native_batch_norm_backward(
        gradient, inputs, weight, None, None, mean, scale, True, eps, [True, False, False]
    )[0]
    return found


def _bend(
    v: Tensor, d: Tensor, inputs: Tensor, weight: Tensor | None, mean: Tensor, scale: Tensor
) -> Tensor:
    """Derivative of ``v . propagate(d)`` by the inputs.

    With x the normalised input, means per channel and a = E[v d] - E[v] E[d],
    b = E[v x], c = E[d x], the product is ``m w s (a - b c)``, m values a
    channel, s = 1 / deviation; its derivative by an input is
    ``-w s^2 ((a - 3 b c) x + c (v - E v) + b (d - E d))``.
    """
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    shape = (1, -1) + (1,) * (inputs.ndim - 2)
    x = torch.addcmul((-mean * scale).view(shape), inputs, scale.view(shape))
    v_mean, d_mean = v.mean(axes), d.mean(axes)
    b, c = (v * x).mean(axes), (d * x).mean(axes)
    a = (v * d).mean(axes) - v_mean * d_mean
    outer = -scale.square() if weight is None else -scale.square() * weight
    bent = torch.addcmul(
        (outer * -(c * v_mean + b * d_mean)).view(shape), x, (outer * (a - 3 * b * c)).view(shape)
    )
    bent.addcmul_(v, (outer * c).view(shape))
    return bent.addcmul_(d, (outer * b).view(shape))
