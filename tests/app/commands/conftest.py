"""What tests of commands share: small images of one's own, and torch's threads as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def bright_and_dark(tmp_path: Path) -> Callable[[int, int], Path]:
    """Images with noise of two classes, twelve of each, of a height and a width."""

    def made(height: int, width: int) -> Path:
        rng = np.random.default_rng(0)
        for name, level in (("bright", 180), ("dark", 60)):
            (tmp_path / "images" / name).mkdir(parents=True)
            for number in range(12):
                pixels = rng.normal(level, 20, (height, width, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
        return tmp_path / "images"

    return made
