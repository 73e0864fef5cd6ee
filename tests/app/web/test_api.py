"""The JSON interface of the page: who is let in, what is answered, what is refused."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fakes import agents, one_rule, plan, proposed
from starlette.testclient import TestClient

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.app.main import run as command
from pelnas.app.web.candidates import fronts
from pelnas.app.web.library import Library
from pelnas.app.web.live import tail
from pelnas.app.web.server import Site, make_app
from pelnas.calls.call import Message
from pelnas.errors import ConfigError, RunError, StoreError
from pelnas.graph.chat.console import Talk
from pelnas.pareto import minimised, non_dominated
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore, find_run

PORT, TOKEN = 8123, "an-open-secret"
SPACE = get_space("tiny")
ADDRESSES = (
    "/", "/static/main.js", "/static/plotly.min.js", "/api/session", "/api/runs", "/api/runs/x",
    "/api/runs/x/events", "/nowhere",
)  # fmt: skip
EVIL = '<img src=x onerror="window.broken=1"></script>'


def client_of(output: Path) -> TestClient:
    """A browser that has opened the printed address."""
    app = make_app(output, TOKEN)
    client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    return client


def dealt(messages: Sequence[Message]) -> dict[str, Any]:
    count = len(messages[-1].content) % 30
    cells = [SPACE.format(SPACE.at(i * 7 % SPACE.size)) for i in range(count)]
    return proposed(cells, parents=[], rationale=EVIL)


#: Agents who put markup into every text.
answer = agents(plan([0], 5, EVIL), dealt, one_rule("avg_pool_3x3 >= 1", EVIL))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web") / "runs"


def settings(output: Path, tables: Path, **more: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "space": "tiny", "device": "toy", "dataset": "toy10", "data": tables, "accuracy": "table",
        "rounds": 3, "per_niche": 4, "output": output,
    }  # fmt: skip
    return SearchConfig(**(values | more))


@pytest.fixture(scope="module")
def designed(output: Path, tiny_tables: Path) -> str:
    """The name of a finished run whose models wrote markup."""
    model = ScriptedModel(answer)
    config = settings(
        output, tiny_tables, name="designed", model=model.name, base_url="http://hidden.example/v1"
    )
    return Search(config, {model.name: model}).run().folder.name


@pytest.fixture(scope="module")
def halted(output: Path, tiny_tables: Path) -> str:
    """The name of a run that has not begun its first round."""
    search = Search(settings(output, tiny_tables, name="halted"))
    search.session.close()
    return search.folder.name


@pytest.fixture
def client(output: Path, designed: str, halted: str) -> Iterator[TestClient]:
    client = client_of(output)
    yield client
    client.close()


# -- who is let in ----------------------------------------------------------------


@pytest.mark.parametrize("address", [a for a in ADDRESSES if not a.startswith(("/static", "/?"))])
def test_nothing_of_a_run_is_shown_without_the_token(output: Path, address: str) -> None:
    app = make_app(output, TOKEN)
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as stranger:
        if address == "/":  # the page itself is the package's own, and knows nothing
            assert TOKEN not in stranger.get(address).text
            return
        for offered in ("", f"?token={TOKEN}", f"?key={TOKEN}"):
            assert stranger.get(address + offered).status_code == 401
        for header in ("", "Bearer wrong", f"Bearer {TOKEN}x"):
            assert stranger.get(address, headers={"authorization": header}).status_code == 401
        stranger.cookies.set(f"pelnas-{PORT}", TOKEN)
        assert stranger.get(address).status_code == 401


def test_no_answer_sets_a_cookie(client: TestClient) -> None:
    for address in ADDRESSES:
        if not address.endswith("/events"):
            assert "set-cookie" not in client.get(address).headers


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "", "127.0.0.1:1"]
)
def test_other_names_of_this_machine_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("address", [*ADDRESSES[:-2], "/nowhere", "/api/runs/x"])
def test_every_answer_forbids_what_the_page_does_not_need(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("address", ["/api/runs", "/api/runs/x/talk"])
def test_writing_needs_the_token_the_origin_and_json(client: TestClient, address: str) -> None:
    assert client.post(address, json={}, headers={"authorization": "Bearer x"}).status_code == 401
    foreign = {"origin": "http://evil.example"}
    assert client.post(address, json={}, headers=foreign).status_code == 403
    assert client.post(address, json={}, headers={"origin": "null"}).status_code == 403
    plain = {"content-type": "text/plain"}
    assert client.post(address, content="{}", headers=plain).status_code == 415
    assert client.post(address, json=[]).status_code == 400
    wrong = {"content-type": "application/json"}
    assert client.post(address, content=b"\xff{", headers=wrong).status_code == 400
    assert client.post(address, json={"name": "x" * 70_000}).status_code == 413


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e", "..%2f..%2fetc", "%2fetc", "a%00b", "%0a"])
@pytest.mark.parametrize(
    "what", ["", "/candidates", "/rules", "/timeline", "/events", "/directives"]
)
def test_an_unknown_run_is_one_sentence_and_no_file(
    client: TestClient, name: str, what: str
) -> None:
    answered = client.get(f"/api/runs/{name}{what}")
    assert answered.status_code == 404
    assert answered.json()["error"]


def test_runs_of_other_folders_cannot_be_named(finished: Path) -> None:
    real = find_run(finished, "done")
    for name in (str(real), f"../{real.name}", "", ".", "..", f"{real.name}/", "a\0b"):
        with pytest.raises(RunError, match="there is no run"):
            Library(real / "inside").folder(name)
    assert Library(finished).folder(real.name) == real


@pytest.mark.parametrize("live", [False, True], ids=["finished", "live"])
def test_those_who_ask_the_same_at_once_share_one_computation(
    output: Path, designed: str, live: bool
) -> None:
    """Also of a run to which somebody writes: they want to know how it is now, not each a bit later."""
    library, built = Library(output), []
    together = threading.Barrier(20)

    def build(store: RunStore) -> int:
        time.sleep(0.2)  # long enough for all the others to have asked
        if live:
            os.utime(store.folder / "run.sqlite")
        built.append(store.name)
        return len(built)

    def ask(_: int) -> int:
        together.wait(30)
        return library.answer(designed, "how many", build)

    with ThreadPoolExecutor(20) as askers:
        answers = set(askers.map(ask, range(20)))
    assert len(built) <= 2, "the second is for who asked after the first had begun"
    assert answers <= {1, 2}
    assert live or library.answer(designed, "how many", build) == len(built)


def test_a_computation_that_fails_fails_for_nobody_else(output: Path, designed: str) -> None:
    library = Library(output)

    def fail(_: RunStore) -> int:
        raise RunError("not this time")

    with pytest.raises(RunError, match="not this time"):
        library.answer(designed, "it", fail)
    assert library.answer(designed, "it", lambda _: 7) == 7


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "%2e%2e/server.py",
        "..%2fserver.py",
        "%2e%2e%2f%2e%2e%2fmain.py",
        "/etc/passwd",
    ],
)
def test_no_file_outside_the_static_folder_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_scripts_and_styles_are_the_packages_own(client: TestClient) -> None:
    page = client.get("/").text
    assert "http" not in page
    for line in page.splitlines():
        for part in ('src="', 'href="/static'):
            if part in line:
                address = line.partition(part.split("/")[0])[2].partition('"')[0]
                assert client.get(address).status_code == 200
    script = client.get("/static/plotly.min.js")
    assert "plotly.js v" in script.text[:200]
    assert "immutable" in script.headers["cache-control"]


# -- what is answered -------------------------------------------------------------


def test_runs_are_listed_with_their_state(client: TestClient, designed: str, halted: str) -> None:
    states = {run["name"]: run["status"] for run in client.get("/api/runs").json()}
    assert states[designed] == "finished"
    assert states[halted] == "stopped"


def test_the_head_of_a_run_tells_spend_and_hides_addresses(
    client: TestClient, designed: str
) -> None:
    head = client.get(f"/api/runs/{designed}").json()
    assert head["status"] == "finished"
    assert head["spent"]["evaluations"] == 36
    assert head["spent"]["calls"] > 0
    assert len(head["niches"]) == 3
    assert {budget["name"] for budget in head["budgets"]} >= {"calls", "tokens", "minutes"}
    assert "hidden.example" not in json.dumps(head)


def test_columns_hold_every_candidate_and_the_reports_front(
    client: TestClient, output: Path, designed: str
) -> None:
    columns = client.get(f"/api/runs/{designed}/candidates").json()
    with RunStore.read(output / designed) as store:
        evaluations = store.evaluations()
    places = zip(columns["round"], columns["niche"], columns["slot"], strict=True)
    ids = [f"r{r}n{n}c{c}" for r, n, c in places]
    assert ids == [e.id for e in evaluations]
    assert columns["score"] == pytest.approx([e.score for e in evaluations])
    assert columns["latency"] == pytest.approx([e.latency_ms for e in evaluations])
    authors = [columns["authors"][number] for number in columns["author"]]
    assert authors == [e.candidate.design.author for e in evaluations]
    front = json.loads((output / designed / "front.json").read_text())
    assert [ids[place] for place in columns["fronts"][-1]] == [point["id"] for point in front]


def test_the_front_of_every_round_is_that_of_all_candidates_so_far(
    output: Path, designed: str
) -> None:
    with RunStore.read(output / designed) as store:
        evaluations = store.evaluations()
        found = fronts(evaluations)
        assert len(found) == 3
        for round_, front in enumerate(found):
            until = store.evaluations(through_round=round_)
            mask = non_dominated(minimised([e.latency_ms for e in until], [e.score for e in until]))
            expected = {e.id for e, kept in zip(until, mask, strict=True) if kept}
            assert {evaluations[place].id for place in front} == expected
    assert fronts([]) == []


def test_a_candidate_tells_where_it_comes_from(
    client: TestClient, output: Path, designed: str
) -> None:
    with RunStore.read(output / designed) as store:
        evaluations = store.evaluations()
        child = next(
            e for e in evaluations if e.candidate.design.parents and e.candidate.round == 2
        )
        born = next(e for e in evaluations if e.candidate.design.call)
    found = client.get(f"/api/runs/{designed}/candidates/{child.id}").json()
    assert {parent["id"] for parent in found["parents"]} == set(child.candidate.design.parents)
    assert found["drawing"].startswith("<svg")
    parent = client.get(f"/api/runs/{designed}/candidates/{found['parents'][0]['id']}").json()
    assert child.id in {one["id"] for one in parent["children"]}
    assert {a["id"] for a in parent["parents"]} <= {
        a["id"] for a in found["ancestors"] + found["parents"]
    }
    modelled = client.get(f"/api/runs/{designed}/candidates/{born.id}").json()
    assert modelled["rationale"] == EVIL
    call = client.get(f"/api/runs/{designed}/calls/{modelled['call']}").json()
    assert call["answer"]
    assert [message["role"] for message in call["messages"]][:2] == ["system", "user"]


@pytest.mark.parametrize(
    "what", ["candidates/r99n0c0", "calls/r0.nobody.a0", "calls/%2e%2e", "timeline/99"]
)
def test_what_a_run_does_not_have_is_one_sentence(
    client: TestClient, designed: str, what: str
) -> None:
    answered = client.get(f"/api/runs/{designed}/{what}")
    assert answered.status_code == 404
    assert answered.json()["error"]


def test_niches_tell_their_gap_and_spend(client: TestClient, designed: str) -> None:
    found = client.get(f"/api/runs/{designed}/niches").json()
    assert sum(row["evaluations"] for row in found["niches"]) == 36
    assert sum(row["calls"] for row in found["niches"]) > 0
    assert any(row["gap"] and row["gap"]["low"] < row["gap"]["high"] for row in found["niches"])
    assert {rate["agent"] for rate in found["rates"]} == {"planner", "designer", "reflection"}
    growth = client.get(f"/api/runs/{designed}/growth").json()
    assert growth["hypervolume"] == sorted(growth["hypervolume"])


def test_rules_tell_evidence_and_history(client: TestClient, designed: str) -> None:
    (rule,) = [r for r in client.get(f"/api/runs/{designed}/rules").json() if r["text"] == EVIL]
    assert [then["round"] for then in rule["history"]] == [0, 1, 2]
    assert rule["history"][-1]["status"] == rule["status"]
    assert rule["evidence"]


def test_the_timeline_of_a_round_holds_every_agent_and_its_calls(
    client: TestClient, designed: str
) -> None:
    rounds = client.get(f"/api/runs/{designed}/timeline").json()
    assert [row["round"] for row in rounds] == [0, 1, 2]
    assert all(row["calls"] > 0 and row["began"] <= row["ended"] for row in rounds)
    found = client.get(f"/api/runs/{designed}/timeline/1").json()
    assert {span["agent"] for span in found["spans"]} >= {"planner", "designer", "reflection"}
    assert sum(bool(span["call"]) for span in found["spans"]) == rounds[1]["calls"]
    assert all(span["depth"] == 2 for span in found["spans"] if span["call"])


def test_a_run_without_evaluations_is_answered_too(client: TestClient, halted: str) -> None:
    for what in ("", "/candidates", "/growth", "/niches", "/rules", "/timeline", "/directives"):
        assert client.get(f"/api/runs/{halted}{what}").status_code == 200


# -- live ---------------------------------------------------------------------------


def test_events_follow_from_a_place_on_and_the_state_is_told(output: Path, designed: str) -> None:
    async def first(number: int, after: int) -> list[bytes]:
        messages = tail(RunStore.read(output / designed), after)
        found = [await anext(messages) for _ in range(number)]
        await messages.aclose()
        return found

    with RunStore.read(output / designed) as store:
        events = store.events()
    got = asyncio.run(first(3, events[-3].seq))
    assert [message.split(b"\n")[0] for message in got[:2]] == [
        f"id: {event.seq}".encode() for event in events[-2:]
    ]
    assert json.loads(got[1].partition(b"data: ")[2])["kind"] == "run-finished"
    assert asyncio.run(first(1, events[-1].seq)) == [b'event: state\ndata: "finished"\n\n']


def test_what_is_followed_ends_with_the_server(output: Path, designed: str) -> None:
    """Else Ctrl-C would wait for pages that are open, and complain about them."""

    async def all_of(store: RunStore) -> list[bytes]:
        return [message async for message in tail(store, 0, lambda: True)]

    store = RunStore.read(output / designed)
    assert asyncio.run(all_of(store)) == []
    with pytest.raises(StoreError, match="is closed"):
        store.events()


@pytest.mark.parametrize("after", ["-1", "x", "1" * 40, "\u0663"])
def test_a_place_that_is_no_number_is_refused(
    client: TestClient, designed: str, after: str
) -> None:
    assert client.get(f"/api/runs/{designed}/events", params={"after": after}).status_code == 400


# -- starting and steering ------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"output": "runs"}, {"rounds": 0}, {"rounds": "many"}, {"seed": [1]}, {"config": "x"}]
)
def test_settings_that_cannot_be_are_refused_before_anything_starts(
    client: TestClient, given: dict[str, Any]
) -> None:
    answered = client.post("/api/runs", json=given)
    assert answered.status_code == 400
    assert "setting" in answered.json()["error"]
    assert client.get("/api/starts/0").status_code == 404


def test_a_search_that_cannot_begin_says_why(client: TestClient) -> None:
    started = client.post("/api/runs", json={"space": "tiny", "device": "--nowhere"}).json()
    state: dict[str, Any] = {"ended": False}
    end = time.monotonic() + 120
    while not state["ended"] and time.monotonic() < end:
        time.sleep(0.3)
        state = client.get(f"/api/starts/{started['number']}").json()
    assert state["run"] == ""
    assert "--nowhere" in state["problem"]


def say(client: TestClient, run: str, line: Any, talk: Any = "mine") -> Any:
    """What is answered to a line of a conversation."""
    return client.post(f"/api/runs/{run}/talk", json={"talk": talk, "line": line}).json()


def test_a_directive_is_said_back_and_then_given(client: TestClient, halted: str) -> None:
    at = f"/api/runs/{halted}/directives"
    reply = say(client, halted, "/ban   nor_conv_1x1")
    assert reply["says"] == ["I understand: design nothing with nor_conv_1x1. Yes or no?"]
    assert reply["waiting"]
    assert client.get(at).json() == []
    assert not say(client, halted, "yes", "another")["waiting"]  # has nothing to say yes to
    assert client.get(at).json() == []
    given = say(client, halted, "yes")
    assert given["says"][0].startswith("d1: design nothing with nor_conv_1x1")
    assert not given["waiting"]
    (row,) = client.get(at).json()
    assert row["status"] == "pending"
    assert row["words"] == "/ban nor_conv_1x1"


@pytest.mark.parametrize(
    "asked", ["/limit latency<=0", "please be quick", "/ban no_such_thing", "/stop now", EVIL]
)
def test_what_cannot_be_obeyed_is_answered_with_the_reason(
    client: TestClient, halted: str, asked: str
) -> None:
    before = client.get(f"/api/runs/{halted}/directives").json()
    reply = say(client, halted, asked)
    assert reply["says"][0]
    assert not reply["waiting"]
    assert client.get(f"/api/runs/{halted}/directives").json() == before


@pytest.mark.parametrize("line", ["", None, 3, "x" * 5_000])
def test_a_line_that_is_none_is_refused(client: TestClient, halted: str, line: Any) -> None:
    assert "expected line" in say(client, halted, line)["error"]
    assert "expected talk" in say(client, halted, "/status", line)["error"]


def test_questions_are_answered_as_in_the_terminal(
    client: TestClient, output: Path, designed: str
) -> None:
    talk = Talk(output, designed, "ann")
    with RunStore.read(output / designed) as store:
        best = front_points(store)[-1]
    for line in (
        f"/why {best.id}",
        "/front",
        "/status",
        "/rules all",
        "/within 4",
        "/help",
        "what?",
    ):
        reply = say(client, designed, line)
        assert reply["says"] == talk.say(line)
    assert best.id in say(client, designed, f"/why {best.id}")["says"][0]
    forms = client.get("/api/session").json()["grammar"]
    assert [form["form"].split()[0] for form in forms["questions"]][-1] == "/help"
    assert "/pause" in [form["form"] for form in forms["orders"]]


def test_free_words_are_read_by_the_model_that_the_server_was_given(
    output: Path, halted: str
) -> None:
    model = ScriptedModel(['{"intent": "pause"}'] * 2)
    app = make_app(output, TOKEN, model=model)
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert say(client, halted, "/status")["cost"] == ""
        reply = say(client, halted, "hold it, and then end")
        assert "pause" in reply["says"][0]
        calls = f"this conversation: {len(model.requests)} model call"
        assert reply["cost"].startswith(calls)
        assert reply["cost"].endswith(" tokens, $0.00")
        assert say(client, halted, "/status", "another")["cost"] == ""
    assert len(model.requests) == 2


def test_a_finished_run_cannot_be_steered(client: TestClient, designed: str) -> None:
    reply = say(client, designed, "/pause")
    assert "finished" in reply["says"][0]
    assert not reply["waiting"]


# -- the command ------------------------------------------------------------------------


def test_the_command_names_a_run_that_exists_and_a_port_that_is_free(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["ui", "nothing", "--output", str(finished)]) == 2
    assert "there is no run" in capsys.readouterr().err
    site = Site(finished)
    with pytest.raises(ConfigError, match=f"port {site.port} cannot be used"):
        Site(finished, site.port)
    assert command(["ui", "--output", str(finished), "--port", "70000"]) == 2
    site.close()
    assert site.address.endswith(f"/#key={site.token}"), "what follows # is sent to nobody"
