"""What models and providers wrote, made safe to look at in a terminal."""

import unicodedata

_PICTURES = 0x2400  # Unicode's pictures of the control characters begin here
_DELETE = 0x7F
_KEPT = "\n\t"
_DROPPED = dict.fromkeys(map(ord, _KEPT))


def visible(text: str) -> str:
    """The text with every character shown that would act instead of being seen.

    Control characters become their pictures (an escape is ``␛``), what reorders
    or hides text becomes its number (``⟨U+202E⟩``). Ends of lines and tabs stay.
    """
    if text.translate(_DROPPED).isprintable():  # most texts: nothing in them acts
        return text
    return "".join(c if c in _KEPT or not _acts(c) else _shown(c) for c in text)


def one_line(text: str, limit: int = 120) -> str:
    """The beginning of a text on one line, made visible."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _acts(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else f"⟨U+{code:04X}⟩"
