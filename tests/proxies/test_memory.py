"""How many images fit: never fewer where they were few, the same everywhere, and within the limit."""

import subprocess
import sys

import pytest

from pelnas.architecture import Shape
from pelnas.proxies.memory import IMPORTED, LIMIT, PASSES, batch_and_workers, bytes_of_graph
from pelnas.spaces import SPACES, get_space

PEAK = """
import resource, torch
from pelnas.architecture import Shape
from pelnas.proxies.engine import score_network
from pelnas.spaces import get_space
space, shape, batch = get_space("{space}"), Shape.square(10, 224), {batch}
network = space.build(space.parse("{text}"), shape)
score_network(network, torch.randn(batch, *shape.pixels), torch.arange(batch) % 10)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.parametrize("name", SPACES)
def test_small_images_are_taken_as_asked(name: str) -> None:
    assert batch_and_workers(get_space(name), Shape.square(10, 32), 256, 8) == (256, 8)
    assert batch_and_workers(get_space(name), Shape.square(10, 96), 32, 8) == (32, 8)


def test_of_large_images_there_are_as_many_as_fit() -> None:
    space, shape = get_space("autoformer"), Shape.square(10, 224)
    batch, workers = batch_and_workers(space, shape, 32, 8)
    image = PASSES * bytes_of_graph(space, shape)
    assert workers == 1
    assert 4 <= batch < 32
    assert IMPORTED + batch * image <= LIMIT < IMPORTED + (batch + 4) * image


def test_the_batch_does_not_depend_on_the_workers() -> None:
    space, shape = get_space("autoformer"), Shape.square(10, 224)
    assert len({batch_and_workers(space, shape, 32, workers)[0] for workers in (1, 2, 64)}) == 1
    assert batch_and_workers(space, shape, 12, 2)[0] == 12  # no more than asked


def test_a_graph_grows_with_the_pixels_and_not_with_the_channels() -> None:
    space = get_space("autoformer")
    small, large, deep = (
        bytes_of_graph(space, shape)
        for shape in (Shape(10, 32, 32), Shape(10, 64, 64), Shape(10, 32, 32, 6))
    )
    assert 2 * small < large
    assert deep == pytest.approx(small, rel=0.05)


@pytest.mark.slow
def test_all_proxies_of_a_large_transformer_keep_within_the_limit() -> None:
    batch, _ = batch_and_workers(get_space("autoformer"), Shape.square(10, 224), 32, 1)
    text = "240:" + "/".join(["4x4"] * 14)
    program = PEAK.format(space="autoformer", batch=batch, text=text)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=580)
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) <= LIMIT
