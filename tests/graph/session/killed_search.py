"""What a process of ``test_kill`` does: begin or resume the one run of a folder, and see it through."""

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.errors import ModelCallError, RunError
from pelnas.graph.search import nodes
from pelnas.report import write_front
from pelnas.spaces import get_space
from pelnas.store import list_runs

SPACE = get_space("tiny")
FEATURES = ("nor_conv_3x3", "nor_conv_1x1", "skip_connect", "none")


def answer(messages: Sequence[Message], _schema: dict[str, Any]) -> str:
    """A model of mixed quality whose answers and failures follow from the request alone."""
    text = json.dumps([message.content for message in messages])
    rng = random.Random(hashlib.sha256(text.encode()).hexdigest())
    luck = rng.random()
    if luck < 0.05:
        raise ModelCallError("the scripted provider is out of order")
    if luck < 0.1:
        return "I would rather talk."
    system = messages[0].content
    if "planner" in system:
        shares = [{"niche": n, "designs": rng.randrange(9), "focus": "be fast"} for n in range(3)]
        return json.dumps({"niches": shares})
    if "knowledge base" in system:
        return json.dumps({"rules": [_rule(rng) for _ in range(rng.randrange(3))]})
    cells = [SPACE.format(SPACE.at(rng.randrange(SPACE.size))) for _ in range(8)]
    designs = [
        {"architecture": cell, "operation": "sample", "parents": [], "rationale": "a guess"}
        for cell in [*cells, cells[0], "not a cell"]
    ]
    return json.dumps({"designs": designs})


def _rule(rng: random.Random) -> dict[str, Any]:
    return {
        "text": "A guess.",
        "predicate": f"{rng.choice(FEATURES)} >= {rng.randrange(1, 3)}",
        "metric": rng.choice(("accuracy", "latency")),
        "polarity": rng.choice(("helps", "hurts")),
        "effect": 0.5,
        "everywhere": rng.random() < 0.5,
    }


def work(
    settings: str,
    commits: int = 0,
    rounds: int = 0,
    folder: str = "",
    clock: float = 0.0,
    pictures: bool = True,
) -> None:
    """Go on with the run that the settings' folder holds, or with ``folder``, or begin it.

    ``clock``: seconds by which it is wrong. Without ``pictures`` the front alone is written.

    Once it has finished it is let go on to ``rounds``; 0: not at all. The process kills
    itself as it is about to commit the run's store for the time ``commits``, counted
    from 1; 0: never.
    """
    config = SearchConfig.model_validate_json(settings)
    model = ScriptedModel(answer)
    models = {model.name: model}
    left = count(commits, -1)

    def on_statement(sql: str) -> None:
        if sql == "COMMIT" and next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def see_through(search: Search) -> None:
        search.session.store._database._connection.set_trace_callback(on_statement)
        search.run()

    now = time.time
    time.time = lambda: now() + clock
    if not pictures:
        nodes.write_all = write_front
    if folder:
        see_through(Search.resume(Path(folder), models))
        return
    runs = list_runs(config.output)
    if not runs:
        see_through(Search(config, models))
    elif runs[0].status != "finished":
        see_through(Search.resume(runs[0].folder, models))
    with suppress(RunError):  # it has had them all
        see_through(
            Search.resume(list_runs(config.output)[0].folder, models, rounds=rounds or None)
        )


NAMES = ("settings", "commits", "rounds", "folder", "clock", "pictures")
REFUSED = 3

if __name__ == "killed":
    try:
        work(**{name: globals()[name] for name in NAMES if name in globals()})
    except RunError as refusal:
        output = SearchConfig.model_validate_json(globals()["settings"]).output
        (output.parent / "refusal").write_text(str(refusal))
        sys.exit(REFUSED)
