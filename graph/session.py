"""Everything a search works with, built from its configuration: the context of the nodes."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from pelnas.agents.cast import Cast, assemble, connect_all
from pelnas.agents.models import LanguageModel
from pelnas.archive import Archive
from pelnas.budget import Meter
from pelnas.cache import default_cache
from pelnas.call import CallRecord
from pelnas.config import SearchConfig
from pelnas.devices import get_device
from pelnas.errors import PelnasError, RunError
from pelnas.graph.telling import SearchStopped, Teller, rule_changes
from pelnas.images import ImageSet, load_images
from pelnas.knowledge import KnowledgeBase
from pelnas.partition import Partition, partition_by_flops, partition_by_operations
from pelnas.predictors import get_predictor
from pelnas.rules import Observation, Rule, Scope, carry
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore, Sources, find_run
from pelnas.tools.evaluation import Evaluator
from pelnas.traces.spans import RUN

CARRIED = -1  # the round under which rules of earlier runs are filed


@dataclass(frozen=True)
class Bench:
    """What a configuration names, found and checked before a run's folder is made."""

    space: SearchSpace
    partition: Partition
    evaluator: Evaluator
    dataset: str

    @classmethod
    def build(cls, config: SearchConfig) -> Self:
        """InputError: a name or a file of the configuration cannot be used."""
        space = get_space(config.space)
        images = _images(config)
        classes = images.classes if images else classes_of(config.dataset)
        resolution = config.scoring.resolution
        cache = default_cache()
        device = get_device(config, space, classes, cache)
        predictor = get_predictor(config, space, images, cache)
        if config.partition == "operations":
            partition = partition_by_operations(space, classes, resolution)
        else:
            rng = np.random.default_rng(config.seed)
            partition = partition_by_flops(space, config.niches, rng, classes, resolution)
        evaluator = Evaluator(space, device, predictor, classes, resolution)
        dataset = config.dataset or (images.name if images else "")
        return cls(space, partition, evaluator, dataset)


def _sources(bench: Bench) -> Sources:
    predictor, device = bench.evaluator.predictor, bench.evaluator.device
    return Sources(bench.dataset, predictor.unit, predictor.source, device.source)


def _images(config: SearchConfig) -> ImageSet | None:
    """Images are loaded only where something looks at them."""
    if config.accuracy == "table" and config.images is None:
        return None
    return load_images(config.images, config.scoring.resolution)


def classes_of(dataset: str) -> int:
    """Classes of a benchmark's data set by the number its name ends with; 10 without one.

    NAS-Bench-201 names them so (cifar10, cifar100, ImageNet16-120); only the
    size of the classifier depends on it.
    """
    digits = dataset[len(dataset.rstrip("0123456789")) :]
    return int(digits) if digits and int(digits) > 1 else 10


