"""An address is shown without what may be a key, and otherwise as it is."""

import pytest

from pelnas.inputs.address import HIDDEN, secrets, shown, split_query

KEY = "planted-4f1d9c2b7a"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1/",
        "https://openrouter.ai/api/v1",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "https://host.example/openai/deployments/gpt-4o-mini-2024-07-18?api-version=2024-10-21",
        "https://host.example/serving-endpoints",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "http://localhost:12434/engines/llama.cpp/v1",
    ],
)
def test_an_address_without_a_key_is_shown_as_it_is(url: str) -> None:
    assert shown(url) == url
    assert secrets(url) == ()


@pytest.mark.parametrize("key", [KEY, "sk-abcdefgh", "3f2b8c1e-8d2e-4b1f-9a67", "Zm9vYmFyYmF6cXV4"])
@pytest.mark.parametrize(
    "form",
    ["http://h/{}/v1", "http://h/v1?key={}&api-version=1", "http://me:{}@h/v1", "http://h/v1?{}"],
)
def test_a_key_is_not_shown_and_can_be_looked_for(form: str, key: str) -> None:
    url = form.format(key)
    assert key not in shown(url)
    assert HIDDEN in shown(url)
    assert key in secrets(url)
    assert shown(shown(url)) == shown(url)
    assert secrets(shown(url)) == ()


def test_what_is_no_address_is_not_shown() -> None:
    assert shown(f"http://[{KEY}") == HIDDEN


def test_the_query_is_split_off() -> None:
    assert split_query("http://h:1/v1?key=a%20b&x=") == ("http://h:1/v1", {"key": "a b", "x": ""})
    assert split_query("http://h:1/v1") == ("http://h:1/v1", {})
