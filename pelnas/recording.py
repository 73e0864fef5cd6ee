"""A recording: everything models, predictor and device answered in a run, so that it can be replayed.

It is the run's own store, or one file that holds a copy of it. Everything that
came from outside is in there: answers by the hash of their request, scores and
costs by architecture, the rules it began with, and the directives.
"""

import difflib
import os
import tempfile
import threading
import zipfile
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pelnas.architecture import Architecture, Cost, Prediction
from pelnas.calls.call import CALLING, TOOL_CALLS, CallRecord, Message
from pelnas.devices.base import Device
from pelnas.directives import SetBudget
from pelnas.errors import BudgetExhausted, ReplayError, StoreError, UnreadableError
from pelnas.inputs.formats import open_zip, unpack
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import SearchSpace
from pelnas.store import RunStore, write_atomically
from pelnas.store.database import Database
from pelnas.store.folder import CONFIG, DATABASE

LARGEST = 2 * 1024**3  # bytes that a member of a recording may unpack to
SHOWN = 160  # characters of a differing line
CUT = "the recording ends here: its limit of time was reached"


class Recording:
    """The answers that a run received. Each is handed out once; safe to use from several threads."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.predictions = store.predictions()
        self.costs = store.costs()
        self._calls = store.calls()
        self._answers: dict[str, deque[CallRecord]] = defaultdict(deque)
        for call in self._calls:
            self._answers[call.request].append(call)
        self._by_id = {call.id: call for call in self._calls}
        self._lock = threading.Lock()

    @property
    def ends_early(self) -> bool:
        """Whether a limit of time may have ended it in the middle of something."""
        asked = (d.order for d in self.store.directives() if d.effect is not None)
        limited = any(isinstance(o, SetBudget) and o.name == "minutes" for o in asked)
        return limited or self.store.config.budget.minutes is not None

    def opened_ahead(self, round_: int) -> bool:
        """Whether a round was begun before the one before it was evaluated."""
        planned = self.store.first_begun("plan", round_)
        evaluated = self.store.first_begun("evaluate", round_ - 1)
        return planned is not None and (evaluated is None or planned < evaluated)

    def calls_tools(self, model: str) -> bool:
        """Whether a model was offered tools by its provider's protocol."""
        return any(call.model == model and call.schema == TOOL_CALLS for call in self._calls)

    def cut_before(self, architecture: str) -> bool:
        """Whether its time was up before this candidate had a cost; a table would still have one."""
        return self.ends_early and architecture not in self.costs

    def answer(self, request: str, messages: Sequence[Message]) -> CallRecord:
        """The recorded call of this request.

        Prompts are worded otherwise than in 0.1: in its recordings the call of the same step
        and attempt answers, and whether the front is the same shows if that was right.
        ReplayError: it was never asked, with the difference from the nearest one
        that was. BudgetExhausted: as well, where the recording ends early.
        """
        with self._lock:
            waiting = self._answers.get(request)
            if waiting:
                return waiting.popleft()
            if not self.store.release and CALLING.get() in self._by_id:
                return self._by_id.pop(CALLING.get())
        raise self.missing(f"a request that nobody recorded ({_nearest(messages, self._calls)})")

    def missing(self, what: str) -> ReplayError | BudgetExhausted:
        """The exception for something that is not in the recording."""
        if self.ends_early:
            return BudgetExhausted(CUT)
        return ReplayError(
            f"the replay came to {what}: replay it with the pelnas, prompts and files it was made with"
        )


def _nearest(messages: Sequence[Message], calls: Sequence[CallRecord]) -> str:
    """The recorded call that is most like a request, and the first line in which they differ."""
    wanted = _lines(messages)

    def likeness(call: CallRecord) -> tuple[bool, float]:
        ratio = difflib.SequenceMatcher(None, wanted, _lines(call.messages)).quick_ratio()
        return len(call.messages) == len(messages), ratio

    nearest = max(calls, key=likeness, default=None)
    if nearest is None:
        return "it holds no calls at all"
    difference = difflib.unified_diff(_lines(nearest.messages), wanted, lineterm="", n=0)
    changed = [line for line in difference if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    removed = next((line[1:] for line in changed if line[0] == "-"), "")
    added = next((line[1:] for line in changed if line[0] == "+"), "")
    return f"the nearest is {nearest.id}: recorded {removed[:SHOWN]!r}, asked now {added[:SHOWN]!r}"


def _lines(messages: Sequence[Message]) -> list[str]:
    return [line for message in messages for line in message.content.splitlines()]


class RecordedDevice(Device):
    """The costs of a recording. ``measures`` is true: others than these cannot be looked up."""

    measures = True

    def __init__(self, recording: Recording, space: SearchSpace) -> None:
        self._recording = recording
        self._space = space
        self.name = recording.store.config.device
        self.source = recording.store.sources().latency

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        for architecture in architectures:
            text = self._space.format(architecture)
            if text not in self._recording.costs:
                raise self._recording.missing(f"{text}, whose cost nobody recorded")
            yield self._recording.costs[text]


class RecordedPredictor(AccuracyPredictor):
    """The predictions of a recording."""

    def __init__(self, recording: Recording, space: SearchSpace) -> None:
        self._recording = recording
        self._space = space
        sources = recording.store.sources()
        self.name = recording.store.config.accuracy
        self.unit, self.source = sources.unit, sources.accuracy

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for architecture in architectures:
            text = self._space.format(architecture)
            if text not in self._recording.predictions:
                raise self._recording.missing(f"{text}, whose score nobody recorded")
            yield self._recording.predictions[text]


# -- one file ---------------------------------------------------------------------


def export(folder: Path, file: Path) -> None:
    """Write the recording of a run as one file, also while the run goes on.

    The file is read back before it takes its place. RunError: no run there.
    StoreError: the file cannot be written.
    """
    with RunStore.read(folder) as store, tempfile.TemporaryDirectory() as place:
        events = len(store.events())
        copy = Path(place) / DATABASE
        with closing(Database(folder / DATABASE, read_only=True)) as source:
            source.rows("VACUUM INTO ?", (str(copy),))
        packed = Path(place) / "recording.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / CONFIG, CONFIG)  # as it was sealed
            archive.write(copy, DATABASE)
        _check_copy(packed, folder, events)
        write_atomically(file, packed.read_bytes())


def _check_copy(packed: Path, folder: Path, events: int) -> None:
    """StoreError: the packed copy holds fewer events than its run had when the copy began."""
    with open_recording(packed) as recording:
        found = len(recording.store.events())
    if found < events:
        raise StoreError(
            f"expected the {events} events of {folder} in its copy, found {found}: free space in"
            f" {tempfile.gettempdir()} and export again; nothing was written"
        )


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """The recording of a run's folder or of an exported file.

    RunError: no run there. ReplayError: a file that is no recording.
    """
    if os.path.isdir(path):
        with RunStore.read(path) as store:
            yield Recording(store)
        return
    with tempfile.TemporaryDirectory() as place:
        _unpack(path, Path(place))
        with RunStore.read(Path(place)) as store:
            yield Recording(store)


def _unpack(file: Path, place: Path) -> None:
    """Only the two members that a recording has, under their own names and of a sane size."""
    try:
        with open_zip(file) as archive:
            for name in (CONFIG, DATABASE):
                unpack(archive, name, place / name, LARGEST)
    except UnreadableError as error:
        raise ReplayError(
            f"expected a recording made by 'pelnas replay RUN --export FILE' at {file},"
            f" found {error}: give the folder of a run or such a file"
        ) from None
