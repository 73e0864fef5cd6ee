"""The benchmark's own arithmetic on small networks, and the published table where it is."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.stats import spearmanr

from pelnas.bench.proxies import BARS, agreement_with_suite, bench_speed, published_columns
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import DataError
from pelnas.images import ImageSet, load_images
from pelnas.proxies.scoring import ProxyScores
from pelnas.proxies.table import PROXIES, SUITE_ZERO
from pelnas.spaces import get_space

SPACE = get_space("tiny")
SETTINGS = Scoring(batch=8, resolution=8, workers=1)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images(None, 8)


def test_speed_times_every_proxy(images: ImageSet) -> None:
    found = bench_speed(SPACE, images, [SPACE.at(60)], batch=8, threads=1, repeats=1)
    assert list(found.apart) == list(PROXIES)
    assert min(found.step, found.shared, found.everything, *found.apart.values()) > 0
    assert found.steps == found.shared / found.step
    assert found.gain == pytest.approx(sum(found.apart[n] for n in SUITE_ZERO) / found.shared)


def published(folder: Path, images: ImageSet, texts: list[str], failed: int) -> None:
    """A table of our own values, cubed so that only the order agrees, with one failed cell."""
    scores = ProxyScores(SPACE, images, SUITE_ZERO, SETTINGS, 0, Cache(folder / "own.sqlite"))
    rows = list(scores.of(texts))
    scores.close()
    columns = {f"flowers__nbsz_{name}": [row[name] ** 3 for row in rows] for name in SUITE_ZERO}
    columns["flowers__nbsz_nwot"][failed] = -1e8
    parquet.write_table(pa.table({"arch_str": texts, **columns}), folder / "suite.parquet")


def test_agreement_with_a_published_table(images: ImageSet, tmp_path: Path) -> None:
    cells = [SPACE.at(index) for index in range(SPACE.size)]
    alive = [SPACE.format(cell) for cell in cells if SPACE.features(cell)["paths"] > 0]
    texts = alive[5:101:8]
    published(tmp_path, images, texts, failed=4)
    heard: list[int] = []
    found = agreement_with_suite(
        *(tmp_path, SPACE, images, SETTINGS, Cache(tmp_path / "c.sqlite")),
        sample=12,
        seed=0,
        progress=heard.append,
    )
    assert heard == list(range(1, 13))
    assert [each.proxy for each in found] == list(SUITE_ZERO)
    assert all(each.spearman == pytest.approx(1.0) and each.reached for each in found)
    assert all(np.isnan([each.repeated, each.averaged]).all() for each in found)
    assert {each.proxy: each.count for each in found} == dict.fromkeys(SUITE_ZERO, 12) | {
        "nwot": 11
    }


def test_draws_tell_luck_apart(images: ImageSet, tmp_path: Path) -> None:
    cells = [SPACE.at(index) for index in range(SPACE.size)]
    texts = [SPACE.format(cell) for cell in cells if SPACE.features(cell)["paths"] > 0][5:101:8]
    published(tmp_path, images, texts, failed=0)
    cache = Cache(tmp_path / "c.sqlite")
    size, norm = agreement_with_suite(
        *(tmp_path, SPACE, images, SETTINGS, cache),
        sample=12,
        proxies=["params", "l2_norm"],
        draws=3,
    )
    assert (size.repeated, size.averaged) == (pytest.approx(1.0), pytest.approx(1.0))
    drawn = []
    for seed in range(3):
        scores = ProxyScores(SPACE, images, ["l2_norm"], SETTINGS, seed, cache)
        drawn.append([values["l2_norm"] for values in scores.of(sorted(texts))])
        scores.close()
    pairs = [spearmanr(drawn[i], drawn[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert norm.repeated == pytest.approx(np.mean(pairs))
    mean = np.mean(drawn, axis=0)
    assert norm.averaged == pytest.approx(spearmanr(mean, drawn[0]).statistic)
    assert norm.repeated < 1


def test_every_proxy_of_the_suite_has_its_bar() -> None:
    assert set(BARS) == set(SUITE_ZERO)


def test_no_published_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="NAS-Bench-Suite-Zero"):
        published_columns(tmp_path)


def test_the_real_table_has_them_all(data_folder: Path) -> None:
    assert set(published_columns(data_folder)) == set(SUITE_ZERO)


@pytest.mark.alone
@pytest.mark.slow
def test_sixteen_cells_agree_with_the_published_values(data_folder: Path, tmp_path: Path) -> None:
    found = agreement_with_suite(
        data_folder,
        get_space("nasbench201"),
        load_images(data_folder / "cifar10_images.parquet", 32),
        Scoring(batch=64),
        Cache(tmp_path / "c.sqlite"),
        sample=16,
    )
    steady = {each.proxy: each.spearman for each in found if BARS[each.proxy] >= 0.95}
    assert len(steady) == 6
    # l2_norm misses its bar of 0.95 over 200 cells too: it hangs on the weights that were drawn.
    assert steady.pop("l2_norm") >= 0.8
    assert min(steady.values()) >= 0.9
