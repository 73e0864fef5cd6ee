"""Searches of an MCP host: estimated, started after a yes, followed, stopped, within what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm
from mcp_talks import COMMAND, both, hold, talk_by_stdio

from pelnas.errors import ConfigError, InputError
from pelnas.store import RunStore, list_runs

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
Talk = Callable[..., None]
SETTINGS: dict[str, Any] = {
    "space": "tiny", "device": "toy", "dataset": "toy10", "accuracy": "table", "rounds": 2,
    "per_niche": 3,
}  # fmt: skip
NAMES = {"estimate_search", "start_search", "follow_search", "stop_search"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def owner(tmp_path: Path, tiny_tables: Path) -> tuple[str, ...]:
    """Options of an owner who lets a model start searches on tables, after a person's yes."""
    file = tmp_path / "owner.toml"
    file.write_text(f'data = "{tiny_tables}"\nknowledge = "off"\n[budget]\nminutes = 5\n')
    return ("--searches", "ask", "--search-settings", str(file), "--max-evaluations", "40")


async def begun(client: Any, settings: dict[str, Any], **more: Any) -> Any:
    return await client.call_tool("start_search", {"settings": settings, **more})


async def ended(client: Any, run: str) -> dict[str, Any]:
    """How a run stands when it has ended."""
    for _ in range(60):
        result = await client.call_tool("follow_search", {"run": run, "seconds": 5})
        if result.structured_content["ended"]:
            return dict(result.structured_content)
    raise AssertionError("the search did not end")


def person_who(says: str, asked: list[str]) -> Any:
    from mcp.types import ElicitResult

    async def person(_: Any, question: Any) -> Any:
        asked.append(question.message)
        if says in ("decline", "cancel"):
            return ElicitResult(action=says)
        return ElicitResult(action="accept", content={"start": says == "yes"})

    return person


@both
def test_a_search_is_estimated_started_after_a_yes_and_followed(
    output: Path, owner: tuple[str, ...], talk: Talk
) -> None:
    asked: list[str] = []
    progress: list[tuple[float, float | None, str | None]] = []

    async def heard(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    async def ask(client: Any) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} >= NAMES
        result = await client.call_tool("estimate_search", {"settings": SETTINGS})
        estimate = result.structured_content
        assert estimate["limits"] == {"minutes": 5.0, "evaluations": 40}
        assert estimate["evaluations"] == 18
        assert "18 evaluations, no model calls" in estimate["in_words"]
        assert not list_runs(output)
        started = (await begun(client, SETTINGS)).structured_content
        result = await client.call_tool(
            "follow_search", {"run": started["run"], "seconds": 300}, progress_callback=heard
        )
        assert result.structured_content["ended"]
        assert result.structured_content["run"] == started["run"]

    talk(output, ask, *owner, person=person_who("yes", asked))
    (run,) = list_runs(output)
    assert run.status == "finished"
    with RunStore.read(run.folder) as store:
        assert store.config.budget.evaluations == 40
        assert store.spent().evaluations == 18
    (question,) = asked
    assert '"space": "tiny"' in question
    assert "18 evaluations" in question
    assert "40 evaluations" in question
    assert [done for done, _, _ in progress] == sorted({done for done, _, _ in progress})
    assert progress[-1] == (18, 40, "round 2 of 2, 18 networks evaluated")


@both
@pytest.mark.parametrize("says", ["no", "decline", "cancel"])
def test_without_a_yes_nothing_starts(
    output: Path, owner: tuple[str, ...], talk: Talk, says: str
) -> None:
    asked: list[str] = []

    async def ask(client: Any) -> None:
        result = await begun(client, SETTINGS, confirm="00000000")
        assert result.structured_content == {"run": None, "refused": "the person did not say yes"}

    talk(output, ask, *owner, person=person_who(says, asked))
    assert len(asked) == 1
    assert not list_runs(output)


def test_a_host_that_cannot_ask_starts_in_two_steps(output: Path, owner: tuple[str, ...]) -> None:
    async def ask(client: Any) -> None:
        for said in ({"confirm": "00000000"}, {"confirm": "true"}):
            result = await begun(client, SETTINGS, **said)
            assert result.is_error
            assert "expected the code of a start with these settings" in result.content[0].text
        first = (await begun(client, SETTINGS)).structured_content
        assert first["run"] is None
        assert "18 evaluations" in first["would_start"]
        other = await begun(client, SETTINGS | {"rounds": 5}, confirm=first["confirm"])
        assert other.is_error  # a code is for what was shown
        assert (await begun(client, SETTINGS, confirm=first["confirm"])).is_error  # and good once
        assert not list_runs(output)
        code = (await begun(client, SETTINGS)).structured_content["confirm"]
        run = (await begun(client, SETTINGS, confirm=code)).structured_content["run"]
        assert (await ended(client, run))["state"] == "finished"

    talk_by_stdio(output, ask, *owner)


