"""Each saliency against its definition, computed the slow way."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pelnas.proxies.engine import score_network

Batch = tuple[Tensor, Tensor]


def layers(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def loss_gradients(network: nn.Module, batch: Batch) -> list[tuple[Tensor, Tensor]]:
    network.train()
    cross_entropy(network(batch[0]), batch[1]).backward()
    return [(layer.weight.detach(), layer.weight.grad) for layer in layers(network)]


def check(network: nn.Module, batch: Batch, name: str, expected: float) -> None:
    for others in ((), ("grasp", "jacov", "fisher"), ("snip", "nwot")):
        found = score_network(network, *batch, (name, *others))[name]
        assert found == pytest.approx(expected, rel=1e-4)


def test_grad_norm(network: nn.Module, batch: Batch) -> None:
    expected = sum(float((g**2).sum() ** 0.5) for _, g in loss_gradients(network, batch))
    check(network, batch, "grad_norm", expected)


def test_snip(network: nn.Module, batch: Batch) -> None:
    expected = sum(float((w * g).abs().sum()) for w, g in loss_gradients(network, batch))
    check(network, batch, "snip", expected)


def test_plain(network: nn.Module, batch: Batch) -> None:
    expected = sum(float((w * g).sum()) for w, g in loss_gradients(network, batch))
    check(network, batch, "plain", expected)


def test_grasp_against_the_explicit_hessian(network: nn.Module, batch: Batch) -> None:
    network.train()
    weights = [layer.weight for layer in layers(network)]
    loss = cross_entropy(network(batch[0]), batch[1])
    found = torch.autograd.grad(loss, weights, create_graph=True)
    flat = torch.cat([g.flatten() for g in found])
    # Every row of the Hessian: one unit vector a row, in one batched call.
    unit = torch.eye(len(flat), dtype=flat.dtype)
    blocks = torch.autograd.grad(flat, weights, unit, is_grads_batched=True)
    hessian = torch.cat([block.flatten(1) for block in blocks], dim=1)
    theta = torch.cat([w.detach().flatten() for w in weights])
    check(network, batch, "grasp", -float(theta @ (hessian @ flat.detach())))


def test_fisher_image_by_image(network: nn.Module, batch: Batch) -> None:
    network.train()
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()  # an activation in place must not change what is kept

    handles = [layer.register_forward_hook(keep) for layer in layers(network)]
    loss = cross_entropy(network(batch[0]), batch[1])
    for handle in handles:
        handle.remove()
    found = torch.autograd.grad(loss, outputs)
    expected = 0.0
    for activation, gradient in zip(outputs, found, strict=True):
        product = activation.detach() * gradient
        for channel in range(product.shape[1]):
            per_image = [float(image[channel].sum()) for image in product]
            expected += sum(value**2 for value in per_image) / len(per_image) / 2
    check(network, batch, "fisher", expected)


class NoNorm(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


def test_synflow_on_a_network_without_its_norms(network: nn.Module, batch: Batch) -> None:
    found = score_network(network, *batch, ["synflow"])["synflow"]
    bare = network
    for module in list(bare.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, NoNorm())
    with torch.no_grad():
        for parameter in bare.parameters():
            parameter.abs_()
    bare.zero_grad()
    bare(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()
    flows = [layer.weight.detach() * layer.weight.grad for layer in layers(bare)]
    flow = sum(float(each.abs().sum()) for each in flows)
    assert found == pytest.approx(float(torch.tensor(1 + flow).log()), rel=1e-4)
