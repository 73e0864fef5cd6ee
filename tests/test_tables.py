"""Tables are found by their columns and say what they hold."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pelnas import tables
from pelnas.errors import DataError, DatasetError, DeviceError
from pelnas.spaces import get_space

TINY = get_space("tiny")
TEXTS = [TINY.format(TINY.at(index)) for index in range(TINY.size)]


def write(path: Path, texts: list[str] | None = None, **columns: object) -> Path:
    own = TEXTS if texts is None else texts
    parquet.write_table(pa.table({"arch_str": own, **columns}), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tables of every tiny cell, and files that are none."""
    numbers = np.arange(TINY.size, dtype=float)
    write(
        tmp_path / "costs.parquet",
        flowers__my_phone_latency=numbers,
        flowers__my_phone_energy=numbers + 1,
        birds__my_phone_latency=numbers + 2,
        flowers__toaster_latency=numbers + 3,
        flowers__toaster_arithmetic_intensity=numbers,
        flowers__scale_energy=numbers,
        flowers__nbsz_synflow=numbers,
    )
    write(
        tmp_path / "accuracies.parquet",
        flowers_val_acc_12=numbers,
        flowers_val_acc_200=numbers + 1,
        flowers_val_acc_90=numbers + 2,
        flowers_test_acc_200=numbers + 3,
        flowers_params_m=numbers,
    )
    parquet.write_table(pa.table({"x__y_latency": [1.0]}), tmp_path / "no-architectures.parquet")
    (tmp_path / "notes.txt").write_text("flowers__oven_latency")
    return tmp_path


class TestWhatThereIs:
    def test_devices_and_datasets_are_those_of_the_columns(self, folder: Path) -> None:
        assert tables.devices(folder) == ("my_phone", "toaster")  # a scale has no latency
        assert tables.datasets(folder) == ("birds", "flowers")

    def test_the_benchmark_has_six_devices_and_two_datasets(self, data_folder: Path) -> None:
        assert tables.devices(data_folder) == (
            *("edgegpu", "edgetpu", "eyeriss", "fpga", "pixel3", "raspi4"),
        )
        assert tables.datasets(data_folder) == ("cifar10", "cifar100")

    @settings(deadline=None)
    @given(
        st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True),
        st.from_regex(r"[a-z0-9]{1,5}(_[a-z0-9]{1,5})?", fullmatch=True),
    )
    def test_any_name_is_taken_from_its_column(self, dataset: str, device: str) -> None:
        match = tables._COST.fullmatch(f"{dataset}__{device}_latency")
        assert match is not None
        assert match.groups() == (dataset, device, "latency")


class TestCosts:
    def test_metrics_of_a_device_are_found(self, folder: Path) -> None:
        columns = tables.cost_columns(folder, "flowers", "my_phone")
        assert {metric: column.name for metric, column in columns.items()} == {
            "latency": "flowers__my_phone_latency",
            "energy": "flowers__my_phone_energy",
        }
        assert list(tables.cost_columns(folder, "birds", "my_phone")) == ["latency"]

    def test_values_stand_by_their_text(self, folder: Path) -> None:
        values = tables.cost_columns(folder, "flowers", "toaster")["latency"].read()
        assert values == {text: float(n + 3) for n, text in enumerate(TEXTS)}

    def test_the_only_dataset_of_a_device_need_not_be_named(self, folder: Path) -> None:
        columns = tables.cost_columns(folder, "", "toaster")
        assert columns["latency"].name == "flowers__toaster_latency"
        with pytest.raises(DatasetError, match="several: use one of birds, flowers"):
            tables.cost_columns(folder, "", "my_phone")

    def test_unknown_names_are_answered_with_those_there_are(self, folder: Path) -> None:
        with pytest.raises(DeviceError, match=r"'my_fone': .* my_phone, toaster: .*'my_phone'"):
            tables.cost_columns(folder, "flowers", "my_fone")
        with pytest.raises(DeviceError, match="my_phone, toaster: use one of these"):
            tables.cost_columns(folder, "flowers", "scale")
        with pytest.raises(DatasetError, match=r"data set 'birds': .* have flowers"):
            tables.cost_columns(folder, "birds", "toaster")

    def test_the_published_first_row_is_read(self, data_folder: Path) -> None:
        first = get_space("nasbench201")
        text = first.format(first.at(0))
        published = {"edgegpu": 5.8074, "raspi4": 10.4820, "edgetpu": 0.9572}
        published |= {"pixel3": 3.6059, "eyeriss": 3.6456, "fpga": 2.5730}
        for device, milliseconds in published.items():
            column = tables.cost_columns(data_folder, "cifar10", device)["latency"]
            assert column.read()[text] == pytest.approx(milliseconds, abs=6e-5)
        energy = tables.cost_columns(data_folder, "cifar10", "fpga")["energy"]
        assert energy.read()[text] == pytest.approx(18.0107, abs=6e-5)


class TestAccuracies:
    def test_the_longest_training_is_used(self, folder: Path) -> None:
        assert tables.accuracy_column(folder, "flowers").name == "flowers_val_acc_200"
        assert tables.accuracy_column(folder, "", "test").name == "flowers_test_acc_200"

    def test_an_unknown_dataset_is_answered_with_those_there_are(self, folder: Path) -> None:
        with pytest.raises(DatasetError, match=r"'flower': .* have flowers: did you mean"):
            tables.accuracy_column(folder, "flower")

    def test_true_accuracy_has_the_published_best(self, data_folder: Path) -> None:
        space = get_space("nasbench201")
        for dataset, index, best in (("cifar10", 6111, 94.37), ("cifar100", 9930, 73.51)):
            accuracy = tables.true_accuracy(data_folder, dataset)
            assert max(accuracy.values()) == pytest.approx(best, abs=5e-3)
            assert max(accuracy, key=accuracy.__getitem__) == space.format(space.at(index))


