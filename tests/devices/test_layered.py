"""A layered device charges the sum of its layers, and only networks that its table covers."""

from pathlib import Path

import pytest

from pelnas.architecture import Cost, Shape
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.devices import devices_in, get_device
from pelnas.devices.layered import LayeredDevice, layer_tables, of_dataset
from pelnas.errors import DataError, DatasetError, DeviceError
from pelnas.spaces import get_space

TINY, FBNET = get_space("tiny"), get_space("fbnet")
HEADER = "device,layer,op_index,op,delta_ms"


def rows(device: str = "phone") -> list[str]:
    """A table of the tiny space: 5 ms, and 10 to the layer times the number of the operation."""
    costs = [
        f"{device},{layer},{number},{op},{10**layer * number}"
        for layer, options in enumerate(TINY.choices)
        for number, op in enumerate(options)
    ]
    return [f"{device},-1,-1,constant,5", *costs]


def write(folder: Path, lines: list[str], name: str = "layers.csv") -> Path:
    (folder / name).write_text("\n".join([HEADER, *lines]) + "\n")
    return folder


def device(folder: Path, name: str = "phone") -> LayeredDevice:
    return LayeredDevice(of_dataset(layer_tables(folder)[name], ""), TINY)


def test_a_network_costs_the_constant_and_each_of_its_layers(tmp_path: Path) -> None:
    made = device(write(tmp_path, rows()))
    assert list(made.costs([TINY.of((0, 0, 0)), TINY.of((1, 2, 3))])) == [Cost(5), Cost(326)]
    assert made.name == "phone"
    assert made.source == "summed over layers from layers.csv"
    assert not made.measures


def test_negative_deltas_are_fine_while_no_network_is_faster_than_nothing(tmp_path: Path) -> None:
    lines = [*rows()[1:-1], "phone,2,4,avg_pool_3x3,-4"]
    with pytest.raises(DataError, match=r"at least 0 ms for device phone .* a network of -4 ms"):
        device(write(tmp_path, lines))
    (cost,) = device(write(tmp_path, ["phone,-1,-1,constant,5", *lines])).costs(
        [TINY.of((0, 0, 4))]
    )
    assert cost == Cost(1)


def energetic(dataset: str, factor: int) -> list[str]:
    """``rows`` with a data set and energies of ``factor`` times the latencies."""
    return [f"{row},{factor * int(row.split(',')[4])},{dataset}" for row in rows()]


def test_energy_is_a_sum_as_well_and_costs_may_hold_for_one_data_set(tmp_path: Path) -> None:
    lines = [f"{HEADER},delta_mj,dataset", *energetic("flowers", 2), *energetic("birds", 3)]
    (tmp_path / "layers.csv").write_text("\n".join(lines) + "\n")
    for dataset, energy in (("flowers", 652), ("birds", 978)):
        config = SearchConfig(device="phone", data=tmp_path, dataset=dataset)
        made = get_device(config, TINY, Shape(10), default_cache())
        assert list(made.costs([TINY.of((1, 2, 3))])) == [Cost(326, energy_mj=energy)]
        assert made.source == f"summed over layers from layers.csv, for {dataset}"
    for dataset in ("", "fish"):
        config = SearchConfig(device="phone", data=tmp_path, dataset=dataset)
        with pytest.raises(DatasetError, match=r"found those for flowers, birds: use one"):
            get_device(config, TINY, Shape(10), default_cache())
    (tmp_path / "layers.csv").write_text(
        "\n".join([*lines[:-1], lines[-1].replace(",1200,", ",,")])
    )
    with pytest.raises(DataError, match=r"delta_mj in every row of device phone .* or in none"):
        layer_tables(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: lines[:-5], "found 2 layers for 3 positions"),
        (lambda lines: lines[:-1], "found no cost of avg_pool_3x3 in layer 2"),
        (lambda lines: [*lines, lines[-1]], "one cost of avg_pool_3x3 in layer 2 .* keep one"),
        (lambda lines: [*lines, "phone,-1,-1,again,5"], "one cost of again in layer -1"),
        (lambda lines: [*lines, "phone,3,0,none,nan"], "layer '3' and delta_ms 'nan': correct"),
        (lambda lines: [*lines, "phone,-2,0,none,1"], "layer '-2' and delta_ms '1': correct"),
        (lambda lines: [*lines, "phone,first,0,none,1"], "layer 'first' and delta_ms '1'"),
        (lambda lines: [*lines, "phone,3"], "2 values in line 18 under 5 columns; replace"),
        (lambda lines: [*lines, 'phone,"3'], "no CSV .*line 18.*; replace"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused_in_one_sentence(
    tmp_path: Path, change: object, complaint: str
) -> None:
    assert callable(change)
    with pytest.raises(DataError, match=complaint) as refusal:
        device(write(tmp_path, change(rows())))
    assert "\n" not in str(refusal.value)


def test_a_device_of_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, rows(), "more.csv")
    with pytest.raises(DataError, match=r"device phone in one table, .*layers.csv and .*more.csv"):
        layer_tables(write(tmp_path, rows()))


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("architecture,accuracy\n1,2\n")
    (tmp_path / "damaged.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.csv").mkdir()
    assert list(layer_tables(write(tmp_path, rows()))) == ["phone"]


def test_the_space_decides_between_a_table_of_layers_and_one_of_networks(
    tiny_tables: Path, tmp_path: Path
) -> None:
    for file in tiny_tables.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write(tmp_path, rows("toy"))
    assert devices_in(tmp_path) == {"tables": ("toy",), "layered": ("toy",)}
    config = SearchConfig(device="toy", data=tmp_path, dataset="toy10")
    by_layer = get_device(config, TINY, Shape(10), default_cache())
    assert by_layer.source == "summed over layers from layers.csv"
    write(tmp_path, [line.replace("skip_connect", "other") for line in rows("toy")])
    assert "looked up in column" in get_device(config, TINY, Shape(10), default_cache()).source


def test_an_unknown_device_and_a_table_of_another_space_are_said(tmp_path: Path) -> None:
    write(tmp_path, rows())
    config = SearchConfig(device="phone", data=tmp_path)
    with pytest.raises(DataError, match=r"position of fbnet for device phone .* 3 layers for 22"):
        get_device(config, FBNET, Shape(10), default_cache())
    with pytest.raises(DeviceError, match=r"unknown device 'fone': .* phone: did you mean 'phone'"):
        get_device(config.model_copy(update={"device": "fone"}), TINY, Shape(10), default_cache())


def test_the_published_costs_fit_the_space_and_sum_up(data_folder: Path) -> None:
    """Eyeriss: 2.788352 ms for skips everywhere, and 0.278528 ms for k3_e6 in the first layer."""
    config = SearchConfig(device="eyeriss", data=data_folder)
    made = get_device(config, FBNET, Shape(100), default_cache())
    skips = [8] * 22
    plain, first = made.costs([FBNET.of(tuple(skips)), FBNET.of((3, *skips[1:]))])
    assert plain.latency_ms == pytest.approx(2.788352)
    assert first.latency_ms == pytest.approx(2.788352 + 0.278528)
