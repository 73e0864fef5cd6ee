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
from pelnas.errors import DataError, DatasetError, DeviceError
from pelnas.importing.found import Imported, Meaning
from pelnas.importing.keep import Choices, import_file, import_files
from pelnas.importing.kept import provenance
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
        assert "not imported: eyeriss_arithmetic_intensity, fbnet pixel3_latency" in found.notes
        columns = tables.cost_columns(tmp_path / "kept", "ImageNet16-120", "raspi4")
        text = CELLS.format(CELLS.at(7))
        assert columns["latency"].read()[text] == 9.0
        assert provenance(Path(found.kept[0]))["source"] == "HW-NAS-Bench-v1_0.pickle"

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
        titles = ["val accuracy, 200 epochs", "test accuracy, 200 epochs"]
        assert [each.metric for each in found.columns] == titles
        assert tables.true_accuracy(tmp_path / "kept", "flowers")[TEXTS[3]] == 40.0
        assert tables.accuracy_column(tmp_path / "kept", "flowers").read()[TEXTS[3]] == 50.3
        (tmp_path / "plain.json").write_text(json.dumps(dict.fromkeys(TEXTS, 60.5)))
        (one,) = imported(tmp_path / "plain.json", Wanted(dataset="birds")).columns
        assert (one.dataset, one.metric, one.unit) == ("birds", titles[0], "percent")


def fbnet_costs(dataset: str, scale: float) -> dict[str, float]:
    """A cost for every key of HW-NAS-Bench's FBNet: ``scale`` times its channels in and out."""
    side, stride, head, classes = {
        "cifar100": (32, 1, 1504, 100),
        "ImageNet": (224, 2, 1984, 1000),
    }[dataset]
    found = {f"ConvNorm_H{side}_W{side}_Cin3_Cout16_kernel3_stride{stride}_group1": scale * 19}
    side, channels = side // stride, 16
    depths = (1, 4, 4, 4, 4, 4, 1)
    for stage, width in enumerate((16, 24, 32, 64, 112, 184, 352)):
        for nth in range(depths[stage]):
            first = (1, 1 if dataset == "cifar100" else 2, 2, 2, 1, 2, 1)[stage]
            stride = 1 if nth else first
            where = f"H{side}_W{side}_Cin{channels}_Cout{width}"
            found[f"Skip_{where}_stride{stride}"] = 0.0
            for kernel in (3, 5):
                for expansion, groups in ((1, 1), (1, 2), (3, 1), (6, 1)):
                    key = f"ConvBlock_{where}_exp{expansion}_kernel{kernel}_stride{stride}"
                    found[f"{key}_group{groups}"] = scale * kernel * expansion * width / groups
            side, channels = side // stride, width
    found[f"ConvNorm_H{side}_W{side}_Cin352_Cout{head}_kernel1_stride1_group1"] = scale * head
    found[f"AvgP_H{side}_W{side}_Cin{head}_Cout{head}_kernel{side}_stride1"] = scale
    found[f"FC_Cin{head}_Cout{classes}"] = scale * classes
    return found