class TestLookup:
    def test_every_architecture_has_its_own_row(self, folder: Path) -> None:
        column = tables.cost_columns(folder, "flowers", "my_phone")["latency"]
        lookup = tables.Lookup(column, TINY)
        assert [lookup[TINY.at(n)] for n in range(TINY.size)] == list(range(TINY.size))

    def test_a_file_is_read_again_only_where_it_has_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = write(tmp_path / "a.parquet", x__y_latency=np.ones(TINY.size))
        column = tables.Column(file, "x__y_latency")
        assert tables.Lookup(column, TINY)[TINY.at(0)] == 1.0
        with monkeypatch.context() as patched:
            patched.setattr(tables, "parquet_table", None)  # would fail if it were called
            assert tables.Lookup(column, TINY)[TINY.at(1)] == 1.0
        write(file, TEXTS[::-1], x__y_latency=np.arange(TINY.size) + 2.0)
        assert tables.Lookup(column, TINY)[TINY.at(TINY.size - 1)] == 2.0

    def test_partial_tables_say_what_they_have(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a.parquet", TEXTS[5:9], x__y_latency=[1.0, 2.0, 3.0, 4.0])
        lookup = tables.Lookup(tables.Column(file, "x__y_latency"), TINY, partial=True)
        assert lookup.architectures == [TINY.at(n) for n in range(5, 9)]
        assert TINY.at(6) in lookup
        assert TINY.at(2) not in lookup
        assert lookup.values.tolist() == [1.0, 2.0, 3.0, 4.0]
        with pytest.raises(DataError, match="found none for"):
            lookup[TINY.at(2)]

    def test_a_table_of_another_space_is_refused(self, folder: Path) -> None:
        column = tables.cost_columns(folder, "flowers", "my_phone")["latency"]
        with pytest.raises(DataError, match="table of another space: nasbench201 expects"):
            tables.Lookup(column, get_space("nasbench201"))

    def test_a_table_that_lacks_architectures_is_refused(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a.parquet", TEXTS[:9], x__y_latency=[1.0] * 9)
        with pytest.raises(DataError, match=r"every architecture of tiny .* found 9 of 125"):
            tables.Lookup(tables.Column(file, "x__y_latency"), TINY)

    def test_a_text_that_is_missing_among_enough_rows_is_named(self, tmp_path: Path) -> None:
        texts = [TEXTS[0], "junk", *TEXTS[2:]]
        file = write(tmp_path / "a.parquet", texts, x__y_latency=[1.0] * len(texts))
        lookup = tables.Lookup(tables.Column(file, "x__y_latency"), TINY)
        with pytest.raises(DataError, match="found none for"):
            lookup[TINY.at(1)]


class TestBadFolders:
    def test_a_folder_that_is_not_there_or_a_file_is_refused(self, folder: Path) -> None:
        with pytest.raises(DataError, match="found nothing"):
            tables.devices(folder / "absent")
        with pytest.raises(DataError, match="found a file"):
            tables.devices(folder / "notes.txt")

    def test_a_folder_without_tables_says_what_was_expected(self, tmp_path: Path) -> None:
        for ask in (tables.devices, tables.datasets):
            with pytest.raises(DataError, match=r"arch_str and, for example, .* there: none"):
                ask(tmp_path)
        write(tmp_path / "proxies.parquet", flowers__nbsz_snip=np.zeros(TINY.size))
        with pytest.raises(DataError, match=r"flowers_val|cifar10_val.* there: proxies\.parquet"):
            tables.accuracy_column(tmp_path, "flowers")
        with pytest.raises(DataError, match="latency"):
            tables.cost_columns(tmp_path, "flowers", "phone")

    def test_a_broken_file_is_named(self, folder: Path) -> None:
        (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
        with pytest.raises(DataError, match=r"parquet file at .*broken\.parquet"):
            tables.devices(folder)

    def test_one_question_with_two_answers_is_refused(self, folder: Path) -> None:
        write(folder / "more.parquet", flowers__toaster_latency=np.zeros(TINY.size))
        with pytest.raises(DataError, match=r"costs\.parquet and .*more\.parquet: remove one"):
            tables.cost_columns(folder, "flowers", "toaster")

    @pytest.mark.parametrize(
        ("texts", "values", "message"),
        [
            (["a", "a"], [1.0, 2.0], "found 1 different ones in 2 rows"),
            (["a", None], [1.0, 2.0], "every architecture once"),
            (["a", "b"], ["fast", "slow"], "expected numbers in column x__y_latency"),
        ],
    )
    def test_rows_that_cannot_be_used_are_refused(
        self, tmp_path: Path, texts: list[str], values: list[object], message: str
    ) -> None:
        file = write(tmp_path / "a.parquet", texts, x__y_latency=values)
        with pytest.raises(DataError, match=message):
            tables.Column(file, "x__y_latency").read()

    def test_an_empty_cell_is_nan(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a.parquet", ["a", "b"], x__y_latency=[1, None])
        values = tables.Column(file, "x__y_latency").read()
        assert values["a"] == 1.0
        assert np.isnan(values["b"])
