"""The knowledge base: a run's rules in embedded Chroma, found again by scope, evidence and words.

Chroma keeps the records with their vectors and filters them by scope. The
vectors come from a rule's own features and words (``pelnas.rules.retrieval``), so
that nothing is downloaded. What passes the filter is ranked exactly: Chroma's
approximate index left out 12 of 300 much-alike rules after many replacements,
and a run has few enough rules for all of them to be compared. The run's store
stays the source of truth: ``anew`` begins from it, since a folder may be a stranger's, and
whatever Chroma finds in one it reads as its own: an index of another program, settings of what
to embed with.
"""

import json
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pelnas.errors import StoreError
from pelnas.rules.chroma import PRIVATE_FOLDER, close_to_others, embedded
from pelnas.rules.retrieval import query_vector, ranked, vector
from pelnas.rules.rule import Rule, Scope

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

COLLECTION = "pelnas-rules"
FORMAT = 1  # of vectors and records; another number in a folder means another version
BATCH = 1000  # records a write
EVERY_NICHE = -1  # Chroma's metadata has no null
_CHROMAS = re.compile(r"chroma\.sqlite3.*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KnowledgeBase:
    """Rules in one folder; safe to use from several threads, gone from memory after ``close``.

    StoreError: a folder that is not a knowledge base, is damaged, or cannot be written.
    """

    def __init__(self, folder: Path, *, lazy: bool = False) -> None:
        """``lazy``: of an empty folder, in which Chroma starts with the first rule."""
        self.folder = folder.resolve()
        self._lock = threading.RLock()
        self._client: Client | None = None
        self._closed = False
        self._held: dict[str, Rule] = {}
        self._unwritten: set[str] = set()  # held, and different in Chroma
        with self._told("opened"):
            self._prepare()
            if not lazy:
                self._connect()

    @classmethod
    def anew(cls, folder: Path) -> Self:
        """An empty one in a folder where there may be one, of which nothing is even read."""
        try:
            _clear(folder)
        except OSError as error:
            raise _broken(folder, "made anew", str(error)) from error
        return cls(folder, lazy=True)

    def put(self, rules: Iterable[Rule]) -> None:
        """Store rules; one of a known id takes its place.

        What was put here is held in memory, too. Chroma gets at once what it has to find
        rules by; figures alone, which change with every evaluation, when this is read as a
        whole or closed.
        """
        with self._lock, self._told("written"):
            self._check_open()
            moved = []
            for rule in {rule.id: rule for rule in rules}.values():
                before, self._held[rule.id] = self._held.get(rule.id), rule
                if before is None or _place(before) != _place(rule):
                    moved.append(rule)
                    self._unwritten.discard(rule.id)
                elif before != rule:
                    self._unwritten.add(rule.id)
            self._write(moved)

    def restore(self, rules: Iterable[Rule]) -> None:
        """Make the content exactly these rules."""
        wanted = {rule.id: rule for rule in rules}
        with self._lock, self._told("written"):
            found = set() if self._empty else set(self._open.get(include=[])["ids"])
            stale = sorted(found - set(wanted))
            for start in range(0, len(stale), BATCH):
                self._open.delete(ids=stale[start : start + BATCH])
            self._held.clear()
            self.put(wanted.values())

    def all(self) -> list[Rule]:
        """Every rule, by id."""
        with self._lock, self._told("read"):
            if self._empty:
                return []
            self._flush()
            found = self._open.get(include=["documents"])
            return _read(found["documents"])

    def retrieve(self, scope: Scope, query: str, limit: int) -> list[Rule]:
        """At most ``limit`` rules for whoever designs in a scope, the most useful first.

        Applicable: in force or weakened; of the scope's space and dataset; of its
        niche or of every niche; a latency rule of its device, while accuracy
        rules travel between devices. Rules in force come before weakened ones;
        within each, see ``pelnas.rules.retrieval.ranked``. The answer depends on the
        content and the query, not on the order in which rules were put.
        """
        if limit <= 0:
            return []
        with self._lock, self._told("read"):
            if self._empty:
                return []
            found = self._open.get(where=_applicable(scope), include=[])["ids"]
            rules = self._rules_of(sorted(found))
        asked = query_vector(scope, query)
        force = [rule for rule in rules if rule.status == "in-force"]
        weak = [rule for rule in rules if rule.status == "weakened"]
        return (ranked(force, asked, limit) + ranked(weak, asked, limit))[:limit]

    def close(self) -> None:
        """Write what is left and release the folder; a second call does nothing."""
        with self._lock:
            client = self._client
            if client is not None:
                # What cannot be written is in the run's store, from which the next one begins.
                with suppress(StoreError), self._told("written"):
                    self._flush()
                self._client = None
                client.close()
            self._closed = True

    # -- inside ----------------------------------------------------------------

    def _flush(self) -> None:
        """Bring Chroma's records up to date with what was put."""
        rules = [self._held[rule_id] for rule_id in sorted(self._unwritten)]
        self._write(rules)
        self._unwritten.clear()

    def _write(self, rules: Sequence[Rule]) -> None:
        for start in range(0, len(rules), BATCH):
            _write(self._open, rules[start : start + BATCH])
        if rules:
            close_to_others(self.folder)

    def _rules_of(self, ids: Sequence[str]) -> list[Rule]:
        """By id: as they were put here, or from Chroma where somebody else put them."""
        others = [rule_id for rule_id in ids if rule_id not in self._held]
        if others:
            found = _read(self._open.get(ids=others, include=["documents"])["documents"])
            rules = {rule.id: rule for rule in found} | self._held
        else:
            rules = self._held
        return [rules[rule_id] for rule_id in ids if rule_id in rules]

    @property
    def _open(self) -> "Collection":
        """The rules' collection. StoreError: the knowledge base is closed."""
        self._check_open()
        if self._client is None:
            self._connect()
        return self._rules

    @property
    def _empty(self) -> bool:
        """Whether no rule was put since it was made anew. StoreError: it is closed."""
        self._check_open()
        return self._client is None

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"the knowledge base at {self.folder} is closed: open it again")

    def _connect(self) -> None:
        with ExitStack() as undo:
            client = embedded(self.folder)
            undo.callback(client.close)
            self._rules = self._collection(client)
            close_to_others(self.folder)
            undo.pop_all()
        self._client = client

    def _prepare(self) -> None:
        """Make the folder; refuse one that holds something else."""
        self.folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        known = (self.folder / "chroma.sqlite3").is_file()
        others = (each for each in self.folder.iterdir() if not each.name.startswith("."))
        if not known and any(others):
            raise self._broken("opened", "it holds other files")

    def _collection(self, client: "Client") -> "Collection":
        """The rules' collection, made in an empty folder."""
        names = [str(collection.name) for collection in client.list_collections()]
        if names and COLLECTION not in names:
            raise self._broken("opened", f"it holds {', '.join(names)[:60]} of another program")
        collection = client.get_or_create_collection(
            COLLECTION,
            metadata={"format": FORMAT},
            configuration={"hnsw": {"space": "cosine"}},
            embedding_function=None,
        )
        found = (collection.metadata or {}).get("format")
        if found != FORMAT:
            raise self._broken("opened", f"its format is {found} in place of {FORMAT}")
        return collection

    @contextmanager
    def _told(self, action: str) -> Iterator[None]:
        """Turn what Chroma and the file system raise into one sentence."""
        from chromadb.errors import ChromaError

        try:
            yield
        except (ChromaError, OSError, ValueError) as error:
            raise self._broken(
                action, (str(error).splitlines() or [type(error).__name__])[0][:120]
            ) from error

    def _broken(self, action: str, found: str) -> StoreError:
        return _broken(self.folder, action, found)


