"""A user's knowledge base: rules of finished runs in Chroma, found by vector and scope.

Two collections: the rules, with vectors of what they say (``pelnas.knowledge.words``), and the
places that they were learned at, with descriptors of devices and data sets
(``pelnas.knowledge.place``). A folder is read and written by one process at a time, since
embedded Chroma is not made for more; a server looks after that itself. Whatever comes back is
data that anybody may have written: it is checked, bounded, and tested before it is relied on.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray

from pelnas import locks
from pelnas.cache import is_number
from pelnas.errors import InputError, StoreError, UnreadableError
from pelnas.inputs.address import shown
from pelnas.inputs.formats import parse_json
from pelnas.knowledge.location import is_address
from pelnas.knowledge.place import REFERENCES, Place, Vector, similarity
from pelnas.knowledge.words import called, embedded
from pelnas.rules import chroma
from pelnas.rules.rule import Rule

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

RULES, PLACES = "pelnas-knowledge-rules", "pelnas-knowledge-places"
FORMAT = 1  # of records and vectors
LOCK = ".lock"
PATIENCE = 20.0  # seconds until another process lets a folder go
NEAREST = 32  # places of a kind that are looked at
MOST_RULES = 20_000  # rules that are read at once
BATCH = 1_000  # records a write
LONGEST = 200  # characters of a name in a record
DEVICE, DATASET = "device", "dataset"


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule as a run left it. ``run``: the run's key; ``name``: its name; ``niche``: its label or ''."""

    id: str
    run: str
    name: str
    niche: str
    rule: Rule

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        own = {"id": self.id, "run": self.name, "niche": self.niche or None}
        kept = ("text", "polarity", "metric", "predicate", "measured", "error", "author", "reason")
        values = self.rule.to_dict()
        scope = self.rule.scope
        where = {"space": scope.space, "device": scope.device, "dataset": scope.dataset}
        return own | where | {name: values[name] for name in kept}


@dataclass(frozen=True, slots=True)
class Near:
    """A run that learned nearby. Similarities of device and data set: -1 to 1, ``None``: unknown."""

    run: str
    device: str
    dataset: str
    device_similarity: float | None
    dataset_similarity: float | None


