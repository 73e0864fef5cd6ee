"""From a folder of networks to a device of what a board answered."""

import ast
import csv
import json
import sys
from pathlib import Path

import pytest

from pelnas.app.main import run
from pelnas.architecture import Shape
from pelnas.boards import stand_alone
from pelnas.boards.fit import fit_board
from pelnas.boards.manifest import informative_networks, read_manifest, write_folder
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.devices import get_device
from pelnas.errors import DataError
from pelnas.spaces import get_space

TINY = get_space("tiny")
SMALL = Shape.square(4, 8)


def write_results(folder: Path, **changes: str) -> Path:
    """What a board with 1 ms a network and 1 ms for each operation's number would answer."""
    manifest = read_manifest(folder)
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, stand_alone.COLUMNS, restval="x")
        writer.writeheader()
        for network in manifest.networks:
            genes = TINY.parse(network.architecture).genes
            row = {"architecture": network.architecture, "sha256": network.sha256}
            row |= {"manifest": manifest.sha256, "median_ms": str(1 + sum(genes))}
            writer.writerow(row | changes)
    return folder / "results.csv"


def plain_folder(folder: Path, count: int = 40) -> Path:
    """A manifest without networks, which fitting does not read."""
    folder.mkdir()
    networks = [
        {"architecture": TINY.format(each), "file": "x", "sha256": str(n), "pixels": [3, 8, 8]}
        for n, each in enumerate(informative_networks(TINY, SMALL, count, seed=0))
    ]
    told = {"version": 1, "space": "tiny", "networks": networks}
    (folder / "manifest.json").write_text(json.dumps(told))
    return folder


class TestThere:
    def test_a_folder_is_measured_where_it_is_and_goes_on_where_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        networks = informative_networks(TINY, SMALL, 3, seed=0)
        written = list(write_folder(tmp_path, TINY, SMALL, networks, default_cache()))
        assert len({each.sha256 for each in written}) == 3
        assert (tmp_path / "measure.py").read_text() == Path(stand_alone.__file__).read_text()
        monkeypatch.setattr(
            sys,
            "argv",
            ["measure.py", "--folder", str(tmp_path), "--repeats", "3", "--warmup", "1"],
        )
        stand_alone.main()
        lines = (tmp_path / "results.csv").read_text().splitlines()
        assert len(lines) == 4
        (tmp_path / "results.csv").write_text("\n".join([*lines[:3], lines[3][:40]]) + "\n")
        capsys.readouterr()
        stand_alone.main()
        assert "2 networks measured, 1 to go" in capsys.readouterr().out
        (tmp_path / written[0].file).write_bytes(b"another file")
        (tmp_path / "results.csv").unlink()
        with pytest.raises(SystemExit, match=r"not the file of the manifest"):
            stand_alone.main()

    def test_a_network_that_the_runtime_refuses_is_a_row(self, tmp_path: Path) -> None:
        import argparse
        import hashlib

        (tmp_path / "a.onnx").write_bytes(b"no network")
        network = {"architecture": "x", "file": "a.onnx", "pixels": [3, 8, 8]}
        network["sha256"] = hashlib.sha256(b"no network").hexdigest()
        options = argparse.Namespace(threads=1, warmup=1, repeats=3)
        row = stand_alone._measured(tmp_path, network, options)
        assert row["median_ms"] == -1
        assert row["problem"]

    def test_the_script_needs_no_pelnas(self) -> None:
        tree = ast.parse(Path(stand_alone.__file__).read_text())
        names = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        beyond = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
        assert beyond == {"numpy", "onnxruntime"}

    def test_a_manifest_is_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_text("{}")
        with pytest.raises(DataError, match=r"expected no manifest\.json in"):
            list(write_folder(tmp_path, TINY, SMALL, [], default_cache()))


class TestHere:
    def test_answers_become_a_device(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        monkeypatch.setenv("PELNAS_TABLES", str(tmp_path / "mine"))
        assert run(["device", "fit", str(results), "--name", "myboard"]) == 0
        assert "myboard: held-out error" in capsys.readouterr().out
        for dataset in ("", "cifar10"):  # of any data set
            config = SearchConfig(device="myboard", dataset=dataset)
            device = get_device(config, TINY, SMALL, default_cache())
            (cost,) = device.costs([TINY.of((4, 4, 4))])
            assert cost.latency_ms == pytest.approx(13, rel=0.2)
        assert run(["data", "list", "--json"]) == 0
        (column,) = json.loads(capsys.readouterr().out)["columns"]
        assert (column["device"], column["networks"]) == ("myboard", 40)

    def test_networks_that_are_refused_or_missing_are_counted(self, tmp_path: Path) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        lines = results.read_text().splitlines()
        cells = lines[1].split(",")
        cells[stand_alone.COLUMNS.index("median_ms")] = "-1"
        results.write_text("\n".join([lines[0], ",".join(cells), *lines[2:30]]) + "\n")
        found = fit_board(results, "pi", tmp_path / "kept", SMALL)
        assert (found.measured, found.refused, found.missing) == (28, 1, 11)
        assert found.held_out is not None
        assert found.held_out.spearman > 0.8

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"sha256": "other"}, "found 40 rows of other files"),
            ({"manifest": "other"}, "found 40 rows of other files"),
            ({"architecture": TINY.format(TINY.at(0))}, "rows of other files"),
            ({"median_ms": "0"}, "above 0, or -1, in column median_ms .* found '0'"),
            ({"median_ms": "fast"}, "found 'fast'"),
            ({"median_ms": "-1"}, "at least 10 measured networks in .* found 0"),
        ],
    )
    def test_other_answers_are_refused_and_nothing_is_kept(
        self, tmp_path: Path, changes: dict[str, str], said: str
    ) -> None:
        results = write_results(plain_folder(tmp_path / "board"), **changes)
        with pytest.raises(DataError, match=said):
            fit_board(results, "pi", tmp_path / "kept", SMALL)
        assert not (tmp_path / "kept").exists()

    @pytest.mark.parametrize("content", [None, "{", "[]", '{"version": 9}', '{"version": 1}'])
    def test_results_need_their_manifest(self, tmp_path: Path, content: str | None) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        (tmp_path / "board" / "manifest.json").unlink()
        if content is not None:
            (tmp_path / "board" / "manifest.json").write_text(content)
        with pytest.raises(DataError, match=r"expected the manifest\.json of"):
            fit_board(results, "pi", tmp_path / "kept", SMALL)

    def test_names_that_are_taken_are_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        for name in ("host", "my board", "../x"):
            assert run(["device", "fit", str(results), "--name", name]) == 2
            assert "expected a new name" in capsys.readouterr().err
