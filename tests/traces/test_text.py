"""What models wrote cannot act on a terminal."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pelnas.traces.text import one_line, visible


def test_control_characters_are_shown() -> None:
    assert visible("\x1b[31mred\x07\r\x00") == "␛[31mred␇␍␀"
    assert visible("a\u202eb\u200bc\x9b") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+009B⟩"
    assert visible("\x7f") == "␡"
    assert visible("a\tb\nç 漢 🙂") == "a\tb\nç 漢 🙂"


@given(st.text())
def test_nothing_that_is_shown_acts(text: str) -> None:
    acting = {unicodedata.category(c) for c in visible(text) if c not in "\t\n"}
    assert not acting & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_harmless_text_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text(), st.integers(2, 50))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