class Base:
    """An open knowledge base; a context manager. StoreError: it cannot be used, with the reason."""

    def __init__(self, place: str) -> None:
        """``place``: a folder, made where there is none, or the address of a Chroma server."""
        self.place = place
        self._folder = None if is_address(place) else Path(place)
        with ExitStack() as undo, self._told("opened"):
            if self._folder is not None:
                self._prepare(self._folder)
                undo.callback(locks.take(self._folder / LOCK, PATIENCE).release)
                self._client = chroma.embedded(self._folder)
            else:
                self._client = chroma.served(place)
            undo.callback(chroma.hang_up, self._client)
            self._rules, self._places = self._collection(RULES), self._collection(PLACES)
            if self._folder is not None:
                chroma.close_to_others(self._folder)
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        self._undo.close()

    # -- writing ----------------------------------------------------------------

    def add(self, run: str, name: str, place: Place, rules: Iterable[tuple[Rule, str]]) -> int:
        """Keep the rules of a run, with the labels of their niches, in place of what it left before.

        How many there are now.
        """
        entries = [Entry(f"{run}:{rule.id}", run, name, niche, rule) for rule, niche in rules]
        with self._told("written"):
            self._forget({"run": run})
            for start in range(0, len(entries), BATCH):
                self._put(entries[start : start + BATCH])
            kinds = {DEVICE: place.device_ranks, DATASET: place.dataset_ranks}
            self._places.upsert(
                ids=[f"{run}:{kind}" for kind in kinds],
                embeddings=[_padded(ranks).tolist() for ranks in kinds.values()],
                metadatas=[
                    {"run": run, "kind": kind, "known": bool(ranks), **_scope(place)}
                    for kind, ranks in kinds.items()
                ],
            )
            if self._folder is not None:
                chroma.close_to_others(self._folder)
        return len(entries)

    def _put(self, entries: Sequence[Entry]) -> None:
        self._rules.upsert(
            ids=[entry.id for entry in entries],
            embeddings=[embedded(_spoken(entry)).tolist() for entry in entries],
            documents=[json.dumps(entry.rule.to_dict(), sort_keys=True) for entry in entries],
            metadatas=[
                {"run": entry.run, "name": entry.name, "niche": entry.niche}
                | _scope(entry.rule.scope)
                for entry in entries
            ],
        )

    def forget(self, **wanted: str) -> int:
        """Remove the rules whose record has these values (``name``, ``device``, ...); all without any.

        How many there were.
        """
        with self._told("written"):
            return self._forget(wanted)

    def forget_rule(self, entry_id: str) -> int:
        """Remove one rule of one run; 0 where there is none."""
        with self._told("written"):
            found = len(self._rules.get(ids=[entry_id], include=[])["ids"])
            if found:
                self._rules.delete(ids=[entry_id])
            return found

    def _forget(self, wanted: Mapping[str, str]) -> int:
        where = _where(wanted)
        found = self._rules.get(where=where, include=["metadatas"])
        runs = {str(each.get("run")) for each in found["metadatas"] or ()}
        for start in range(0, len(found["ids"]), BATCH):
            self._rules.delete(ids=found["ids"][start : start + BATCH])
        for run in sorted(runs):
            if not self._rules.get(where={"run": run}, limit=1, include=[])["ids"]:
                self._places.delete(where={"run": run})
        return len(found["ids"])

    # -- reading ----------------------------------------------------------------

    def near(self, place: Place) -> list[Near]:
        """The runs of the same space whose device or data set is nearest, by vector; by key."""
        with self._told("read"):
            runs = {*self._nearest(DEVICE, place), *self._nearest(DATASET, place)}
            if not runs:
                return []
            found = self._places.get(where=_one_of(runs), include=["embeddings", "metadatas"])
        described: dict[str, dict[str, Any]] = {}
        embeddings = found["embeddings"] if found["embeddings"] is not None else ()
        for vector, data in zip(embeddings, found["metadatas"] or (), strict=True):
            run = described.setdefault(str(data["run"]), {"about": data})
            run[str(data["kind"])] = _unpadded(vector) if data.get("known") else ()
        return [
            Near(
                run,
                str(each["about"]["device"])[:LONGEST],
                str(each["about"]["dataset"])[:LONGEST],
                similarity(place.device_ranks, each.get(DEVICE, ())),
                similarity(place.dataset_ranks, each.get(DATASET, ())),
            )
            for run, each in sorted(described.items())
            if each["about"].get("space") == place.space
        ]

    def _nearest(self, kind: str, place: Place) -> Iterator[str]:
        """The keys of the nearest runs by vector, and of those with the same name."""
        ranks = place.device_ranks if kind == DEVICE else place.dataset_ranks
        name = place.device if kind == DEVICE else place.dataset
        here: list[dict[str, Any]] = [{"kind": kind}, {"space": place.space}]
        known = self._places.query(
            query_embeddings=[_padded(ranks).tolist()],
            n_results=NEAREST,
            where={"$and": here},
            include=["metadatas"],
        )
        same = self._places.get(
            where={"$and": [*here, {kind: name}]}, limit=NEAREST, include=["metadatas"]
        )
        for data in (*(known["metadatas"] or [[]])[0], *(same["metadatas"] or ())):
            yield str(data["run"])

    def rules_of(self, runs: Sequence[str], space: str) -> list[Entry]:
        """The rules of these runs in a space, by id."""
        if not runs:
            return []
        with self._told("read"):
            where: Any = {"$and": [{"space": space}, _one_of(runs)]}
            return self._entries(self._rules.get(where=where, limit=MOST_RULES, include=_ALL))

    def search(self, text: str, limit: int, **wanted: str) -> list[Entry]:
        """The rules nearest to a text, the nearest first; ``wanted``: values that records must have."""
        with self._told("read"):
            found = self._rules.query(
                query_embeddings=[embedded(text).tolist()],
                n_results=limit,
                where=_where(wanted),
                include=["documents", "metadatas", "distances"],
            )
            parts = {key: (found[key] or [[]])[0] for key in ("ids", "documents", "metadatas")}
            order = {entry: place for place, entry in enumerate(parts["ids"])}
            return sorted(self._entries(parts), key=lambda entry: order[entry.id])

    def all(self, **wanted: str) -> list[Entry]:
        """Every rule whose record has these values, by id; the first ``MOST_RULES`` of them."""
        with self._told("read"):
            found = self._rules.get(where=_where(wanted), limit=MOST_RULES, include=_ALL)
            return self._entries(found)

    def count(self) -> int:
        """How many rules there are."""
        with self._told("read"):
            return int(self._rules.count())

    # -- inside -------------------------------------------------------------------

    @staticmethod
    def _entries(found: Mapping[str, Any]) -> list[Entry]:
        """Records as rules; one that is none is passed over, since anybody may have written it."""
        kept = []
        for key, text, data in zip(
            found["ids"], found["documents"] or (), found["metadatas"] or (), strict=True
        ):
            with suppress(InputError):
                rule = _rule_of(text)
                run, name, niche = (
                    str(data.get(part, ""))[:LONGEST] for part in ("run", "name", "niche")
                )
                kept.append(Entry(str(key), run, name, niche, rule))
        return sorted(kept, key=lambda entry: entry.id)

    @staticmethod
    def _prepare(folder: Path) -> None:
        folder.mkdir(chroma.PRIVATE_FOLDER, parents=True, exist_ok=True)
        known = (folder / "chroma.sqlite3").is_file()
        if not known and any(not each.name.startswith(".") for each in folder.iterdir()):
            raise ValueError("it holds other files")

    def _collection(self, name: str) -> "Collection":
        collection = self._client.get_or_create_collection(
            name,
            metadata={"format": FORMAT},
            configuration={"hnsw": {"space": "cosine"}},
            embedding_function=None,
        )
        found = (collection.metadata or {}).get("format")
        if found != FORMAT:
            raise ValueError(f"its format is {found!r:.20} in place of {FORMAT}")
        return collection

    @contextmanager
    def _told(self, action: str) -> Iterator[None]:
        """Turn what Chroma, its server and the file system raise into one sentence."""
        import httpx
        from chromadb.errors import ChromaError

        causes = (ChromaError, httpx.HTTPError, OSError, ValueError, KeyError, TypeError)
        try:
            yield
        except Timeout as error:
            raise self._broken(action, "another process has it") from error
        except InputError:
            raise
        except (*causes, AttributeError, IndexError) as error:
            said = (str(error).splitlines() or [""])[0] or type(error).__name__
            raise self._broken(action, said[:120].rstrip(".")) from error

    def _broken(self, action: str, found: str) -> StoreError:
        where = shown(self.place) if is_address(self.place) else self.place
        remedy = (
            "start the server by `chroma run`, give another address"
            if is_address(self.place)
            else "move that folder away, give another one by --knowledge"
        )
        return StoreError(
            f"the knowledge base at {where} cannot be {action}: {found}; {remedy}, or go without it"
            " by --no-knowledge"
        )