class TestLayersOfTheRelease:
    """The FBNet part: costs by the size of a layer's input, its channels and its operation."""

    def release(self, folder: Path, fbnet: Any = None, cells: Any = None) -> Path:
        both = fbnet_costs("cifar100", 1e-4) | fbnet_costs("ImageNet", 1e-3)
        costs: Any = {
            "pixel3_latency": both,
            "fpga_latency": {key: np.float64(2 * cost) for key, cost in both.items()},
            "fpga_energy": {key: 5 * cost for key, cost in both.items()},
            "eyeriss_energy": both,
            "eyeriss_arithmetic_intensity": both,
        }
        release = {"fbnet": costs | (fbnet or {})}
        if cells is not None:
            release["nasbench201"] = cells
        (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(pickle.dumps(release))
        return folder / "HW-NAS-Bench-v1_0.pickle"

    def cells(self, latency: float = 5.8) -> Any:
        config = [{"arch_str": CELLS.format(CELLS.at(0))}]
        return {"cifar10": {"pixel3_latency": [latency], "config": config}}

    def test_a_network_costs_the_sum_of_its_layers_on_each_data_set(self, tmp_path: Path) -> None:
        found = import_file(self.release(tmp_path), tmp_path / "kept", Wanted(), Choices())
        assert [(e.space, e.dataset, e.device, e.metric) for e in found.columns] == [
            ("fbnet", dataset, *what)
            for what_of in ((("pixel3", "latency"),), (("fpga", "latency"), ("fpga", "energy")))
            for dataset in ("cifar100", "ImageNet")
            for what in what_of
        ]
        left = "eyeriss_energy, fbnet eyeriss_arithmetic_intensity"
        assert any(all(name in note for name in left.split(", ")) for note in found.notes)
        fbnet = get_space("fbnet")
        rng = np.random.default_rng(0)
        for dataset, scale, head, classes in (
            ("cifar100", 1e-4, 1504, 100),
            ("ImageNet", 1e-3, 1984, 1000),
        ):
            architecture = fbnet.sample(rng)
            widths = [16, *[24] * 4, *[32] * 4, *[64] * 4, *[112] * 4, *[184] * 4, 352]
            expected = 19.0 + head + 1 + classes
            for width, name in zip(widths, fbnet.chosen(architecture), strict=True):
                if name != "skip":
                    kernel, expansion = int(name[1]), int(name[4])
                    expected += kernel * expansion * width / (2 if name.endswith("_g2") else 1)
            (cost,) = device(tmp_path / "kept", "fpga", dataset, fbnet).costs([architecture])
            assert cost.latency_ms == pytest.approx(2 * scale * expected)
            assert cost.energy_mj == pytest.approx(5 * scale * expected)
            (cost,) = device(tmp_path / "kept", "pixel3", dataset, fbnet).costs([architecture])
            assert (cost.latency_ms, cost.energy_mj) == (pytest.approx(scale * expected), None)
        with pytest.raises(
            DatasetError, match=r"of fpga for a data set .* cifar100, ImageNet: use"
        ):
            device(tmp_path / "kept", "fpga", "", fbnet)

    def test_both_parts_are_kept_and_the_space_decides(self, tmp_path: Path) -> None:
        file = self.release(tmp_path, cells=self.cells())
        kept = tmp_path / "kept"
        found = import_file(file, kept, Wanted(), Choices())
        assert [Path(each).name for each in found.kept] == [
            "HW-NAS-Bench-v1_0.nasbench201.parquet",
            "HW-NAS-Bench-v1_0-fbnet.layers.csv",
        ]
        by_layer = device(kept, "pixel3", "cifar100", get_space("fbnet"))
        assert by_layer.source.startswith("summed over layers")
        with pytest.raises(DataError, match=r"every architecture of nasbench201"):
            device(kept, "pixel3", "cifar10", CELLS)  # one cell is too few to predict others
        again = import_file(file, kept, Wanted(), Choices())
        assert again.kept == found.kept
        for space, count in (("nasbench201", 1), ("fbnet", 6)):
            only = import_file(file, tmp_path / space, Wanted(), Choices(space))
            assert {each.space for each in only.columns} == {space}
            assert len(only.columns) == count
        listing = {(e.space, e.device, e.dataset, e.metric) for e in listed(kept)}
        assert ("fbnet", "fpga", "ImageNet", "energy per layer") in listing
        assert ("nasbench201", "pixel3", "cifar10", "latency") in listing

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"FC_Cin1504_Cout100": None}, "what is no number at FC_Cin1504_Cout100 in pixel3"),
            ({"FC_Cin1504_Cout100": float("nan")}, "nan in place of a cost of at least 0"),
            ({"FC_Cin1504_Cout100": -1}, "-1 in place of a cost of at least 0"),
            ({"FC_Cin1504_Cout100": 1e308,
              "Skip_H32_W32_Cin16_Cout16_stride1": 1e308}, "whose sum is no number"),
        ],
    )  # fmt: skip
    def test_damaged_costs_are_said_and_nothing_is_kept(
        self, tmp_path: Path, change: Any, said: str
    ) -> None:
        costs = fbnet_costs("cifar100", 1e-4) | change
        file = self.release(tmp_path, {"pixel3_latency": costs}, self.cells())
        with pytest.raises(DataError, match=said) as refused:
            import_file(file, tmp_path / "kept", Wanted(), Choices())
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "kept").exists()

    def test_a_layer_that_is_missing_is_named(self, tmp_path: Path) -> None:
        costs = fbnet_costs("cifar100", 1e-4)
        del costs["Skip_H4_W4_Cin184_Cout352_stride1"]
        file = self.release(tmp_path, {"pixel3_latency": costs})
        with pytest.raises(DataError, match="no cost Skip_H4_W4_Cin184_Cout352_stride1 in pixel3"):
            import_file(file, tmp_path / "kept", Wanted(), Choices())

    def test_a_cell_that_is_wrong_keeps_the_layers_out_too(self, tmp_path: Path) -> None:
        file = self.release(tmp_path, cells=self.cells(-3.0))
        with pytest.raises(DataError, match="found -3 in row 1"):
            import_file(file, tmp_path / "kept", Wanted(), Choices())
        assert not (tmp_path / "kept").exists()

    def test_a_program_among_the_layers_is_refused_and_runs_nothing(self, tmp_path: Path) -> None:
        class Hostile:
            def __reduce__(self) -> Any:
                return (open, (str(tmp_path / "ran"), "w"))

        file = self.release(tmp_path, {"pixel3_latency": {"FC_Cin1504_Cout100": Hostile()}})
        (tmp_path / "ran").unlink(missing_ok=True)
        with pytest.raises(DataError, match=r"would call (_io|io)\.open; replace it"):
            import_file(file, tmp_path / "kept", Wanted(), Choices())
        assert not (tmp_path / "ran").exists()
        assert not (tmp_path / "kept").exists()


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
        schema = parquet.read_schema(found.kept[0])
        assert schema.field("x__pi_latency").metadata == {b"unit": b"ms"}
        assert provenance(Path(found.kept[0])).keys() == {"space", "source", "sha256"}

    def test_the_space_is_found_out(self, tmp_path: Path) -> None:
        file = write(tmp_path, "expand,kernel,layers,se,latency_pi_ms",
                     "6 1 6 6 4 6 4,3 5 3 3 3 5 5,1 3 2 1 2 1 2,0 0 0 0 0 0 1,4.5")  # fmt: skip
        found = import_file(file, tmp_path / "kept", Wanted(), Choices())
        assert found.columns[0].space == "mnasnet"
        table = parquet.read_table(found.kept[0])
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

    def layers(self, folder: Path, *rows: str, header: str = "device,layer,op,delta_ms") -> Path:
        lines = [f"phone,{n},{op},1" for n, options in enumerate(TINY.choices) for op in options]
        return write(folder, header, "phone,-1,constant,5", *lines, *rows)

    def test_costs_per_layer_that_no_search_could_use_are_refused(self, tmp_path: Path) -> None:
        extra = self.layers(tmp_path, "phone,3,none,1")
        for space, said in (
            ("", "one of the spaces .* found 4 layers"),
            ("tiny", "4 layers for 3"),
        ):
            with pytest.raises(DataError, match=said):
                import_file(extra, tmp_path / "kept", Wanted(), Choices(space))
        negative = write(
            tmp_path,
            "device,layer,op,delta_ms",
            *(f"phone,{n},{op},-1" for n, options in enumerate(TINY.choices) for op in options),
        )
        with pytest.raises(DataError, match=r"at least 0 ms for device phone .* of -3 ms"):
            imported(negative)
        with pytest.raises(DataError, match=r"rows of costs per layer .* found none"):
            imported(write(tmp_path, "device,layer,op,delta_ms"))
        assert not (tmp_path / "kept").exists()

    def test_costs_per_layer_in_another_unit_are_warned_of(self, tmp_path: Path) -> None:
        lines = [f"phone,{n},{op},9000" for n, options in enumerate(TINY.choices) for op in options]
        (warning,) = imported(write(tmp_path, "device,layer,op,delta_ms", *lines)).warnings
        assert (
            warning == "device phone takes about 2.7e+04 ms a network: check the unit of board.csv"
        )

    def test_a_device_has_costs_per_layer_once(self, tmp_path: Path) -> None:
        imported(self.layers(tmp_path))
        again = self.layers(tmp_path).rename(tmp_path / "again.csv")
        with pytest.raises(
            DataError, match=r"costs per layer of device phone in .*board\.layers\.csv"
        ):
            imported(again)
        assert [each.name for each in (tmp_path / "kept").iterdir()] == ["board.layers.csv"]

    def test_all_files_of_a_command_or_none(self, tmp_path: Path) -> None:
        good = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS), name="good.csv")
        bad = write(tmp_path, "arch_str,x__tv_latency", f"{TEXTS[0]},-3", name="bad.csv")
        same = write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS), name="same.csv")
        for other, said in (
            (bad, "found -3 in row 1"),
            (same, "x__pi_latency in good.csv already"),
        ):
            with pytest.raises(DataError, match=said):
                import_files([good, other], tmp_path / "kept", Wanted(), Choices("tiny"))
            assert not (tmp_path / "kept").exists()

    def test_a_table_takes_the_place_of_its_own_earlier_one_alone(self, tmp_path: Path) -> None:
        imported(write(tmp_path, "arch_str,x__pi_latency", *rows(COSTS)))
        imported(write(tmp_path, "arch_str,x__pi_latency", *rows([2 * cost for cost in COSTS])))
        (tmp_path / "board.json").write_text(json.dumps(dict.fromkeys(TEXTS, 60.5)))
        imported(tmp_path / "board.json", Wanted(dataset="birds"))
        names = sorted(each.name for each in (tmp_path / "kept").iterdir())
        assert names == ["board-2.tiny.parquet", "board.tiny.parquet"]
        (cost,) = device(tmp_path / "kept", "pi").costs([TINY.at(3)])
        assert cost.latency_ms == 2 * COSTS[3]


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
            (["arch_str,x__pi_latency,x__pi_latency", f"{TEXTS[0]},1,2"], "two columns 'x__pi_la"),
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
            ("a.json", b'{"net": 90, "net": 91}', "'net' twice in one object; replace it"),
            ("a.pickle", b"\x80\x04.", "no pickle of plain data"),
            ("a.pickle", pickle.dumps([1]), "no dict with the keys nasbench201 and fbnet"),
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

    def test_values_that_are_missing_and_tables_that_are_too_small_are_said(
        self, tmp_path: Path
    ) -> None:
        costs = ["nan", "", *COSTS[2:]]
        found = imported(write(tmp_path, "arch_str,x__pi_latency", *rows(costs)))
        assert found.notes == ("x__pi_latency: 2 values are empty or NaN: not measured",)
        assert found.columns[0].networks == 123
        file = write(tmp_path, "arch_str,x__tv_latency", *rows(COSTS)[:9], name="few.csv")
        found = imported(file)
        assert found.notes == ("9 of 125 networks of tiny",)
        assert found.warnings == (
            "x__tv_latency has 9 networks with a value; a search needs 10 to predict the others"
            " from: measure more",
        )

    def test_a_device_that_can_run_nothing_is_refused(self, tmp_path: Path) -> None:
        file = write(tmp_path, "arch_str,x__pi_latency", *rows([-1] * len(TEXTS)))
        with pytest.raises(DataError, match=r"that pi can run in column x__pi_latency .* found -1"):
            imported(file)
        assert not (tmp_path / "kept").exists()

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
        assert not any(costs[i].extrapolated for i in self.some)

    def test_what_is_far_from_all_that_was_measured_is_extrapolated(self, tmp_path: Path) -> None:
        ops = [set(TINY.at(index).genes) for index in range(TINY.size)]
        near = [i for i in range(TINY.size) if ops[i] <= {0, 1, 2}]
        file = write(tmp_path, "arch_str,x__pi_latency", *(f"{TEXTS[i]},{COSTS[i]}" for i in near))
        imported(file)
        costs = list(device(tmp_path / "kept", "pi").costs([TINY.at(i) for i in range(TINY.size)]))
        assert not any(costs[i].extrapolated for i in near)
        far = [i for i in range(TINY.size) if ops[i] == {3, 4}]
        assert all(costs[i].extrapolated for i in far)

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
        assert (one.unit, one.networks, one.size, one.coverage) == ("ms", 50, 125, 0.4)
        assert run(["data", "list", "--data", str(tmp_path / "kept"), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["columns"][0]["source"] == "board.csv"
        assert run(["data", "list"]) == 0
        assert "no tables in" in capsys.readouterr().out

    def test_each_device_and_metric_has_a_coverage_of_its_own(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        latency = [-1.0, *COSTS[1:]]
        energy = [*COSTS[:25], *[""] * 100]
        header = "arch_str,x__pi_latency,x__pi_energy,x_val_acc_200"
        file = write(tmp_path, header, *rows(latency, energy, [50.0] * 125))
        imported(file)
        kept = str(tmp_path / "kept")
        assert run(["data", "list", "--data", kept, "--json"]) == 0
        columns = json.loads(capsys.readouterr().out)["columns"]
        coverages = [(e["metric"], e["networks"], e["coverage"], e["infeasible"]) for e in columns]
        assert coverages == [
            ("latency", 125, 1.0, 1),
            ("energy", 25, 0.2, 0),
            ("val accuracy, 200 epochs", 125, 1.0, 0),
        ]
        assert {each["size"] for each in columns} == {125}
        assert run(["data", "list", "--data", kept]) == 0
        shown = capsys.readouterr().out
        assert "20 %" in shown
        assert "cannot run" in shown

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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "layers"])
def test_a_device_and_a_data_set_that_nobody_has_heard_of_are_searched_and_exported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    monkeypatch.setenv("PELNAS_TABLES", str(tmp_path / "mine"))
    accuracies = [50 + index / 10 for index in range(TINY.size)]
    columns = {"arch_str": TEXTS, "moths__abacus_latency": COSTS, "moths_val_acc_200": accuracies}
    listing = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    files = [tmp_path / f"table.{kind}"]
    match kind:
        case "parquet":
            parquet.write_table(pa.table(columns), files[0])
        case "json":
            files[0].write_text(json.dumps(listing))
        case "csv":
            write(tmp_path, ",".join(columns), *rows(COSTS, accuracies), name="table.csv")
        case _:
            layers = [
                f"abacus,{n},{op},{place},moths"
                for n, options in enumerate(TINY.choices)
                for place, op in enumerate(options)
            ]
            header = "device,layer,op,delta_ms,dataset"
            constant = "abacus,-1,constant,1,moths"
            files = [
                write(tmp_path, header, constant, *layers, name="layers.csv"),
                write(tmp_path, "arch_str,moths_val_acc_200", *rows(accuracies), name="acc.csv"),
            ]
    assert run(["data", "import", *map(str, files), "--space", "tiny"]) == 0
    output = ["--output", str(tmp_path / "runs")]
    searched = ["search", "--space", "tiny", "--device", "abacus", "--dataset", "moths"]
    small = ["--accuracy", "table", "--rounds", "2", "--per-niche", "3", "--knowledge", "off"]
    assert run([*searched, *small, "--name", kind, *output]) == 0
    capsys.readouterr()
    assert run(["front", kind, "--json", *output]) == 0
    front = json.loads(capsys.readouterr().out)["front"]
    for point in front:
        assert point["latency_ms"] == COSTS[TEXTS.index(point["architecture"])]
        assert point["score"] == accuracies[TEXTS.index(point["architecture"])]
    assert run(["export", kind, "best", "--to", str(tmp_path / "winner"), *output]) == 0
    assert (tmp_path / "winner" / "model.onnx").is_file()


def test_names_of_kept_columns_are_those_that_tables_are_found_by() -> None:
    assert Meaning("latency", "x", "pi").column == "x__pi_latency"
    assert Meaning("accuracy", "x", split="val", epochs=200).column == "x_val_acc_200"
