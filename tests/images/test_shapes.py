"""Images of any size and number of channels: cut to the aspect ratio, grey or in colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pelnas.config import load_config
from pelnas.errors import ConfigError, ImagesError
from pelnas.images import load_images
from pelnas.images.base import digest_of

RED, GREEN = (200, 0, 0), (0, 100, 0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of wide pictures, 40 by 20, whose outer quarters are green and the middle red."""
    pixels = np.full((20, 40, 3), GREEN, np.uint8)
    pixels[:, 10:30] = RED
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def arrays(path: Path, shape: tuple[int, ...], dtype: type = np.uint8) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, *shape)).astype(dtype)
    np.savez(path, images=images, labels=[0, 1] * 3)
    return path


def test_what_does_not_belong_to_the_aspect_ratio_is_cut_off(photos: Path) -> None:
    wide = load_images(photos, (10, 20)).pixels([0])[0]
    assert wide.shape == (3, 10, 20)
    assert tuple(wide[:, 5, 2]) == GREEN
    assert tuple(wide[:, 5, 10]) == RED
    square = load_images(photos, 10).pixels([0])[0]
    inside = square[:, :, 1:-1]  # at the cut, resizing sees a little of what is cut off
    assert (inside == np.array(RED, np.uint8)[:, None, None]).all()
    tall = load_images(photos, (20, 10)).pixels([0])[0]
    assert tall.shape == (3, 20, 10)
    assert (tall == np.array(RED, np.uint8)[:, None, None]).all()


def test_pictures_are_grey_where_one_channel_is_asked_for(photos: Path) -> None:
    images = load_images(photos, (10, 20), channels=1)
    assert images.shape.pixels == (1, 10, 20)
    (pixels,) = images.pixels([0])
    assert pixels[0, 5, 10] == round(0.299 * 200)
    assert pixels[0, 5, 2] == round(0.587 * 100)
    assert images.normalise(pixels[None]).shape == (1, 1, 10, 20)


def test_grey_pictures_keep_their_values(tmp_path: Path) -> None:
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(grey).save(tmp_path / name / "0.png")
    assert (load_images(tmp_path, 10, channels=1).pixels([0])[0, 0] == grey).all()
    assert (load_images(tmp_path, 10).pixels([0])[0] == grey).all()
    assert load_images(tmp_path, 10).shape.channels == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(9, 11, 5), (5, 9, 11)])
def test_an_npz_has_as_many_channels_as_it_has(
    tmp_path: Path, shape: tuple[int, ...], dtype: type
) -> None:
    path = arrays(tmp_path / "many.npz", shape, dtype)
    images = load_images(path, (9, 11))
    assert images.shape.pixels == (5, 9, 11)
    stored = np.load(path)["images"]
    expected = stored if shape[0] == 5 else stored.transpose(0, 3, 1, 2)
    assert (images.pixels(range(6)) == expected).all()
    drawn, _ = images.batch(4, 0)
    assert drawn.shape == (4, 5, 9, 11)
    with pytest.raises(ImagesError, match="expected 3 channels, found that images of many have 5"):
        load_images(path, 8, channels=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_npz_in_colour_or_grey_gives_what_is_asked_for(tmp_path: Path, dtype: type) -> None:
    colour = arrays(tmp_path / "colour.npz", (8, 8, 3), dtype)
    grey = arrays(tmp_path / "grey.npz", (8, 8), dtype)
    for path in (colour, grey):
        assert load_images(path, 8).shape.channels == 3
        assert load_images(path, 8, channels=1).pixels([0]).shape == (1, 1, 8, 8)
    stored = np.load(colour)["images"][0]
    luma = stored @ np.array([0.299, 0.587, 0.114])
    found = load_images(colour, 8, channels=1).pixels([0])[0, 0]
    assert np.abs(found.astype(float) - luma).max() <= (0.51 if dtype is np.uint8 else 1e-3)
    with pytest.raises(ImagesError, match=r"expected 4 channels, found .* have 1 or 3"):
        load_images(colour, 8, channels=4)


def test_squares_in_colour_keep_their_digest_and_nothing_else_shares_it(photos: Path) -> None:
    old = load_images(photos, 16)
    assert old.digest == digest_of(old.source.digest, 16)
    others = [((16, 24), None), ((24, 16), None), (16, 1), ((16, 24), 1)]
    digests = {old.digest, *(load_images(photos, size, c).digest for size, c in others)}
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("given", "stored", "size"),
    [
        (224, 224, (224, 224)),
        ("224", 224, (224, 224)),
        (" 96X128 ", "96x128", (96, 128)),
        ("96x96", 96, (96, 96)),
    ],
)
def test_a_resolution_is_a_side_or_height_and_width(
    given: object, stored: object, size: tuple[int, int]
) -> None:
    scoring = load_config(None, {"scoring": {"resolution": given}}).scoring
    assert (scoring.resolution, scoring.size) == (stored, size)


@pytest.mark.parametrize(
    "given", ["big", "7", "96x", "x96", "96x4097", "9x9x9", "-32", "3.5", True]
)
def test_any_other_resolution_is_refused_in_one_sentence(given: object) -> None:
    with pytest.raises(
        ConfigError, match=r"'scoring.resolution': expected pixels a side of 8 to"
    ) as no:
        load_config(None, {"scoring": {"resolution": given}})
    assert "96x128 (height x width), found" in str(no.value)
