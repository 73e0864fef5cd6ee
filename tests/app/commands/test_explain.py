"""``pelnas explain``, through the real front door."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pelnas.report import front_points
from pelnas.store import RunStore, find_run

Pelnas = Callable[..., Any]


def test_a_point_of_the_front_is_explained(pelnas: Pelnas, finished: Path) -> None:
    with RunStore.read(find_run(finished, "done")) as store:
        best = front_points(store)[-1]
    by_id = pelnas("explain", "done", best.id, "--output", finished, "--json").json()
    assert (by_id["id"], by_id["rank"], by_id["on_front"]) == (best.id, 1, True)
    assert by_id["dominators"] == []
    assert by_id["evaluation"]["score"] == best.score
    by_text = pelnas("explain", "done", best.architecture, "--output", finished, "--json").json()
    assert by_text == by_id
    outcome = pelnas("explain", "done", best.id, "--output", finished)
    assert outcome.code == 0
    assert f"{best.id} is on the front" in outcome.out
    assert "one changed operation:" in outcome.out
    assert "(predicted)" in outcome.out


def test_what_was_never_tried_is_predicted(pelnas: Pelnas, finished: Path) -> None:
    with RunStore.read(find_run(finished, "done")) as store:
        tried = {candidate.architecture for candidate in store.candidates()}
    found = (
        pelnas("explain", "done", i, "--output", finished, "--json").json() for i in range(125)
    )
    answer = next(document for document in found if document["architecture"] not in tried)
    assert answer["evaluation"] is None
    assert answer["here"]["score_is"] == "predicted"
    assert "nobody has proposed it" in answer["why"]


def test_an_architecture_that_is_none_ends_with_one_sentence(
    pelnas: Pelnas, finished: Path
) -> None:
    for named in ("r8n8c8", "../../etc/passwd", "9999", "$(id)"):
        outcome = pelnas("explain", "done", named, "--output", finished)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
