"""Bad input: one clear sentence each, before anything is computed where possible."""

import pytest
import torch
from torch import Tensor, nn

from pelnas.errors import ProxyError
from pelnas.proxies.engine import score_network

Batch = tuple[Tensor, Tensor]


def refused(network: nn.Module, images: Tensor, labels: Tensor, **how: object) -> str:
    with pytest.raises(ProxyError) as caught:
        score_network(network, images, labels, **how)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_a_batch_of_one(network: nn.Module, batch: Batch) -> None:
    assert "at least 2 images, found 1" in refused(network, batch[0][:1], batch[1][:1])


def test_wrong_channels(network: nn.Module, batch: Batch) -> None:
    assert "images of shape 1x8x8" in refused(network, batch[0][:, :1], batch[1])


def test_too_small_images(network: nn.Module, batch: Batch) -> None:
    assert "images of shape 3x1x1" in refused(network, batch[0][:, :, :1, :1], batch[1])


def test_not_a_number(network: nn.Module, batch: Batch) -> None:
    batch[0][3, 1, 2, 2] = torch.nan
    assert "NaN" in refused(network, *batch)


def test_whole_numbers_are_no_images(network: nn.Module, batch: Batch) -> None:
    assert "floating images" in refused(network, batch[0].to(torch.uint8), batch[1])


def test_labels_missing(network: nn.Module, batch: Batch) -> None:
    assert "8 labels" in refused(network, batch[0], batch[1][:5])


def test_labels_beyond_the_head(network: nn.Module, batch: Batch) -> None:
    assert "labels from 0 to 2" in refused(network, batch[0], batch[1] + 1)


def test_negative_labels(network: nn.Module, batch: Batch) -> None:
    assert "found -1" in refused(network, batch[0], batch[1] - 1)


def test_fewer_classes_than_the_head(network: nn.Module, batch: Batch) -> None:
    assert "outputs (3), found 2" in refused(network, batch[0], batch[1].clamp(max=1), classes=2)


def test_no_layer(batch: Batch) -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert "at least one convolution or linear layer" in refused(network, *batch)


def test_unknown_proxy(network: nn.Module, batch: Batch) -> None:
    assert "unknown proxy 'magic': use some of epe_nas" in refused(network, *batch, names=["magic"])


def test_two_images_are_too_few_for_two_batches(network: nn.Module, batch: Batch) -> None:
    assert "zico" in refused(network, batch[0][:2], batch[1][:2], names=["zico"])


def test_no_logits(batch: Batch) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1)).double()
    assert "logits" in refused(network, *batch)


def test_order_and_choice_of_names(network: nn.Module, batch: Batch) -> None:
    assert list(score_network(network, *batch, ["zen", "params"])) == ["zen", "params"]
    assert score_network(network, *batch, []) == {}