def test_a_search_that_was_started_here_is_stopped_and_others_are_not(
    output: Path, tmp_path: Path, cell_tables: Path, begin: Callable[..., Path]
) -> None:
    foreign = begin(name="foreign")
    assert foreign.parent == output
    long = {"device": "toy", "dataset": "toy10", "accuracy": "table", "rounds": 1000}
    file = tmp_path / "owner.toml"
    file.write_text(f'data = "{cell_tables}"\nknowledge = "off"\n')
    owner = ["--searches", "trust", "--search-settings", str(file), "--max-evaluations", "9000"]

    async def ask(client: Any) -> None:
        run = (await begun(client, long)).structured_content["run"]
        again = await begun(client, long)
        assert again.is_error
        assert f"under way, found {run}" in again.content[0].text
        for name in (foreign.name, "last", "../x"):
            result = await client.call_tool("stop_search", {"run": name})
            assert result.is_error
        assert (await client.call_tool("stop_search", {"run": run})).structured_content == {
            "given": "d1"
        }
        assert (await ended(client, run))["state"] == "finished"
        more = {"run": foreign.name, "command": "/budget evaluations 9999"}
        result = await client.call_tool("steer", more)
        assert result.is_error
        assert "at most 9000 evaluations" in result.content[0].text

    talk_by_stdio(output, ask, *owner, "--steer", "trust")
    with RunStore.read(foreign) as store:
        assert store.directives() == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data": "/etc"}, "unknown setting 'data'"),
        ({"output": "/etc"}, "unknown setting 'output'"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "unknown setting 'base_url'"),
        ({"model": "openai:gpt-5"}, "is not offered to searches on this server"),
        ({"fallback": ["hand:/etc"]}, "is not offered to searches on this server"),
        ({"max_evaluations": 41}, "expected a budget of at most 40 evaluations"),
        ({"max_evaluations": -1}, "evaluations"),
        ({"rounds": "many"}, "rounds"),
        ({"rules_from": ["../../etc"]}, "there is no run"),
        ({"space": "/etc/passwd:X"}, "space"),
        ({"x" * 500: 1}, "unknown setting"),
    ],
)
def test_no_more_than_the_owner_allows(
    output: Path, tiny_tables: Path, settings: dict[str, Any], sentence: str
) -> None:
    from pelnas.app.mcp.searches import Allowed
    from pelnas.app.mcp.tools import server

    allowed = Allowed.of("trust", [], None, {"evaluations": 40}, 3)

    async def ask(client: Any) -> None:
        for tool in ("estimate_search", "start_search"):
            answered = await client.call_tool(tool, {"settings": settings})
            assert answered.is_error
            text = answered.content[0].text
            assert sentence in text
            assert text.count("\n") == 0
            assert len(text) < 1_200

    hold(server(output, allowed=allowed), ask)
    assert not output.exists()


def test_an_owner_who_says_nothing_has_no_search_started(output: Path) -> None:
    async def ask(client: Any) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names & NAMES == {"estimate_search", "follow_search"}
        result = await client.call_tool("estimate_search", {"settings": {"space": "tiny"}})
        assert not result.is_error, result.content
        assert (await begun(client, SETTINGS)).is_error

    talk_by_stdio(output, ask)
    assert not output.exists()


def test_so_many_searches_and_no_more(output: Path, owner: tuple[str, ...]) -> None:
    async def ask(client: Any) -> None:
        bad = await begun(client, SETTINGS | {"device": "nowhere"})
        assert bad.is_error
        assert "nowhere" in bad.content[0].text  # it has no run, and does not count
        run = (await begun(client, SETTINGS)).structured_content["run"]
        await ended(client, run)
        assert "allows 1 started searches" in (await begun(client, SETTINGS)).content[0].text

    talk_by_stdio(output, ask, *owner, "--searches", "trust", "--max-searches", "1")


def test_offered_models_need_a_limit_on_their_cost(tmp_path: Path) -> None:
    from pelnas.app.mcp.searches import Allowed

    with pytest.raises(ConfigError, match="give --max-dollars, --max-calls or --max-tokens"):
        Allowed.of("ask", ["openai:*"], None, {}, 3)
    file = tmp_path / "owner.toml"
    file.write_text("[budget]\ncalls = 20\nevaluations = 50\n")
    policy = Allowed.of("ask", ["openai:*"], file, {"dollars": 1}, 3).policy
    config = policy.settings({"model": "openai:toy", "budget": {"calls": 5}}, tmp_path)
    assert (config.budget.calls, config.budget.dollars) == (5, 1)
    assert config.budget.evaluations == 50
    for more in ({"calls": 21}, {"dollars": 2}, {"evaluations": 51}):
        with pytest.raises(InputError, match="of at most"):
            policy.settings({"budget": more}, tmp_path)
    done = warm.run(
        [COMMAND, "mcp", "--searches", "ask", "--search-model", "openai:*"],
        kind=warm.Full, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--max-dollars" in done.stderr
