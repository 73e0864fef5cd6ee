"""A GGUF file in this process, with a real and very small model."""

import json
import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from pelnas.agents.models.connection import connect
from pelnas.agents.models.json_answer import read_answer
from pelnas.calls.call import Message
from pelnas.errors import ModelCallError, ModelError

pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")


class Choice(BaseModel):
    operation: Literal["skip", "pool"]
    count: int = Field(ge=1, le=3)


ASKED = [Message("system", "You choose an operation."), Message("user", "Which one?")]


def test_the_answer_is_held_to_the_schema_and_counted(loaded_smollm2: Path) -> None:
    model = connect(f"local:{loaded_smollm2}", temperature=0.0)
    reply = model.ask(ASKED, Choice)
    choice, problem = read_answer(reply.text, Choice)
    assert choice is not None, problem
    assert model.name == f"local:{loaded_smollm2}"
    assert reply.model == loaded_smollm2.name
    assert 0 < reply.usage.tokens_out <= 60
    assert reply.usage.tokens_in > 10
    assert model.ask(ASKED, Choice).text == reply.text
    model.close()


def test_options_are_weighed_by_how_likely_they_follow(loaded_smollm2: Path) -> None:
    model = connect(f"local:{loaded_smollm2}")
    options = [" blue", " green", " Wednesday"]
    ends = ["Grass is green. The sky is", "The sky is blue. Grass is", "After Tuesday comes"]
    weighed = model.option_logprobs("Milk is white. ", ends, options)
    assert json.loads(weighed.reply.text) == options
    for log in weighed.logs:
        assert list(log) == options
        assert sum(math.exp(value) for value in log.values()) < 1
    assert weighed.reply.usage.tokens_out == len(ends)
    assert weighed.reply.usage.tokens_in > 20
    assert model.option_logprobs("Milk is white. ", ends, options).logs[0][
        " blue"
    ] == pytest.approx(weighed.logs[0][" blue"], abs=0.05)
    nothing_to_draw = ["\ud800", "😀" * 9, "Bye.<|im_end|>\n", "¿Qué has "]
    assert len(model.option_logprobs("\udcff ", nothing_to_draw, options).logs) == len(
        nothing_to_draw
    )
    with pytest.raises(ModelCallError, match="longer than its context"):
        model.option_logprobs("word " * 9000, [""], options)
    model.close()


def test_threads_take_turns_and_a_file_is_loaded_once(smollm2: Path, tmp_path: Path) -> None:
    from pelnas.agents.models import gguf

    file = Path(shutil.copy(smollm2, tmp_path)).resolve()  # which no other test has loaded
    first, second = connect(f"local:{file}"), connect(f"local:{file}")
    assert file in gguf._ENGINES
    assert first._engine is second._engine  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda model: model.ask(ASKED, Choice), (first, second)))
    assert all(read_answer(reply.text, Choice)[0] for reply in replies)
    first.close()
    assert second.ask(ASKED, Choice).text
    second.close()
    second.close()
    assert file not in gguf._ENGINES


def test_llama_cpp_as_a_server_is_held_by_the_schema_at_the_first_request(
    smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked by a tool call it would talk until its tokens end: it must not come to that."""
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    import xllamacpp

    from pelnas.agents.models.gguf import _parameters

    parameters = _parameters(xllamacpp.CommonParams(), smollm2)
    parameters.api_keys = ["a-key-of-this-test"]
    server = xllamacpp.Server(parameters)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-this-test")
    model = connect("openai:any", base_url=f"{server.listening_address}/v1")
    reply = model.ask(ASKED, Choice)
    assert read_answer(reply.text, Choice)[0] is not None
    assert reply.rung == "the provider's own schema"
    assert 0 < reply.usage.tokens_out <= 60


def test_a_prompt_beyond_the_context_is_one_clear_sentence(loaded_smollm2: Path) -> None:
    model = connect(f"local:{loaded_smollm2}")
    with pytest.raises(ModelCallError, match=r"longer than its context \(90\d\d tokens.*8192\)"):
        model.ask([Message("user", "word " * 9000)], Choice)
    model.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "found No such file"),
        (b"PK\x03\x04 a zip", "a file that begins with b'PK"),
        (b"", "a file that begins with b''"),
        (b"GGUF", "llama.cpp cannot load"),
        (b"GGUF\x03\0\0\0" + b"\0" * 100, "llama.cpp cannot load"),
    ],
)
def test_a_file_that_is_no_model_is_refused_at_once(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "model.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        connect(f"local:{file}")


def test_a_missing_runtime_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ModelError, match=r"pip install -c constraints.txt -e '\.\[local\]'"):
        connect(f"local:{tmp_path / 'model.gguf'}")


def test_the_terminal_stays_quiet_and_the_process_ends(smollm2: Path) -> None:
    code = (
        "import sys; from pelnas.agents.models.connection import connect;"
        "from pelnas.calls.call import Message; from pydantic import create_model;"
        "model = connect('local:' + sys.argv[1]);"
        "print(len(model.ask([Message('user', 'x')], create_model('A', n=(bool, ...))).text) > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(smollm2)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
