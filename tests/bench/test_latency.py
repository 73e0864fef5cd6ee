"""Few-shot latency is judged on what was not measured, by a device that was left out."""

from pathlib import Path

import pytest

from pelnas.bench import latency
from pelnas.errors import DataError


def test_outcomes_of_a_draw_on_mobile_networks(data_folder: Path) -> None:
    methods = [(latency.MODEL, latency.RANDOM), (latency.RIDGE, latency.RANDOM)]
    found = latency.mobile_outcomes(data_folder, 1, methods)
    ours, ridge = next(found), next(found)
    assert [(each.model, each.count) for each in (ours, ridge)] == [("few-shot", 50), ("ridge", 50)]
    assert ours.device == ridge.device == "latency_zcu102_ms"
    assert ours.spearman > max(0.9, ridge.spearman)
    assert ours.within is not None
    assert ridge.within is None
    (device, every) = latency.means([ours])
    assert (device.spearman, every.device) == (ours.spearman, "all")


def test_every_cell_is_looked_up(data_folder: Path) -> None:
    timed = latency.lookup_time(data_folder, "cifar10", "raspi4", repeats=1)
    assert timed.networks == 15_625
    assert timed.lookup_ms > 0


def test_a_folder_without_the_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected networks of mnasnet in"):
        next(latency.mobile_outcomes(tmp_path, 1))
    with pytest.raises(DataError, match="parquet file with the columns"):
        next(latency.cell_outcomes(tmp_path, 1))
