"""Score and latency of a single architecture, whether or not a run has evaluated it.

What the run knows is reported as stored. Anything else is predicted by the run's
own predictor, or measured by its own device, now; it enters neither the run's
archive nor its budget. Processes of one user take turns, one question at a time.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from math import isfinite
from pathlib import Path

from filelock import Timeout

from pelnas import locks
from pelnas.architecture import Architecture, Cost, Prediction, Shape
from pelnas.cache import Cache, default_cache
from pelnas.config import SearchConfig
from pelnas.devices import Device, get_device, known_devices
from pelnas.errors import RunError
from pelnas.images import load_images
from pelnas.predictors import AccuracyPredictor, get_predictor
from pelnas.predictors.labels import KEPT as LABELS
from pelnas.predictors.labels import read_labels
from pelnas.spaces import SearchSpace
from pelnas.store import RunStore
from pelnas.store.folder import in_use
from pelnas.tools.predictor_cache import KeptPredictor
from pelnas.tools.run_view import Findings, Subject
from pelnas.tools.shapes import Beside, Latency, Measured, Named, Score

PATIENCE = 60.0  # seconds that a question waits for its turn
EVALUATED, TABLE = "evaluated in this run", "from the table"
PREDICTED, MEASURED = "predicted", "measured now"
KNOWN = "found in this run, for a directive or for a candidate that has no score yet"
_KEPT = KeptPredictor()  # of this process, whose questions take turns


def score(store: RunStore, named: str) -> Score:
    """The score of an architecture (candidate id, text or index) in the unit of the run's scores.

    ``how``: ``evaluated in this run``, ``from the table`` or ``predicted``.
    ``uncertainty``: one standard deviation. ``percentile``: percentage of the run's ``of``
    evaluations with a lower score, ties counted half; ``None`` where ``comparable`` is
    false: the run's scores have another ``source``.
    RunError, ArchitectureError: see ``Findings.find``. InputError: what the run was
    scored with is gone.
    """
    findings = Findings(store)
    subject, sources = findings.find(named), store.sources()
    own = subject.evaluation
    if own is not None:
        prediction, how, source = own.prediction, EVALUATED, sources.accuracy
    else:
        prediction, source = _predict(store, findings.space, subject.architecture)
        how = TABLE if store.config.accuracy == "table" else PREDICTED
    known = [e.score for e in findings.evaluations]
    return {
        **_named(store, findings, subject),
        "score": prediction.score,
        "uncertainty": prediction.uncertainty,
        "unit": sources.unit,
        "proxies": dict(prediction.proxies),
        "how": how,
        **_beside(source, sources.accuracy, prediction.score, known),
    }


def latency(store: RunStore, named: str) -> Latency:
    """The latency of an architecture in ms on the run's device; lower is better.

    ``how``: ``evaluated in this run``, ``found in this run, ...`` (a cost without a score),
    ``from the table`` or ``measured now``, which is only ever done on this machine.
    ``spread_ms``: interquartile range of the repeats. ``percentile``: percentage of the
    run's evaluations that are slower, ties counted half; the rest as in ``score``.
    RunError, too: a search measures wall time here, which must not be disturbed.
    """
    findings = Findings(store)
    subject, sources = findings.find(named), store.sources()
    cost, source = store.costs().get(subject.text), sources.latency
    how = EVALUATED if subject.evaluation else KNOWN
    if cost is None:
        cost, how, source = _charge(store, findings.space, subject.architecture)
    slow = None if cost.latency_ms is None else -cost.latency_ms  # so that more is better
    known = [-e.latency_ms for e in findings.evaluations if e.cost.feasible]
    return {
        **_named(store, findings, subject),
        "latency_ms": cost.latency_ms,
        "spread_ms": cost.spread_ms,
        "energy_mj": cost.energy_mj,
        "how": how,
        **_beside(source, sources.latency, slow, known),
    }


def tell_score(answer: Score) -> list[str]:
    """A score in words: where it comes from, how sure it is, and where it stands."""
    doubt = f" ± {answer['uncertainty']:.4g}" if answer["uncertainty"] else ""
    told = f"{_subject(answer)}: score {answer['score']:.4g}{doubt} {answer['unit']}"
    return [told, *_standing(answer, "higher than")]


def tell_latency(answer: Latency) -> list[str]:
    """A latency in words."""
    if answer["latency_ms"] is None:
        return [f"{_subject(answer)}: the device cannot run it", *_standing(answer, "faster than")]
    spread = f", spread {answer['spread_ms']:.4g} ms" if answer["spread_ms"] else ""
    energy = "" if answer["energy_mj"] is None else f", {answer['energy_mj']:.4g} mJ"
    told = f"{_subject(answer)}: {answer['latency_ms']:.4g} ms{spread}{energy}"
    return [told, *_standing(answer, "faster than")]


def _subject(answer: Measured) -> str:
    return answer["id"] or f"{answer['architecture']} (index {answer['index']})"


def _standing(answer: Measured, better: str) -> list[str]:
    source = answer["source"].removeprefix(answer["how"].split()[0]).strip()
    lines = [f"{answer['how']}: {source}"]
    if not answer["comparable"]:
        lines.append(f"not to be compared with this run's own: those are {answer['run_source']}")
    elif answer["percentile"] is not None:
        count = answer["of"]
        lines.append(f"{better} {answer['percentile']:.0f} % of the run's {count} evaluations")
    if answer["how"] in (PREDICTED, MEASURED, TABLE):
        lines.append("it is no part of the run, and cost it nothing")
    return lines


def _named(store: RunStore, findings: Findings, subject: Subject) -> Named:
    return {
        "run": store.name,
        "architecture": subject.text,
        "index": findings.space.index(subject.architecture),
        "id": subject.candidate.id if subject.candidate else None,
    }


def _beside(source: str, of_run: str, value: float | None, known: Sequence[float]) -> Beside:
    """Where a value stands among those of the run; more is better."""
    comparable = source == of_run
    finite = [other for other in known if isfinite(other)]
    percentile = None
    if comparable and finite and value is not None and isfinite(value):
        less = sum((other < value) + 0.5 * (other == value) for other in finite)
        percentile = 100 * less / len(finite)
    return {
        "source": source,
        "run_source": of_run,
        "comparable": comparable,
        "percentile": percentile,
        "of": len(finite),
    }


def _predict(
    store: RunStore, space: SearchSpace, architecture: Architecture
) -> tuple[Prediction, str]:
    """The prediction of the run's own predictor, and its source. Closed, it holds no workers."""
    with _turn(), closing(_predictor(store, space)) as predictor:
        (prediction,) = predictor.predict([architecture])
        return prediction, predictor.source


