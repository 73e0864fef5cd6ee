"""The JSON interface of the page: one function for each address."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pelnas.app.options import DEFAULTS
from pelnas.app.web import candidates, comparison, overview, steering, timeline
from pelnas.app.web.library import Library
from pelnas.app.web.live import never, tail
from pelnas.app.web.starts import Starts
from pelnas.architecture import Evaluation
from pelnas.calls.usage import flat
from pelnas.errors import InputError, RunError, UnreadableError
from pelnas.inputs.formats import parse_json, what_failed
from pelnas.objectives import Objectives
from pelnas.report.front import aside_of
from pelnas.store import RunStore, list_runs
from pelnas.traces.tree import Span, tree

LONGEST = 65_536  # bytes of what the page sends
COMPARED = 8  # runs at once: more colours are hard to distinguish
Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Answers from the runs of one folder."""

    def __init__(
        self,
        library: Library,
        starts: Starts,
        talks: steering.Talks,
        ended: Callable[[], bool] = never,
    ) -> None:
        self._library = library
        self._starts = starts
        self._talks = talks
        self._ended = ended  # whether the server is about to stop

    def routes(self) -> list[Route]:
        """Every address below ``/api``."""
        run = "/api/runs/{run}"
        return [
            _get("/api/session", self.session),
            _get("/api/runs", self.runs),
            _post("/api/runs", self.start),
            _get("/api/starts/{number:int}", self.started),
            _get("/api/compare", self.compare),
            _get(run, self.run),
            _get(f"{run}/candidates", self.candidates),
            _get(f"{run}/candidates/{{candidate}}", self.candidate),
            _get(f"{run}/growth", self.growth),
            _get(f"{run}/niches", self.niches),
            _get(f"{run}/rules", self.rules),
            _get(f"{run}/timeline", self.timeline),
            _get(f"{run}/timeline/{{round:int}}", self.round),
            _get(f"{run}/calls/{{call}}", self.call),
            _get(f"{run}/directives", self.directives),
            _post(f"{run}/talk", self.talk),
            Route(f"{run}/events", self.events),
        ]

    # -- the whole --------------------------------------------------------------

    def session(self, _: Request) -> Any:
        """What the page needs to know once."""
        from pelnas.config import AUTO
        from pelnas.devices import known_devices
        from pelnas.predictors import known_predictors
        from pelnas.spaces import known_spaces

        return {
            "version": version("pelnas"),
            "output": str(self._library.output),
            "grammar": steering.grammar(),
            "defaults": DEFAULTS.model_dump(mode="json"),
            "choices": {
                "space": list(known_spaces()),
                "device": list(known_devices()),
                "accuracy": [AUTO, *known_predictors()],
                "partition": [AUTO, "operations", "flops"],
            },
        }

    def runs(self, _: Request) -> Any:
        """All runs, newest first."""
        return [
            asdict(run) | {"folder": str(run.folder)} for run in list_runs(self._library.output)
        ]

    def start(self, _: Request, body: Mapping[str, Any]) -> Any:
        """Begin a search."""
        return {"number": self._starts.begin(body)}

    def started(self, request: Request) -> Any:
        """What became of a search that was begun."""
        return self._starts.state(request.path_params["number"])

    def compare(self, request: Request) -> Any:
        """Several runs on one scale, with their rules."""
        names = dict.fromkeys(request.query_params.getlist("run"))
        return comparison.beside({name: self._side(name) for name in list(names)[:COMPARED]})

    # -- one run ----------------------------------------------------------------

    def run(self, request: Request) -> Any:
        """Its state, settings and budgets."""
        with self._read(request) as store:
            return overview.overview(store)

    def candidates(self, request: Request) -> Any:
        """All candidates as columns."""
        evaluations = self._evaluations(request)

        def build(store: RunStore) -> Any:
            found = candidates.columns(
                evaluations, aside_of(store, evaluations), Objectives.of(store.config.objectives)
            )
            return found | {"constrained": candidates.constrained(store)}

        return self._answer(request, "columns", build)

    def candidate(self, request: Request) -> Any:
        """Everything about one candidate."""
        evaluations = self._evaluations(request)
        family = self._answer(request, "family", lambda store: _family(store, evaluations))
        with self._read(request) as store:
            return candidates.detail(store, family, request.path_params["candidate"])

    def growth(self, request: Request) -> Any:
        """How the front grew."""
        evaluations = self._evaluations(request)

        def build(store: RunStore) -> Any:
            return overview.grown(
                evaluations,
                aside=aside_of(store, evaluations),
                objectives=Objectives.of(store.config.objectives),
            )

        return self._answer(request, "growth", build)

    def niches(self, request: Request) -> Any:
        """What became of each niche."""
        events = self._library.events
        return self._answer(request, "niches", lambda store: overview.niches(store, events(store)))

    def rules(self, request: Request) -> Any:
        """Rules with evidence and history."""
        return self._answer(request, "rules", overview.rules)

    def timeline(self, request: Request) -> Any:
        """Every round at a glance."""
        return timeline.rounds(self._tree(request))

    def round(self, request: Request) -> Any:
        """The waterfall of one round."""
        return timeline.waterfall(self._tree(request), request.path_params["round"])

    def call(self, request: Request) -> Any:
        """A call with its prompt and its answer."""
        id_ = request.path_params["call"]
        with self._read(request) as store:
            call = store.call(id_)
            if call is None:
                raise RunError(f"there is no call {id_[:60]!r} in {store.name}: see its timeline")
            return flat(call)

    async def events(self, request: Request) -> Response:
        """The events from a place on, as they happen."""
        after = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise HTTPException(400, "expected the number of an event: reload the page")
        store = await run_in_threadpool(self._read, request)
        events = tail(store, int(after), self._ended)
        kept = {"Cache-Control": "no-store"}
        return StreamingResponse(events, media_type="text/event-stream", headers=kept)

    # -- steering ---------------------------------------------------------------

    def directives(self, request: Request) -> Any:
        """What people asked of the run, and what became of it: who asks may want to talk."""
        self._talks.prepare()
        return self._answer(request, "directives", steering.given)

    def talk(self, request: Request, body: Mapping[str, Any]) -> Any:
        """A line of a conversation about a run: answered, clarified, or repeated for a yes."""
        return self._talks.say(self._library.folder(request.path_params["run"]), body)

    # -- reading ----------------------------------------------------------------

    def _read(self, request: Request) -> RunStore:
        return self._library.read(request.path_params["run"])

    def _answer(self, request: Request, question: str, build: Callable[[RunStore], Any]) -> Any:
        return self._library.answer(request.path_params["run"], question, build)

    def _evaluations(self, request: Request) -> list[Evaluation]:
        return self._evaluated(request.path_params["run"])

    def _evaluated(self, run: str) -> list[Evaluation]:
        found: list[Evaluation] = self._library.answer(
            run, "evaluations", lambda store: store.evaluations()
        )
        return found

    def _side(self, run: str) -> comparison.Side:
        evaluations = self._evaluated(run)
        found: comparison.Side = self._library.answer(
            run, "side", lambda store: comparison.Side.of(store, evaluations)
        )
        return found

    def _tree(self, request: Request) -> Span:
        events = self._library.events
        found: Span = self._answer(request, "tree", lambda store: tree(events(store)))
        return found


