"""Files that people have become tables that a search looks up, whole or not at all."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas import tables
from pelnas.app.main import run
from pelnas.architecture import Shape
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.devices import get_device
from pelnas.devices.partial import PartialDevice
from pelnas.errors import DataError, DeviceError
from pelnas.importing.found import Imported, Meaning
from pelnas.importing.keep import Choices, import_file, provenance
from pelnas.importing.listing import listed
from pelnas.importing.readers import Wanted
from pelnas.spaces import get_space

TINY, CELLS = get_space("tiny"), get_space("nasbench201")
TEXTS = [TINY.format(TINY.at(index)) for index in range(TINY.size)]
COSTS = [1.0 + sum(TINY.at(index).genes) for index in range(TINY.size)]


def imported(path: Path, wanted: Wanted | None = None, **choices: Any) -> Imported:
    return import_file(path, path.parent / "kept", wanted or Wanted(), Choices("tiny", **choices))


def write(folder: Path, *lines: str, name: str = "board.csv") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def rows(*columns: list[Any]) -> list[str]:
    return [",".join(map(str, row)) for row in zip(TEXTS, *columns, strict=True)]


def device(folder: Path, name: str, dataset: str = "", space: Any = TINY) -> Any:
    config = SearchConfig(device=name, dataset=dataset, data=folder)
    return get_device(config, space, Shape(), default_cache())


class TestOfficialFiles:
    def official(self, folder: Path, **changes: Any) -> Path:
        """Three cells in the shape of the official release."""
        texts = [CELLS.format(CELLS.at(place)) for place in (0, 7, 99)]
        metrics: dict[str, Any] = {
            "edgegpu_latency": [5.8, 3.0, 4.0],
            "edgegpu_energy": [24.2, 20.0, 21.0],
            "edgetpu_latency": [0.9, -1, 1.1],
            "raspi4_latency": np.array([10.4, 9.0, 8.0]),
            "eyeriss_arithmetic_intensity": [1.0, 2.0, 3.0],
            "config": [{"arch_str": each, "C": 16, "N": 5, "num_classes": 10} for each in texts],
        }
        release = {
            "nasbench201": {"cifar10": metrics | changes, "ImageNet16-120": metrics | changes},
            "fbnet": {"pixel3_latency": {"a layer": 0.1}},
        }
        (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(pickle.dumps(release))
        return folder / "HW-NAS-Bench-v1_0.pickle"

    def test_the_release_is_taken_in(self, tmp_path: Path) -> None:
        found = import_file(self.official(tmp_path), tmp_path / "kept", Wanted(), Choices())
        assert {(each.space, each.dataset) for each in found.columns} == {
            ("nasbench201", "cifar10"),
            ("nasbench201", "ImageNet16-120"),
        }
        by_name = {(e.dataset, e.device, e.metric): e for e in found.columns}
        assert by_name["cifar10", "edgetpu", "latency"].infeasible == 1
        assert by_name["cifar10", "edgegpu", "energy"].unit == "mJ"
        assert "not imported: eyeriss_arithmetic_intensity, fbnet" in found.notes
        columns = tables.cost_columns(tmp_path / "kept", "ImageNet16-120", "raspi4")
        text = CELLS.format(CELLS.at(7))
        assert columns["latency"].read()[text] == 9.0
        assert provenance(Path(found.kept))["source"] == "HW-NAS-Bench-v1_0.pickle"

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"config": None}, "no list config of dicts for cifar10"),
            ({"config": [{}, {}, {}]}, "without arch_str"),
            ({"edgegpu_latency": [1.0]}, "no 3 numbers in edgegpu_latency of cifar10"),
            ({"edgegpu_latency": ["a", 1, 2]}, "what is no number in edgegpu_latency"),
            ({"edgegpu_latency": [[1], [2], [3]]}, "no plain list of numbers"),
        ],
    )
    def test_another_shape_is_said(self, tmp_path: Path, changes: Any, said: str) -> None:
        with pytest.raises(DataError, match=said):
            import_file(self.official(tmp_path, **changes), tmp_path / "kept", Wanted(), Choices())
        assert not (tmp_path / "kept").exists()

    def test_a_hostile_pickle_is_refused_and_runs_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "x.pickle").write_bytes(
            b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
        )
        with pytest.raises(DataError, match=r"would call os\.system; replace it"):
            imported(tmp_path / "x.pickle")
        assert not (tmp_path / "ran").exists()

    def test_accuracies_by_text(self, tmp_path: Path) -> None:
        named = {
            text: {"flowers_val_acc_200": 50 + place / 10, "flowers_test_acc": 40.0}
            for place, text in enumerate(TEXTS)
        }
        (tmp_path / "nats.json").write_text(json.dumps(named))
        found = imported(tmp_path / "nats.json")
        assert [each.metric for each in found.columns] == ["accuracy", "accuracy"]
        assert tables.true_accuracy(tmp_path / "kept", "flowers")[TEXTS[3]] == 40.0
        assert tables.accuracy_column(tmp_path / "kept", "flowers").read()[TEXTS[3]] == 50.3
        (tmp_path / "plain.json").write_text(json.dumps(dict.fromkeys(TEXTS, 60.5)))
        (one,) = imported(tmp_path / "plain.json", Wanted(dataset="birds")).columns
        assert (one.dataset, one.metric, one.unit) == ("birds", "accuracy", "percent")


class TestRows:
    def test_names_of_columns_say_what_they_hold(self, tmp_path: Path) -> None:
        file = write(
            tmp_path,
            "arch_str,latency_a_us,throughput_b_ips,flowers__c_energy,flowers__c_latency,note",
            *(f"{line},x" for line in rows(COSTS, [100.0] * 125, COSTS, COSTS)),
        )
        found = imported(file, Wanted(dataset="flowers"))
        assert [(each.device, each.metric) for each in found.columns] == [
            *(("a", "latency"), ("b-throughput", "latency"), ("c", "energy"), ("c", "latency")),
        ]
        assert "not imported: note" in found.notes
        kept = tmp_path / "kept"
        assert next(iter(device(kept, "b-throughput").costs([TINY.at(3)]))).latency_ms == 10.0
        (cost,) = device(kept, "a").costs([TINY.at(3)])
        assert cost.latency_ms == pytest.approx(COSTS[3] / 1000)
        (cost,) = device(kept, "c").costs([TINY.at(3)])
        assert cost.energy_mj == COSTS[3]

    def test_a_person_names_columns_and_units(self, tmp_path: Path) -> None:
        file = write(
            tmp_path, "net,t", *(f"{t},{c / 1000}" for t, c in zip(TEXTS, COSTS, strict=True))
        )
        wanted = Wanted("net", "flowers", "s", (("latency", "pi", "t"),))
        (one,) = imported(file, wanted).columns
        assert (one.device, one.networks, one.coverage) == ("pi", 125, 1.0)
        (cost,) = device(tmp_path / "kept", "pi").costs([TINY.at(9)])
        assert cost.latency_ms == pytest.approx(COSTS[9])

    def test_parquet_and_the_unit_of_every_column(self, tmp_path: Path) -> None:
        table = pa.table({"arch_str": TEXTS, "x__pi_latency": COSTS})
        parquet.write_table(table, tmp_path / "mine.parquet")
        found = imported(tmp_path / "mine.parquet", complete=True)
        schema = parquet.read_schema(found.kept)
        assert schema.field("x__pi_latency").metadata == {b"unit": b"ms"}
        assert provenance(Path(found.kept)).keys() == {"space", "source", "sha256"}

    def test_the_space_is_found_out(self, tmp_path: Path) -> None:
        file = write(tmp_path, "expand,kernel,layers,se,latency_pi_ms",
                     "6 1 6 6 4 6 4,3 5 3 3 3 5 5,1 3 2 1 2 1 2,0 0 0 0 0 0 1,4.5")  # fmt: skip
        found = import_file(file, tmp_path / "kept", Wanted(), Choices())
        assert found.columns[0].space == "mnasnet"
        table = parquet.read_table(found.kept)
        assert table["arch_str"].to_pylist() == [
            "e6k3n1/e1k5n3/e6k3n2/e6k3n1/e4k3n2/e6k5n1/e4k5n2s"
        ]

    def test_costs_per_layer_are_kept_as_they_are(self, tmp_path: Path) -> None:
        lines = [
            f"phone,{layer},{op},1" for layer, options in enumerate(TINY.choices) for op in options
        ]
        file = write(tmp_path, "device,layer,op,delta_ms", "phone,-1,constant,5", *lines)
        (one,) = imported(file).columns
        assert (one.device, one.space) == ("phone", "tiny")
        assert next(iter(device(tmp_path / "kept", "phone").costs([TINY.at(0)]))).latency_ms == 8.0


class TestBadInput:
    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (["arch_str,x__pi_latency"], "expected rows of networks"),
            (["name,x__pi_latency", "a,1"], r"no column of networks .*--architectures"),
            (["arch_str,speed", f"{TEXTS[0]},1"], r"no column of costs .*--latency DEVICE=COLUMN"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},fast"], r"'fast' in place of a number .* row 1"),
            (["arch_str,x__pi_latency", "junk,1"], "networks of tiny .* found in row 1"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},1", f"{TEXTS[0]},2"],
             "found 1 rows that name one again: .*--duplicates first"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},0"], "above 0 .* found 0 in row 1 and 1 such"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},1", f"{TEXTS[1]},-3"], "found -3 in row 2"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},inf"], "found no|found inf|found none"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},nan"], "expected numbers for x__pi_latency"),
            (["arch_str,x_val_acc_200", f"{TEXTS[0]},0.93", f"{TEXTS[1]},101"], "percent"),
            (["arch_str,x__pi_latency", f"{TEXTS[0]},1,2"], "3 values in line 2 under 2 columns"),
        ],
    )  # fmt: skip
    def test_one_sentence_and_nothing_is_kept(
        self, tmp_path: Path, lines: list[str], said: str
    ) -> None:
        file = write(tmp_path, *lines)
        with pytest.raises(DataError, match=said):
            imported(file)
        assert not (tmp_path / "kept").exists()

    def test_other_and_damaged_files(self, tmp_path: Path) -> None:
        for name, content, said in (
            ("a.xlsx", b"PK", r"ends with \.pickle, .* found 'a\.xlsx'"),
            ("a.parquet", b"PAR1 and no more", "expected a parquet file of networks"),
            ("a.json", b"[1, 2]", "neither a dict by arch_str nor a list of rows"),
            ("a.json", b"{", "no JSON"),
            ("a.pickle", b"\x80\x04.", "no pickle of plain data"),
            ("a.pickle", pickle.dumps([1]), "no dict with the key nasbench201"),
        ):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(DataError, match=said):
                imported(tmp_path / name)
        with pytest.raises(DataError, match="No such file"):
            imported(tmp_path / "absent.csv")
        assert not (tmp_path / "kept").exists()

    def test_rows_that_name_a_network_again_may_be_left_out(self, tmp_path: Path) -> None:
        file = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS), f"{TEXTS[0]},7")
        found = imported(file, duplicates="first")
        assert "1 rows that name a network again were left out" in found.notes
        column = tables.cost_columns(tmp_path / "kept", "x", "pi")["latency"]
        assert column.read()[TEXTS[0]] == COSTS[0]

    def test_a_table_that_lacks_networks_is_refused_where_that_is_asked(
        self, tmp_path: Path
    ) -> None:
        file = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS)[:100])
        with pytest.raises(
            DataError, match=r"all 125 networks of tiny .* found 100: 25 are missing"
        ):
            imported(file, complete=True)
        found = imported(file)
        assert any("100 of 125 networks of tiny" in note for note in found.notes)

    def test_a_unit_wrong_by_a_thousand_is_warned_of(self, tmp_path: Path) -> None:
        good = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS), name="good.csv")
        assert imported(good).warnings == ()
        for scale in (1e-3, 1e3):
            scaled = [scale * cost for cost in COSTS]
            file = write(tmp_path, "arch_str,x__tv_latency", *rows(scaled), name="bad.csv")
            (warning,) = imported(file).warnings
            assert "check the unit" in warning
            assert "on other devices" in warning
            (tmp_path / "kept" / "bad.tiny.parquet").unlink()


class TestPartialTables:
    def folder(self, tmp_path: Path, count: int = 60) -> Path:
        rng = np.random.default_rng(0)
        some = rng.permutation(TINY.size)[:count].tolist()
        cells = [f"{TEXTS[i]},{COSTS[i]},{10 * COSTS[i]}" for i in some]
        cells[0] = f"{TEXTS[some[0]]},-1,"
        file = write(tmp_path, "arch_str,x__pi_latency,x__pi_energy", *cells)
        imported(file)
        self.first, self.some = some[0], some
        return tmp_path / "kept"

    def test_what_was_measured_is_looked_up_and_the_rest_predicted(self, tmp_path: Path) -> None:
        found = device(self.folder(tmp_path), "pi")
        assert isinstance(found, PartialDevice)
        costs = list(found.costs([TINY.at(i) for i in range(TINY.size)]))
        assert costs[self.first].latency_ms is None
        assert [costs[i].latency_ms for i in self.some[1:]] == [COSTS[i] for i in self.some[1:]]
        rest = [i for i in range(TINY.size) if i not in self.some]
        errors = [abs(costs[i].latency_ms / COSTS[i] - 1) for i in rest]
        assert np.median(errors) < 0.05
        assert np.median([abs(costs[i].energy_mj / COSTS[i] / 10 - 1) for i in rest]) < 0.05
        assert all(costs[i].spread_ms > 0 for i in rest)
        assert {costs[i].spread_ms for i in self.some} == {0.0}
        assert "for 60 networks and predicted from them for others (held-out error" in found.source
        assert not any(found.extrapolated([TINY.at(i) for i in self.some]))

    def test_too_few_are_no_device(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="found 9 of 125"):
            device(self.folder(tmp_path, 9), "pi")


class TestFolder:
    def test_searches_find_imported_tables(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PELNAS_TABLES", str(tmp_path / "mine"))
        config = SearchConfig(device="pi")
        with pytest.raises(DeviceError, match="found no folder of tables"):
            get_device(config, TINY, Shape(), default_cache())
        file = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS))
        assert run(["data", "import", str(file), "--space", "tiny"]) == 0
        assert get_device(config, TINY, Shape(), default_cache()).name == "pi"
        assert tables.folder_of(tmp_path) == tmp_path
        capsys.readouterr()
        assert run(["devices", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tables"] == ["pi"]

    def test_the_list_has_units_and_coverage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS)[:50])
        imported(file)
        (one,) = listed(tmp_path / "kept")
        assert (one.space, one.dataset, one.device, one.metric) == ("tiny", "x", "pi", "latency")
        assert (one.unit, one.networks, one.coverage) == ("ms", 50, 0.4)
        assert run(["data", "list", "--data", str(tmp_path / "kept"), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["columns"][0]["source"] == "board.csv"
        assert run(["data", "list"]) == 0
        assert "no tables in" in capsys.readouterr().out

    def test_nothing_is_left_of_a_write_that_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(parquet, "write_table", fails)
        with pytest.raises(OSError, match="no space"):
            imported(write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS)))
        assert list((tmp_path / "kept").iterdir()) == []

    def test_options_that_cannot_be_read_are_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["data", "import", "a.csv", "--latency", "pi"]) == 2
        assert "expected --latency DEVICE=COLUMN, found 'pi'" in capsys.readouterr().err
        assert run(["data", "import", "a.csv", "--accuracy", "train=x"]) == 2
        assert "val=COLUMN or test=COLUMN" in capsys.readouterr().err


def test_names_of_kept_columns_are_those_that_tables_are_found_by() -> None:
    assert Meaning("latency", "x", "pi").column == "x__pi_latency"
    assert Meaning("accuracy", "x", split="val", epochs=200).column == "x_val_acc_200"