def _rule_of(text: str) -> Rule:
    """UnreadableError, StoreError: it is none."""
    record = parse_json(text)
    if not isinstance(record, dict):
        raise UnreadableError("no rule")
    rule = Rule.from_dict(record)
    if not all(is_number(value) for value in (rule.measured, rule.error)):
        raise UnreadableError("a rule that nothing has measured")
    return rule


def _one_of(runs: Iterable[str]) -> Any:
    return {"run": {"$in": sorted(runs)}}


_ALL: Any = ["documents", "metadatas"]


def _where(wanted: Mapping[str, str]) -> dict[str, Any] | None:
    parts = [{name: value} for name, value in wanted.items()]
    return {"$and": parts} if len(parts) > 1 else (parts[0] if parts else None)


def _scope(scope: Any) -> dict[str, str]:
    return {"space": scope.space, "device": scope.device, "dataset": scope.dataset}


def _spoken(entry: Entry) -> str:
    """What a rule is found by."""
    rule, scope = entry.rule, entry.rule.scope
    about = f"{rule.text} {rule.predicate} {rule.metric} {entry.niche}"
    return f"{about} {scope.device} {called(scope.device)} {scope.dataset} {scope.space}"


def _padded(ranks: Vector) -> NDArray[np.float64]:
    """A descriptor in the length of all of them; the last place is for what is unknown."""
    found = np.zeros(REFERENCES + 1)
    found[: len(ranks)] = ranks
    found[-1] = 0.0 if ranks else 1.0
    return found


def _unpadded(vector: Sequence[float]) -> Vector:
    return tuple(float(value) for value in vector[:REFERENCES])
