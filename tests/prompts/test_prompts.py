from pathlib import Path

import pytest

from pelnas.errors import PromptError
from pelnas.prompts import Prompt, load_prompt


@pytest.mark.parametrize(
    "name", ["planner", "designer", "reflection", "conversation", "conversation_tools"]
)
def test_every_role_has_a_prompt_of_two_parts(name: str) -> None:
    prompt = load_prompt(name)
    assert prompt.system.strip()
    assert prompt.user.strip()
    assert prompt.variables


def test_values_are_filled_once_and_stay_data() -> None:
    prompt = Prompt("p", "Work on {{device}}.", "Parents: {{ parents }}")
    system, user = prompt.render({"device": "pi {{parents}}", "parents": "none"})
    assert system == "Work on pi {{parents}}."
    assert user == "Parents: none"


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(PromptError, match=r"unknown variable 'devise'.*device"):
        Prompt("p", "{{devise}}", "").render({"device": "pi"})


def test_a_run_overrides_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "planner.md").write_text("# System\nBe brief.\n# User\n{{round}}\n")
    assert load_prompt("planner", tmp_path).system.strip() == "Be brief."
    assert load_prompt("designer", tmp_path) == load_prompt("designer")


@pytest.mark.parametrize("text", ["no headings", "# User\nfirst\n# System\nsecond", ""])
def test_a_file_without_its_parts_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "planner.md").write_text(text)
    with pytest.raises(PromptError, match="# System"):
        load_prompt("planner", tmp_path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "planner.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PromptError, match="cannot be read"):
        load_prompt("planner", tmp_path)