def _broken(folder: Path, action: str, found: str) -> StoreError:
    return StoreError(
        f"the knowledge base at {folder} cannot be {action}: {found};"
        " move that folder away, and the run rebuilds it from its own store"
    )


def _clear(folder: Path) -> None:
    """Remove what Chroma made, and links in the place of it, not what they lead to."""
    if folder.is_symlink():
        folder.unlink()
    found = folder.iterdir() if folder.is_dir() else ()
    for each in [each for each in found if _CHROMAS.fullmatch(each.name)]:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _write(collection: "Collection", rules: Sequence[Rule]) -> None:
    collection.upsert(
        ids=[rule.id for rule in rules],
        embeddings=[vector(rule).tolist() for rule in rules],
        documents=[json.dumps(rule.to_dict(), sort_keys=True) for rule in rules],
        metadatas=[_metadata(rule) for rule in rules],
    )


def _place(rule: Rule) -> tuple[Any, ...]:
    """What a rule is found by."""
    return rule.scope, rule.metric, rule.status, rule.text


def _metadata(rule: Rule) -> dict[str, str | int]:
    niche = rule.scope.niche
    return {
        "space": rule.scope.space,
        "device": rule.scope.device,
        "dataset": rule.scope.dataset,
        "niche": EVERY_NICHE if niche is None else niche,
        "metric": rule.metric,
        "status": rule.status,
    }


def _read(documents: Sequence[str] | None) -> list[Rule]:
    """By id, so that Chroma's own order is never seen."""
    rules = (Rule.from_dict(json.loads(document)) for document in documents or ())
    return sorted(rules, key=lambda rule: rule.id)


def _applicable(scope: Scope) -> dict[str, Any]:
    niches = [EVERY_NICHE] if scope.niche is None else [EVERY_NICHE, scope.niche]
    return {
        "$and": [
            {"space": scope.space},
            {"dataset": scope.dataset},
            {"niche": {"$in": niches}},
            {"status": {"$in": ["in-force", "weakened"]}},
            {"$or": [{"metric": "accuracy"}, {"device": scope.device}]},
        ]
    }
