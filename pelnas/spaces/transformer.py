"""A vision transformer whose blocks may differ in their heads and MLP ratios, as a torch module.

Source: Chen et al., "AutoFormer: Searching Transformers for Visual
Recognition", ICCV 2021, section 3.2; initialised as DeiT (Touvron et al.,
ICML 2021). Left out: the relative positions of its attention, and dropout.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

STD = 0.02  # of the truncated normal weights
EPSILON = 1e-6  # of layer norms, as in ViT and DeiT


class Attention(nn.Module):
    """Multi-head self-attention (batch, tokens, width) to the same, with ``head`` channels a head."""

    def __init__(self, width: int, heads: int, head: int) -> None:
        super().__init__()
        self.heads, self.head = heads, head
        self.qkv = nn.Linear(width, 3 * heads * head)
        self.projection = nn.Linear(heads * head, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, _ = tokens.shape
        split = self.qkv(tokens).reshape(batch, count, 3, self.heads, self.head)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(queries, keys, values)
        return cast(Tensor, self.projection(mixed.transpose(1, 2).flatten(2)))


class Block(nn.Module):
    """Attention and an MLP, each after a layer norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, head: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=EPSILON)
        self.attention = Attention(width, heads, head)
        self.mlp_norm = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return cast(Tensor, tokens + self.mlp(self.mlp_norm(tokens)))


class VisionTransformer(nn.Module):
    """Images (batch, channels, height, width) to logits (batch, classes), read off a class token.

    ``blocks``: heads and width of the MLP of each; ``size``: (height, width) in patches.
    """

    def __init__(
        self,
        width: int,
        blocks: Sequence[tuple[int, int]],
        head: int,
        patch: int,
        size: tuple[int, int],
        classes: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, 1 + size[0] * size[1], width))
        self.blocks = nn.Sequential(
            *(Block(width, heads, head, hidden) for heads, hidden in blocks)
        )
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.classifier = nn.Linear(width, classes)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.class_token, std=STD)
        nn.init.trunc_normal_(self.places, std=STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=STD)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        first = self.class_token.expand(images.shape[0], -1, -1)
        tokens = self.blocks(torch.cat([first, patches], dim=1) + self.places)
        return cast(Tensor, self.classifier(self.norm(tokens[:, 0])))