class Session:
    """One open run: its store, knowledge, budget and agents. Safe to use from several threads."""

    def __init__(self, store: RunStore, bench: Bench, models: dict[str, LanguageModel]) -> None:
        self.store = store
        self.config = store.config
        self.bench = bench
        self.teller = Teller(store)
        self.meter = Meter(self.config.budget, store)
        self.knowledge = KnowledgeBase(store.folder / "knowledge")
        self.knowledge.restore(store.rules())
        self.cast: Cast = assemble(self.config, models, self, self.meter)
        self._stop = threading.Event()

    @classmethod
    def create(
        cls, config: SearchConfig, models: Mapping[str, LanguageModel] | None = None
    ) -> Self:
        """A new run. InputError: something the configuration names cannot be used; no run is made."""
        bench, connected = Bench.build(config), connect_all(config, models)
        scope = Scope(config.space, config.device, bench.dataset, None)
        earlier = [find_run(config.output, str(path)) for path in config.rules_from]
        labels = [niche.label for niche in bench.partition.niches]
        carried = {rule.id: rule for path in earlier for rule in _carried(path, scope, labels)}
        store = RunStore.create(config)
        try:
            store.set_niches(labels)
            store.set_sources(_sources(bench))
            with store.together():
                store.replace_rules(CARRIED, list(carried.values()))
                for kind, data in rule_changes((), carried.values()):
                    store.event(kind, span=RUN, **data)
            return cls(store, bench, connected)
        except PelnasError:
            store.close()
            raise

    @classmethod
    def open(cls, folder: Path, models: Mapping[str, LanguageModel] | None = None) -> Self:
        """An existing run, to go on with. RunError: finished, in use, or no run."""
        store = RunStore.open(folder)
        try:
            if store.status == "finished":
                raise RunError(
                    f"run {store.name} is finished: start a new one, or look at it with 'pelnas front'"
                )
            return cls(store, Bench.build(store.config), connect_all(store.config, models))
        except PelnasError:
            store.close()
            raise

    # -- what nodes ask -------------------------------------------------------

    def archive(self) -> Archive:
        """All evaluations so far."""
        return Archive(self.store.evaluations(), len(self.bench.partition.niches))

    def scope(self, niche: int | None) -> Scope:
        """Where a rule of this niche holds."""
        return Scope(self.config.space, self.config.device, self.bench.dataset, niche)

    def observations(self) -> list[Observation]:
        """Every feasible evaluation as rules see it."""
        partition = self.bench.partition
        return [
            Observation(
                id=e.id,
                niche=e.candidate.niche,
                features=partition.features(partition.space.parse(e.candidate.architecture)),
                score=e.score,
                latency_ms=e.latency_ms,
            )
            for e in self.store.evaluations()
            if e.cost.feasible
        ]

    # -- ledger of the dialogues ----------------------------------------------

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        """The recorded answer of an interrupted execution of the same step."""
        return self.store.recall(call_id, request)

    def begin_call(self, call: CallRecord) -> None:
        """Tell who watches that a request is under way."""
        self.teller.call_begins(call)

    def record_call(self, call: CallRecord) -> None:
        """Keep a call and tell who watches, both or neither."""
        with self.store.together():
            self.store.record_call(call)
            self.teller.call_ends(call)

    def event(self, kind: str, **data: Any) -> None:
        """Append to the run's event stream, at the place where this thread works."""
        self.teller.event(kind, **data)

    # -- time -----------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a clean stop: the next step that looks raises SearchStopped."""
        self._stop.set()

    def step(self) -> None:
        """Called by nodes between pieces of work: books the time spent and honours ``stop``."""
        self.meter.tick()
        if self._stop.is_set():
            raise SearchStopped("the search was asked to stop: go on with 'pelnas resume'")

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        self.bench.evaluator.close()
        self.cast.close()
        self.knowledge.close()
        self.store.close()


def _carried(folder: Path, scope: Scope, niches: list[str]) -> list[Rule]:
    """The rules in force of an earlier run; where it cut the space otherwise, for every niche."""
    with RunStore.read(folder) as earlier:
        same = earlier.niches() == niches
        return [
            carry(rule, scope, same_niches=same)
            for rule in earlier.rules()
            if rule.status == "in-force" and rule.scope.space == scope.space
        ]


class Sessions:
    """The open runs below one folder, by name; a run is opened when a node first asks for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def create(self, config: SearchConfig) -> Session:
        """A new run below this folder, whatever output the configuration names."""
        session = Session.create(config.model_copy(update={"output": self._root}))
        session.teller.run_begins()
        return self.adopt(session)

    def adopt(self, session: Session) -> Session:
        """Serve a session that is open already."""
        with self._lock:
            self._open[session.store.folder.name] = session
        return session

    def get(self, name: str) -> Session:
        """The run of this name. RunError: no such run below the folder."""
        with self._lock:
            if name not in self._open:
                if Path(name).name != name:
                    raise RunError(f"expected the name of a run, found {name[:80]!r}: give a name")
                self._open[name] = Session.open(self._root / name)
                self._open[name].teller.run_begins()
            return self._open[name]

    def close(self, name: str) -> None:
        """Close a run that has ended; unknown names are ignored."""
        with self._lock:
            session = self._open.pop(name, None)
        if session is not None:
            session.close()