def _get(path: str, answer: Callable[[Request], Any]) -> Route:
    async def endpoint(request: Request) -> Response:
        return _json(await run_in_threadpool(answer, request))

    return Route(path, endpoint, methods=["GET"])


def _post(path: str, answer: Callable[[Request, Mapping[str, Any]], Any]) -> Route:
    async def endpoint(request: Request) -> Response:
        return _json(await run_in_threadpool(answer, request, await _body(request)))

    return Route(path, endpoint, methods=["POST"])


async def _body(request: Request) -> Mapping[str, Any]:
    found = b""
    async for part in request.stream():
        found += part
        if len(found) > LONGEST:
            raise HTTPException(413, f"expected at most {LONGEST} bytes: shorten it")
    try:
        body = parse_json(found)
    except UnreadableError as error:
        raise HTTPException(
            400, f"expected a JSON object, found {error}: reload the page and try again"
        ) from None
    if not isinstance(body, dict):
        raise HTTPException(400, "expected a JSON object: reload the page and try again")
    return body


def _json(value: Any, status: int = 200) -> Response:
    """Plain values as JSON in ASCII: the name of a folder may hold bytes that are no text."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(
        text,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def complain(_: Request, error: Exception) -> Response:
    """One sentence for an error that the caller can act on."""
    if isinstance(error, HTTPException):
        return _json({"error": error.detail}, error.status_code)
    if isinstance(error, OSError):
        return _json({"error": what_failed(error)}, 400)
    assert isinstance(error, InputError)  # noqa: S101 - registered for these three
    return _json({"error": str(error)}, 404 if isinstance(error, RunError) else 400)


def _family(store: RunStore, evaluations: Sequence[Evaluation]) -> candidates.Family:
    return candidates.Family(evaluations, Objectives.of(store.config.objectives))
