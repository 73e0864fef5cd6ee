"""The second derivative that GraSP needs, made cheap: one number in place of a vector.

GraSP's sum is ``w . H g``: the derivative at s = 1 of ``g . gradient(s w)``
along one factor s on all layers' weights, g held fixed. So the second pass
needs no gradient of any weight. For plain convolutions the slope with respect to s follows from
two inner products, batch norms have their second derivative in closed form;
the library composes both of many passes over the features.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import relu6
from torch.nn.modules.batchnorm import _BatchNorm

from pelnas.proxies.network import Tensors, replaced_forward


def plain_convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """By the name of their weight, the convolutions that ``scaled`` need not touch."""
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in network.named_modules()
        if type(module) is nn.Conv2d
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    }


def scaled(network: nn.Module, tensors: Tensors, scale: Tensor) -> Tensors:
    """The stand-ins with every layer's weight multiplied by ``scale``, but for plain convolutions."""
    plain = plain_convolutions(network)
    factored = {name: tensors.values[name] * scale for name in tensors.layers if name not in plain}
    return replace(tensors, values=tensors.values | factored)


@contextmanager
def quick_second_derivatives(network: nn.Module, scale: Tensor) -> Iterator[None]:
    """Let plain convolutions answer to ``scale`` and batch norms normalise by their batch.

    Hard sigmoids, whose second derivative torch lacks, are computed from what it has.
    """

    def convolve(module: nn.Conv2d, inputs: Tensor) -> Tensor:
        how = (module.stride, module.padding, module.dilation, False, (0, 0), module.groups)
        output: Tensor = _Convolve.apply(inputs, module.weight, scale, how)  # type: ignore[no-untyped-call]
        return output if module.bias is None else output + module.bias.view(1, -1, 1, 1)

    convolutions = list(plain_convolutions(network).values())
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    gates = [module for module in network.modules() if isinstance(module, nn.Hardsigmoid)]
    with (
        replaced_forward(convolutions, convolve),
        replaced_forward(norms, _normalise),
        replaced_forward(gates, _hard_sigmoid),
    ):
        yield


def _hard_sigmoid(_module: nn.Module, inputs: Tensor) -> Tensor:
    return relu6(inputs + 3) / 6


class _Convolve(torch.autograd.Function):
    """Convolution whose weight counts as ``scale * weight``, for a scale of 1."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, scale: Tensor, how: Any) -> Tensor:
        output = torch.ops.aten.convolution(inputs, weight, None, *how)
        ctx.save_for_backward(inputs, weight, scale, output)
        ctx.how = how
        return output  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        inputs, weight, scale, output = ctx.saved_tensors
        by_input, by_weight = ctx.needs_input_grad[:2]
        if not torch.is_grad_enabled():  # no graph is made: nobody asks for the weight
            slope = torch.dot(gradients[0].flatten(), output.flatten())
            back = _convolve_back(gradients[0], inputs, weight, ctx.how, (by_input, False))
            return back[0], None, slope.view_as(scale), None
        asked = (by_input, by_weight)
        found = _Spread.apply(gradients[0], inputs, weight, scale, ctx.how, asked)  # type: ignore[no-untyped-call]
        return (*found, None, None)


class _Spread(torch.autograd.Function):
    """The first derivative of ``_Convolve``: gradients of input and weight from the output's."""

    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        inputs: Tensor,
        weight: Tensor,
        scale: Tensor,
        how: Any,
        asked: tuple[bool, bool],
    ) -> Any:
        ctx.save_for_backward(gradient, inputs, weight, scale)
        ctx.how = how
        ctx.set_materialize_grads(False)
        return _convolve_back(gradient, inputs, weight, how, asked)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        gradient, inputs, weight, scale = ctx.saved_tensors
        by_input, by_weight = cotangents
        back, bent, slope = None, None, None
        if by_input is not None:
            back = torch.ops.aten.convolution(by_input, weight, None, *ctx.how)
            slope = torch.dot(back.flatten(), gradient.flatten()).view_as(scale)
        if by_weight is not None:
            more = torch.ops.aten.convolution(inputs, by_weight, None, *ctx.how)
            back = more if back is None else back.add_(more)
            if ctx.needs_input_grad[1]:
                bent = _convolve_back(gradient, inputs, by_weight, ctx.how, (True, False))[0]
        return back, bent, None, slope, None, None


def _convolve_back(
    gradient: Tensor, inputs: Tensor, weight: Tensor, how: Any, asked: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    by_input, by_weight, _ = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, None, *how, (*asked, False)
    )
    return by_input, by_weight


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