def _predictor(store: RunStore, space: SearchSpace) -> AccuracyPredictor:
    config, copied = store.config.here(), store.folder / LABELS
    if config.accuracy == "table":
        return get_predictor(config, space, None, default_cache())
    labels = read_labels(copied, space) if copied.is_file() else ()
    images = load_images(config.images, config.scoring.size, config.scoring.channels)
    return _KEPT.of(config, space, images, default_cache(), labels)


def _charge(
    store: RunStore, space: SearchSpace, architecture: Architecture
) -> tuple[Cost, str, str]:
    """What the run's device charges now, how that was found, and its source."""
    threads = store.config.measurement.threads
    if store.config.device in known_devices() and threads > 1 and in_use(store.folder):
        # One thread is timed by its processor time, which a second process hardly changes.
        raise RunError(
            f"the search of {store.name} measures wall time on {threads} threads here, which a"
            " measurement beside it would falsify: ask again when it has ended"
        )
    with _turn(), tempfile.TemporaryDirectory(prefix="pelnas-") as scratch:
        sources = store.sources()
        shape = Shape(sources.classes, *store.config.scoring.size, sources.channels)
        with closing(_device(store.config, space, shape, Path(scratch))) as device:
            (cost,) = device.costs([architecture])
            return cost, MEASURED if device.measures else TABLE, device.source


def _device(config: SearchConfig, space: SearchSpace, shape: Shape, scratch: Path) -> Device:
    """The run's device with an empty cache, so that what it measures is measured now."""
    return get_device(config.here(), space, shape, Cache(scratch / "measurements.sqlite"))


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for other processes, and threads of this one, that ask the same kind of question."""
    try:
        guard = locks.take(default_cache().path.with_name("probing.lock"), PATIENCE)
    except Timeout:
        raise RunError(
            f"expected a turn within {PATIENCE:g} s, found others that score or measure a single"
            " architecture: ask again"
        ) from None
    try:
        yield
    finally:
        guard.release()
