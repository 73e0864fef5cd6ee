"""A conversation beside the search that it is about, in one process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from pelnas import Search, SearchConfig
from pelnas.graph.chat.console import Talk
from pelnas.store import Event as RunEvent
from pelnas.store import RunStore

SECONDS = 20


class Turns:
    """Holds a search when a round is planned, and hears when it waits."""

    def __init__(self) -> None:
        self.planned, self.go_on, self.paused = Event(), Event(), Event()

    def __call__(self, event: RunEvent) -> None:
        if event.kind == "round-planned":
            self.planned.set()
            assert self.go_on.wait(SECONDS)
        elif event.kind == "paused":
            self.paused.set()


def test_a_search_is_steered_from_its_own_process(
    toy: Callable[..., SearchConfig], tmp_path: Path
) -> None:
    search, turns = Search(toy(tmp_path, rounds=3, per_niche=2)), Turns()
    talk = Talk(search.folder.parent, search.folder.name, "ann")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(search.run, turns)
        assert turns.planned.wait(SECONDS)
        assert "Yes or no?" in talk.say("/pause")[-1]
        assert talk.say("yes")[0].startswith("d1: pause ")
        turns.go_on.set()
        assert turns.paused.wait(SECONDS)
        assert "paused by d1" in "\n".join(talk.say("/status"))
        for order in ("/ban avg_pool_3x3", "/resume"):
            talk.say(order)
            talk.say("yes")
        assert result.result(SECONDS).reason == "all rounds done"
    assert "finished" in "\n".join(talk.say("/status"))
    with RunStore.read(search.folder) as store:
        assert [d.status for d in store.directives()] == ["active"] * 3
        made = [each.architecture for each in store.candidates()]
    assert made
    assert not [cell for cell in made if "avg_pool_3x3" in cell]
