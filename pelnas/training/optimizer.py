"""The optimizer that a network's kind is trained with."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from pelnas.training.settings import TrainingSettings

#: AdamW's learning rate and weight decay, as multiples of those of gradient descent: from 0.05
#: and 0.0005 to the 0.0005 and 0.05 of DeiT (Touvron et al., ICML 2021) and AutoFormer.
RATE, DECAY = 0.01, 100.0


def optimizer_of(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW for networks with layer norms alone, such as transformers; else Nesterov momentum.

    Gradient descent at one rate for all layers learns transformers slowly. AdamW decays the
    weights of layers, not norms, biases and tokens, as in DeiT. A group's ``share``, 1 unless
    there, is to be multiplied with the learning rate of each step.
    """
    if not is_transformer(network):
        return torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, _ConvNd))]
    decayed = {id(layer.weight) for layer in layers}
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in network.parameters() if (id(p) in decayed) == is_decayed],
            "weight_decay": DECAY * settings.weight_decay if is_decayed else 0.0,
            "share": RATE,
        }
        for is_decayed in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=RATE * settings.learning_rate)


def is_transformer(network: nn.Module) -> bool:
    """Whether its features are normalised by layer norms and never over a batch."""
    modules = list(network.modules())
    return any(isinstance(m, nn.LayerNorm) for m in modules) and not any(
        isinstance(m, _BatchNorm) for m in modules
    )
