"""Random shifts and mirror images of a batch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, pixels: int, flip: bool, rng: np.random.Generator) -> Tensor:
    """Each image (n, channels, height, width) shifted by up to ``pixels`` either way, and perhaps mirrored.

    What comes in at a border repeats it, so that a plain background stays plain.
    """
    count, channels, height, width = images.shape
    if pixels:
        padded = functional.pad(images, (pixels,) * 4, mode="replicate")
        top, left = torch.from_numpy(rng.integers(0, 2 * pixels + 1, size=(2, count, 1)))
        rows = (top + torch.arange(height))[:, None, :, None]
        columns = (left + torch.arange(width))[:, None, None, :]
        each = torch.arange(count)[:, None, None, None]
        images = padded[each, torch.arange(channels)[None, :, None, None], rows, columns]
    if flip:
        mirrored = torch.from_numpy(rng.random(count) < 0.5)
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    return images
