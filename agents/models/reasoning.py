"""Models' reasoning inside their text: found by its marks, and taken off before the answer.

Servers that do not separate a model's reasoning leave it in the text, as ``<think>…</think>``
or in the marks of another family; some send only the closing mark, since the opening one is in
the template. Where the reasoning was cut off there is no closing mark, and no answer.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence

_TAG = r"(?:\w+:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis)"
_OPEN = (
    rf"<{_TAG}>|\[THINK(?:ING)?\]|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>"
    r"|<\|channel>thought\b|<unused94>"
)
_CLOSE = (
    rf"</{_TAG}>|\[/THINK(?:ING)?\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>"
    r"|<channel\|>|<unused95>"
)
_MARK = re.compile(rf"(?P<open>{_OPEN})|(?:{_CLOSE})", re.IGNORECASE)
_QUOTES = "`'\""  # a mark between two of them is spoken of, not meant
# Harmony, the form of gpt-oss; the second one as it reads without its special tokens.
_HARMONY = re.compile(r"<\|channel\|>\s*(?P<name>\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_BARE_HARMONY = re.compile(r"\s*analysis(?=\S).*?assistantfinal", re.DOTALL)
_FRAME = re.compile(
    r"<\|(?:return|end|call|start)\|>(?:assistant)?|</?answer>"
    r"|<\|(?:START|END)_RESPONSE\|>|<\|(?:begin|end)_of_solution\|>"
)


def without_reasoning(text: str, verbatim: Sequence[tuple[int, int]] = ()) -> str:
    """What a model says beside its reasoning, stripped; '' where it is reasoning to the end.

    Text before a closing mark that nothing opened is reasoning, and so is text after an
    opening mark that nothing closes. Marks within backticks or quotes, or in the parts
    ``verbatim`` (begin, end; in order), are text.
    """
    if "<|channel|>" in text:
        return _final_channel(text)
    bare = _BARE_HARMONY.match(text)
    if bare is not None:
        return text[bare.end() :].strip()
    kept: list[str] = []
    begin, inside = 0, False
    for mark in _MARK.finditer(text):
        if _is_quoted(text, mark) or _is_within(mark.start(), verbatim):
            continue
        if mark["open"] is None:
            kept, inside = (kept if inside else []), False
            begin = mark.end()
        elif not inside:
            kept.append(text[begin : mark.start()])
            inside = True
    if not inside:
        kept.append(text[begin:])
    return _FRAME.sub("", "".join(kept)).strip() if begin or inside else text.strip()


def shortened(text: str, limit: int) -> str:
    """The text, at most ``limit`` characters of it; reasoning is what is left out first."""
    return text if len(text) <= limit else without_reasoning(text)[:limit]


def has_marks(text: str) -> bool:
    """Whether a text has any mark of reasoning, meant as one or not."""
    return _MARK.search(text) is not None


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return bool(before) and before == after and before in _QUOTES


def _is_within(place: int, parts: Sequence[tuple[int, int]]) -> bool:
    before = bisect_right(parts, place, key=lambda part: part[0]) - 1
    return before >= 0 and place < parts[before][1]


def _final_channel(text: str) -> str:
    """The text of the last message of the channel ``final``; '' where there is none."""
    messages = list(_HARMONY.finditer(text))
    finals = [message for message in messages if message["name"] == "final"]
    if not finals:
        return ""
    after = text[finals[-1].end() :]
    return _FRAME.split(after, maxsplit=1)[0].strip()
