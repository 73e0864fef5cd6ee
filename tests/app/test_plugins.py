"""What other packages bring: found by their metadata, used by name, and harmless where broken."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pelnas import Search, SearchConfig, load_config
from pelnas.app import options
from pelnas.cache import Cache, default_cache
from pelnas.config import Scoring
from pelnas.devices import get_device, known_devices
from pelnas.errors import ConfigError, DeviceError, PelnasError, ProxyError, SpaceError
from pelnas.graph.runs.replay import replay
from pelnas.images import load_images
from pelnas.plugins import code_digest
from pelnas.predictors import get_predictor, known_predictors
from pelnas.proxies.engine import score_network
from pelnas.proxies.scoring import ProxyScores
from pelnas.proxies.table import known_proxies
from pelnas.recording import open_recording
from pelnas.spaces import PLUGINS, get_space, known_spaces

Pelnas = Callable[..., Any]

SOUND = '''
from pelnas.architecture import Cost, Prediction
from pelnas.devices import Device
from pelnas.errors import DeviceError
from pelnas.predictors import AccuracyPredictor
from pelnas.proxies.table import Proxy
from pelnas.spaces import Tiny

class AcmeTiny(Tiny):
    name = "acme-tiny"

class Phone(Device):
    name = "acme-phone"
    source = "counted by acme"

    def __init__(self, config, space, shape, cache):
        if config.seed == 99:
            raise DeviceError("the phone is not plugged in: plug it in")
        self.flops = lambda architecture: space.flops(architecture, shape)

    def costs(self, architectures):
        return (Cost(self.flops(each) / 1e6) for each in architectures)

class Depth(AccuracyPredictor):
    name, unit, source = "acme-depth", "depth", "counted by acme"

    def __init__(self, config, space, images, cache, labels):
        self.space = space

    def predict(self, architectures):
        return (Prediction(self.space.features(each)["depth"]) for each in architectures)

def _weights(passes):
    """How many tensors of weights there are."""
    return float(len(list(passes.network.parameters())))

weights = Proxy("acme-weights", _weights, signal=False)
number = 7
'''
BROKEN = 'raise RuntimeError("no licence\\nfound")\n'
GROUPS = ("spaces", "devices", "predictors", "proxies")
NAMED = {
    "spaces": "acme-tiny = acme_nas:AcmeTiny",
    "devices": "acme-phone = acme_nas:Phone",
    "predictors": "acme-depth = acme_nas:Depth",
    "proxies": "acme-weights = acme_nas:weights",
}


def install(site: Path, package: str, code: str, named: dict[str, list[str]]) -> None:
    """As pip would: a module, and beside it the metadata with entry points."""
    module = package.replace("-", "_")
    (site / f"{module}.py").write_text(code)
    about = site / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [line for group, names in named.items() for line in (f"[pelnas.{group}]", *names)]
    (about / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture(autouse=True)
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One package of each kind of plug-in, and one whose every plug-in fails to load."""
    site = tmp_path / "site"
    site.mkdir()
    install(
        site, "acme-nas", SOUND, {g: [NAMED[g], "acme-number = acme_nas:number"] for g in GROUPS}
    )
    install(site, "acme-broken", BROKEN, {g: ["acme-broken = acme_broken:Any"] for g in GROUPS})
    monkeypatch.syspath_prepend(str(site))
    for module in ("acme_nas", "acme_broken"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def config(output: Path, **changes: Any) -> SearchConfig:
    values = {"space": "tiny", "rounds": 1, "per_niche": 2, "output": output}
    return load_config(None, values | changes)


def test_names_are_known_without_loading_anything() -> None:
    brought = {"acme-broken", "acme-number"}
    assert {"acme-tiny"} | brought < set(known_spaces())
    assert {"acme-phone"} | brought < set(known_devices())
    assert {"acme-depth"} | brought < set(known_predictors())
    assert {"acme-weights"} | brought < set(known_proxies())
    assert not {"acme_nas", "acme_broken"} & sys.modules.keys()


def test_a_search_uses_space_device_and_predictor_of_a_package(tmp_path: Path) -> None:
    named = {"space": "acme-tiny", "device": "acme-phone", "accuracy": "acme-depth"}
    result = Search(config(tmp_path / "runs", **named)).run()
    assert result.front
    with open_recording(result.folder) as recording:
        sources = recording.store.sources()
        assert (sources.latency, sources.accuracy) == ("counted by acme", "counted by acme")
        space = get_space("acme-tiny")
        for each in recording.store.evaluations():
            architecture = space.parse(each.candidate.architecture)
            assert each.score == space.features(architecture)["depth"]
            assert each.latency_ms == pytest.approx(each.flops / 1e6)
        again = replay(recording, tmp_path / "again").result
    assert [point.id for point in again.front] == [point.id for point in result.front]


def test_a_proxy_of_a_package_is_computed_here_and_in_workers(tmp_path: Path) -> None:
    space, images = get_space("tiny"), load_images(None, 8)
    texts = [space.format(space.at(index)) for index in range(12)]
    scoring = Scoring(batch=4, resolution=8, workers=2)
    cache = Cache(tmp_path / "cache.sqlite")
    scores = ProxyScores(space, images, ["acme-weights", "params"], scoring, 0, cache)
    try:
        found = list(scores.of(texts))
    finally:
        scores.close()
    for text, proxies in zip(texts, found, strict=True):
        network = space.build(space.parse(text), images.shape)
        assert proxies["acme-weights"] == len(list(network.parameters()))
    drawn, labels = images.batch(4, 0)
    here = score_network(
        network, torch.from_numpy(drawn), torch.from_numpy(labels), ["acme-weights"]
    )
    assert here == {"acme-weights": found[-1]["acme-weights"]}


def test_what_cannot_be_used_is_one_sentence_with_name_and_package(tmp_path: Path) -> None:
    tiny, cache = get_space("tiny"), default_cache()
    images = load_images(None, 8)

    def device(name: str) -> object:
        return get_device(config(tmp_path, device=name), tiny, images.shape, cache)

    def predictor(name: str) -> object:
        return get_predictor(config(tmp_path, accuracy=name), tiny, images, cache)

    def proxy(name: str) -> object:
        network = tiny.build(tiny.at(0), images.shape)
        batch = map(torch.from_numpy, images.batch(4, 0))
        return score_network(network, *batch, [name])

    doors: list[tuple[Callable[[str], object], type[PelnasError]]] = [
        (get_space, SpaceError), (device, DeviceError), (predictor, ConfigError), (proxy, ProxyError),
    ]  # fmt: skip
    for door, error in doors:
        with pytest.raises(error) as refusal:
            door("acme-broken")
        said = str(refusal.value)
        assert "'acme-broken' of package acme-broken, found RuntimeError: no licence found" in said
        assert len(said.splitlines()) == 1
        with pytest.raises(error, match="of package acme-nas, found int: repair or uninstall"):
            door("acme-number")
    with pytest.raises(ConfigError, match=r"use one of auto, rank-sum.*acme-depth"):
        predictor("nosuch")
    with pytest.raises(ProxyError, match=r"use some of .*acme-weights"):
        proxy("nosuch")
    with pytest.raises(
        DeviceError, match="use one of host, host-cuda, acme-broken, acme-number, acme-phone"
    ):
        device("nosuch")


def test_an_error_of_a_plugin_that_its_user_can_act_on_is_said_as_it_is(tmp_path: Path) -> None:
    settings = config(tmp_path, device="acme-phone", seed=99)
    with pytest.raises(DeviceError, match=r"^the phone is not plugged in: plug it in$"):
        get_device(settings, get_space("tiny"), load_images(None, 8).shape, default_cache())


@pytest.mark.parametrize(
    ("command", "good"),
    [
        (["spaces"], "acme-tiny"),
        (["devices"], "acme-phone"),
        (["predictors"], "acme-depth"),
        (["proxies", "list"], "acme-weights"),
    ],
)
def test_plugins_are_listed_with_their_package(
    pelnas: Pelnas, command: list[str], good: str
) -> None:
    outcome = pelnas(*command)
    assert (outcome.code, outcome.err) == (0, "")
    assert good in outcome.out
    assert "acme-nas 1.0" in outcome.out
    assert "no licence found" in outcome.out
    listed = pelnas(*command, "--json").json()
    plugins = {each["name"]: each for each in listed.get("plugins", listed.get("spaces"))}
    assert (plugins[good]["package"], plugins[good]["problem"] or "") == ("acme-nas 1.0", "")
    assert "no licence found" in plugins["acme-broken"]["problem"]


def test_the_doctor_tries_each_and_stays_healthy(pelnas: Pelnas) -> None:
    report = pelnas("doctor", "--json").json()
    checks = {check["part"]: check for check in report["checks"]}
    assert report["healthy"]
    assert checks["device acme-phone"]["status"] == "ok"
    assert checks["proxy acme-weights"]["found"] == "of package acme-nas 1.0"
    for noun in ("space", "device", "accuracy predictor", "proxy"):
        assert checks[f"{noun} acme-broken"]["status"] == "unusable"


def test_what_is_broken_does_not_touch_what_does_not_use_it(tmp_path: Path) -> None:
    assert Search(config(tmp_path / "runs", accuracy="acme-depth", device="acme-phone")).run().front
    assert "acme_broken" not in sys.modules


def test_a_shell_completes_the_names_of_packages() -> None:
    assert options.NAMED["space"]("acme-t") == ["acme-tiny"]
    assert options.NAMED["device"]("acme-p") == ["acme-phone"]
    assert options.NAMED["accuracy"]("acme-d") == ["acme-depth"]
    assert options.NAMED["accuracy"]("au") == ["auto"]


def test_values_of_earlier_code_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    kind, file = type(PLUGINS.make("acme-tiny")), tmp_path / "site" / "acme_nas.py"
    before = code_digest(kind)
    assert before == code_digest(kind) != ""
    file.write_text(SOUND + "\nmore = 1\n")
    assert code_digest(kind) != before
    assert get_space("tiny").code == get_space("nasbench201").code == ""
