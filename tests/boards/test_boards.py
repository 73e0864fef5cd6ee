"""From a folder of networks to a device of what a board answered."""

import ast
import csv
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pelnas.app.main import run
from pelnas.architecture import Shape
from pelnas.boards import stand_alone
from pelnas.boards.fit import fit_board
from pelnas.boards.manifest import informative_networks, read_manifest, write_folder
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.devices import get_device
from pelnas.errors import DataError
from pelnas.runtimes import litert
from pelnas.runtimes.deployed import Deployed, level
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
    manifest = {"version": 1, "space": "tiny", "networks": networks}
    (folder / "manifest.json").write_text(json.dumps(manifest))
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
        (row,), level = stand_alone._measured(tmp_path, [network], None, None, options)
        assert row["median_ms"] == -1
        assert row["problem"]
        assert level is None

    def test_latencies_are_on_the_scale_of_the_first_group(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        import argparse
        import hashlib

        now, slowness = [0.0], [1.0]

        def opened(content: bytes, *_: object) -> Callable[[], None]:
            def run() -> None:
                now[0] += slowness[0] * float(content) / 1000

            return run

        monkeypatch.setattr(stand_alone, "_opened", opened)
        monkeypatch.setattr(stand_alone.time, "thread_time", lambda: now[0])
        networks = []
        for name, content in (("a", b"2"), ("b", b"6")):
            (tmp_path / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            networks.append({"architecture": name, "file": name, "pixels": [], "sha256": digest})
        options = argparse.Namespace(threads=1, warmup=1, repeats=3)
        reference = stand_alone._reference(tmp_path, networks, 1)
        assert reference is not None
        first, level = stand_alone._measured(tmp_path, networks, reference, None, options)
        assert level == pytest.approx(2)
        slowness[0] = 1.5
        second, level = stand_alone._measured(tmp_path, networks, reference, level, options)
        for rows in (first, second):
            assert [float(row["median_ms"]) for row in rows] == pytest.approx([2, 6])

    @pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
    def test_quantiles_are_those_of_numpy(self, share: float) -> None:
        values = [5.0, 1.0, 2.5, 9.0, 4.0, 3.0]
        assert stand_alone._quantile(values, share) == pytest.approx(np.quantile(values, share))

    def test_the_script_needs_no_pelnas(self) -> None:
        tree = ast.parse(Path(stand_alone.__file__).read_text())
        names = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        beyond = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
        assert beyond == {"ai_edge_litert", "numpy", "onnxruntime"}

    def test_files_of_litert_are_measured_by_litert(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A convolution that litert-torch 0.10 converted, for images of 8 pixels."""
        pytest.importorskip("ai_edge_litert")
        sample = Path(__file__).with_name("convolution.tflite").read_bytes()
        networks = []
        for name, content in (("0000.tflite", sample), ("0001.tflite", b"no network")):
            (tmp_path / name).write_bytes(content)
            networks.append(
                {"architecture": name, "file": name, "pixels": [3, 8, 8],
                 "sha256": hashlib.sha256(content).hexdigest()}
            )  # fmt: skip
        (tmp_path / "manifest.json").write_text(json.dumps({"networks": networks}))
        arguments = ["measure.py", "--folder", str(tmp_path), "--repeats", "3", "--warmup", "1"]
        monkeypatch.setattr(sys, "argv", arguments)
        stand_alone.main()
        with (tmp_path / "results.csv").open(newline="") as file:
            good, bad = csv.DictReader(file)
        assert float(good["median_ms"]) > 0
        assert good["runtime"].startswith("ai-edge-litert ")
        assert (bad["median_ms"], bool(bad["problem"])) == ("-1", True)

    def test_a_converted_network_computes_what_the_network_computes(self) -> None:
        pytest.importorskip("litert_torch", reason="litert-torch has an environment of its own")
        from ai_edge_litert.interpreter import Interpreter

        network = Deployed(TINY, TINY.of((3, 4, 1)), SMALL)
        interpreter = Interpreter(model_content=litert.measurable(network))
        interpreter.allocate_tensors()
        (images,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
        assert images["shape"].tolist() == [1, 8, 8, 3]
        pixels = np.random.default_rng(0).standard_normal((1, 8, 8, 3), np.float32)
        interpreter.set_tensor(images["index"], pixels)
        interpreter.invoke()
        built = network.build()
        level(built)
        with torch.no_grad():
            wanted = built(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(interpreter.get_tensor(logits["index"]), wanted, atol=1e-4)

    def test_without_its_converter_the_way_out_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(litert, "CONVERTER", "no_such_converter")
        words = ["device", "measure", "--space", "tiny", "--export", str(tmp_path / "board")]
        assert run([*words, "--format", "tflite", "--count", "10"]) == 2
        assert "where pelnas and litert-torch can be imported" in capsys.readouterr().err
        assert not (tmp_path / "board" / "manifest.json").exists()

    def test_a_row_that_was_cut_off_without_an_end_does_not_spoil_the_next_one(
        self, tmp_path: Path
    ) -> None:
        rows = [",".join(["x"] * len(stand_alone.COLUMNS)) for _ in range(2)]
        whole = "\n".join([",".join(stand_alone.COLUMNS), rows[0]]) + "\n"
        (tmp_path / "results.csv").write_text(whole + rows[1][:5])
        assert len(stand_alone._whole(tmp_path / "results.csv")) == 1
        assert (tmp_path / "results.csv").read_text().splitlines() == whole.splitlines()

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
            ({"median_ms": "nan"}, "above 0, or -1, in column median_ms .* found 'nan'"),
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

    def test_rows_that_name_a_network_again_are_refused(self, tmp_path: Path) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        lines = results.read_text().splitlines()
        results.write_text("\n".join([*lines, lines[1]]) + "\n")
        with pytest.raises(DataError, match=r"once in .* found 1 rows that name one again: remove"):
            fit_board(results, "pi", tmp_path / "kept", SMALL)

    def test_nothing_is_kept_of_a_board_that_makes_no_device(self, tmp_path: Path) -> None:
        results = write_results(plain_folder(tmp_path / "board"))
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "damaged.parquet").write_bytes(b"PAR1")
        with pytest.raises(DataError, match=r"a parquet file at .*damaged\.parquet"):
            fit_board(results, "pi", tmp_path / "kept", SMALL)
        assert [each.name for each in (tmp_path / "kept").iterdir()] == ["damaged.parquet"]

    @pytest.mark.parametrize(
        "content",
        [
            None,
            "{",
            "[]",
            '{"version": 1, "space": "tiny", "networks": [{"architecture": "x", "file": "x",'
            ' "sha256": "x", "pixels": ["wide"]}]}',
            '{"version": 9}',
            '{"version": 1}',
        ],
    )
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
