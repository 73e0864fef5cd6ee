"""Proxies of networks with attention against their definitions, written out."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pelnas.architecture import Shape
from pelnas.proxies.engine import score_network
from pelnas.spaces import get_space
from pelnas.spaces.transformer import VisionTransformer

SEED = 5


def transformer() -> VisionTransformer:
    torch.manual_seed(3)
    network = VisionTransformer(12, [(2, 40), (1, 32)], 8, 4, (2, 3), classes=3, channels=2)
    return network.double()


def batch() -> tuple[Tensor, Tensor]:
    images = torch.randn(6, 2, 8, 12, generator=torch.Generator().manual_seed(2))
    return images.double(), torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("others", [[], ["jacov", "nwot"]])
def test_counts_are_those_of_the_space(others: list[str]) -> None:
    """From a pass of one image, and from the one that other proxies share."""
    space, shape = get_space("autoformer"), Shape(10, 32, 48)
    architecture = space.at(space.size // 2)
    network = space.build(architecture, shape)
    data = torch.randn(2, 3, 32, 48), torch.tensor([0, 1])
    found = score_network(network, *data, ["params", "flops", *others])
    assert found["params"] == space.parameters(architecture, shape)
    assert found["flops"] == space.flops(architecture, shape)


def test_products_outside_of_layers_count_whatever_makes_them() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(5, 12, bias=False)
            self.attention = nn.MultiheadAttention(4, 2, bias=False, batch_first=True)

        def forward(self, images: Tensor) -> Tensor:
            q, k, v = self.qkv(images.flatten(2).transpose(1, 2)).split(4, dim=2)
            scores = torch.einsum("bqc,bkc->bqk", q, k).softmax(2) @ v
            found: Tensor = self.attention(scores, scores, scores, need_weights=False)[0].mean(1)
            return found

    layer, einsum, product = 6 * 5 * 12, 6 * 6 * 4, 6 * 6 * 4
    inside = 6 * 4 * 12 + 2 * 6 * 6 * 4 + 6 * 4 * 4  # three inputs, two products, the output
    data = torch.randn(2, 5, 2, 3), torch.tensor([0, 1])
    assert score_network(Products(), *data, ["flops"])["flops"] == (
        layer + einsum + product + inside
    )


def test_nwot_counts_the_units_of_gelu() -> None:
    network, (images, labels) = transformer(), batch()
    bits: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.GELU):
            module.register_forward_pre_hook(lambda _, inputs: bits.append(inputs[0] > 0))
    network(images)
    codes = torch.cat([each.flatten(1) for each in bits], dim=1)
    equal = [[float((a == b).sum()) for b in codes] for a in codes]
    found = score_network(network, images, labels, ["nwot"], SEED)["nwot"]
    assert found == pytest.approx(float(np.linalg.slogdet(np.array(equal))[1]), rel=1e-9)


class Chain(nn.Module):
    """Values, attention and two layers in a row: every path crosses three weights."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(5, 4, bias=False) for _ in range(3))
        self.norm, self.out = nn.LayerNorm(4), nn.Linear(4, 6, bias=False)
        self.classifier = nn.Linear(6, 3, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        tokens = images.flatten(2).transpose(1, 2)
        mixed = scaled_dot_product_attention(
            self.query(tokens), self.key(tokens), self.value(tokens)
        )
        logits: Tensor = self.classifier(self.out(self.norm(mixed)).mean(1))
        return logits


def test_synflow_is_conserved_through_attention() -> None:
    """Tanaka et al., theorem 1: every layer of a path carries the whole flow R."""
    torch.manual_seed(1)
    network = Chain().double()
    ones = torch.ones(1, 5, dtype=torch.float64)
    weights = [layer.weight.abs() for layer in (network.value, network.out, network.classifier)]
    flow = ones
    for weight in weights:
        flow = flow @ weight.T
    data = torch.randn(4, 5, 2, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    found = score_network(network, *data, ["synflow"])["synflow"]
    assert found == pytest.approx(math.log1p(3 * float(flow.detach().sum())), rel=1e-9)


def test_synflow_of_a_deep_transformer_stays_finite_and_grows_with_depth() -> None:
    space, data = get_space("autoformer"), (torch.randn(2, 3, 32, 32), torch.tensor([0, 1]))
    found = []
    for depth in (12, 14):
        network = space.build(space.parse("240:" + "/".join(["4x4"] * depth)), Shape(10))
        found.append(score_network(network, *data, ["synflow"])["synflow"])
    assert 0 < found[0] < found[1]


def test_a_flow_beyond_float64_is_no_value() -> None:
    layers = [nn.Conv2d(3, 3, 1) for _ in range(4)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1e30)
    deep = [nn.Sequential(*layers) for _ in range(4)]
    network = nn.Sequential(*deep, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    data = torch.rand(2, 3, 4, 4), torch.tensor([0, 1])
    assert score_network(network, *data, ["synflow", "params"]) == {"params": 4 * 12.0}


def test_the_views_of_az_nas_take_tokens_for_pixels() -> None:
    network, (images, labels) = transformer(), batch()
    names = ["expressivity", "progressivity", "trainability"]
    found = score_network(network, images, labels, names, SEED)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.normal_(std=(2 / fan_in) ** 0.5, generator=generator)
                module.bias.zero_()  # type: ignore[union-attr]
    features: list[Tensor] = []
    for block in (network.patches, *network.blocks):
        block.register_forward_hook(lambda *seen: features.append(seen[2]))
    network(images)
    maps, *tokens = features
    rows = [maps.permute(0, 2, 3, 1).reshape(-1, 12), *(each.reshape(-1, 12) for each in tokens)]
    entropies = []
    for each in rows:
        spectrum = np.linalg.eigvalsh(np.cov(each.detach().numpy().T, bias=True)).clip(0)
        shares = spectrum / spectrum.sum()
        entropies.append(-float((shares * np.log(shares + 1e-8)).sum()))
    assert found["expressivity"] == pytest.approx(sum(entropies), rel=1e-6)
    assert found["progressivity"] == pytest.approx(min(np.diff(entropies)), rel=1e-6)
    before, after = tokens
    signs = torch.randint(0, 2, after.shape, generator=generator).double() * 2 - 1
    (sent,) = torch.autograd.grad(after, before, signs)
    jacobian = (sent.reshape(-1, 12).T @ signs.reshape(-1, 12)) / (6 * 7)
    largest = float(np.linalg.svd(jacobian.numpy())[1].max())
    assert found["trainability"] == pytest.approx(2 - largest - 1 / (largest + 1e-6), rel=1e-6)


def test_grasp_differentiates_attention_twice() -> None:
    """Against w . H g from an explicit Hessian-vector product."""
    network, (images, labels) = transformer(), batch()
    layers = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = nn.functional.cross_entropy(network(images), labels)
    first = torch.autograd.grad(loss, layers, create_graph=True)
    product = sum((g * g.detach()).sum() for g in first)
    second = torch.autograd.grad(product, layers)  # type: ignore[arg-type]
    expected = -float(sum((w.detach() * h).sum() for w, h in zip(layers, second, strict=True)))
    found = score_network(network, images, labels, ["grasp"], SEED)["grasp"]
    assert found == pytest.approx(expected, rel=1e-6)
