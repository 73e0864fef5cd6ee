"""Valid inputs made wrong: what a random generator hardly ever hits lies right beside them."""

import random
import re
import struct
from typing import Any

NUMBERS = (
    "0", "-1", "-0", "0.5", "1e308", "-1e308", "1e400", "1e-400", "nan", "inf", "-inf", "NaN",
    "Infinity", "65536", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "9" * 400, "9" * 5_000, "0x" + "f" * 40, "1_000", "٣", "1.", ".5", "+7",
    "1e5", "1000000000000", "00", "1,5", "",
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202eback", "\ud800", "ä" * 130,
    "x" * 256, "x" * 5_000, "../../../odd/passwd", "/odd/zero", "/", "~", "~root", "$(id)", "%s%n",
    "'; DROP TABLE runs; --", "\r\n", "[" * 3_000, '{"a":' * 300, "none", "null", "true", "last",
    "-", "--", "=", "#", "\ufeff", "🤖", "a\tb", "<script>alert(1)</script>", "e\u0301", "🏴‍☠️" * 50,
    "\x7f\x80\x9b31m",
)  # fmt: skip
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BYTES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\0" * 64)


def text(rng: random.Random, given: str) -> str:
    """A text with one to three faults."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        given = rng.choice(_OF_TEXT)(rng, given)
    return given


def _place(rng: random.Random, given: Any) -> tuple[int, int]:
    start = rng.randint(0, len(given))
    return start, min(len(given), start + rng.choice((0, 1, 2, 5, 20)))


def _cut(rng: random.Random, given: str) -> str:
    start, end = _place(rng, given)
    return given[:start] + given[end:]


def _end(rng: random.Random, given: str) -> str:
    return given[: rng.randint(0, len(given))]


def _insert(rng: random.Random, given: str) -> str:
    start, end = _place(rng, given)
    return given[:start] + rng.choice(TEXTS) + given[end:]


def _letter(rng: random.Random, given: str) -> str:
    start, end = _place(rng, given)
    return (
        given[:start]
        + chr(rng.choice((rng.randint(1, 127), rng.randint(128, 0x2FFF))))
        + given[end:]
    )


def _number(rng: random.Random, given: str) -> str:
    found = list(_NUMBER.finditer(given))
    if not found:
        return given + rng.choice(NUMBERS)
    one = rng.choice(found)
    return given[: one.start()] + rng.choice(NUMBERS) + given[one.end() :]


def _again(rng: random.Random, given: str) -> str:
    start, end = _place(rng, given)
    return given[:end] + given[start:end] * rng.choice((1, 2, 50)) + given[end:]


def _swap(rng: random.Random, given: str) -> str:
    words = given.split(" ")
    rng.shuffle(words)
    return " ".join(words)


_OF_TEXT = (_cut, _end, _insert, _letter, _number, _number, _again, _swap)


def data(rng: random.Random, given: bytes) -> bytes:
    """Bytes with some of them flipped, overwritten, cut, or doubled."""
    found = bytearray(given)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(found) + 1)
        match rng.randrange(7):
            case 0 if found:
                found[place % len(found)] ^= 1 << rng.randrange(8)
            case 1 if found:
                found[place % len(found)] = rng.randrange(256)
            case 2:
                piece = rng.choice(_BYTES)
                found[place : place + len(piece)] = piece
            case 3 if rng.random() < 0.3:
                del found[place:]
            case 4:
                del found[place : place + rng.choice((1, 4, 32))]
            case 5:
                found[place:place] = rng.randbytes(rng.choice((1, 4, 32)))
            case _:
                number = rng.choice((0, 1, 2**15, 2**31 - 1, 2**32 - 1, rng.getrandbits(32)))
                found[place : place + 4] = struct.pack(rng.choice("<>") + "I", number)
    return bytes(found)


def value(rng: random.Random, given: Any) -> Any:
    """Plain values as JSON has them, with one part of them replaced, left out or added."""
    if isinstance(given, dict) and given and rng.random() < 0.85:
        name = rng.choice(list(given))
        changed = dict(given)
        how = rng.random()
        if how < 0.1:
            del changed[name]
        elif how < 0.2:
            changed[rng.choice(TEXTS)] = odd(rng)
        else:
            changed[name] = value(rng, given[name])
        return changed
    if isinstance(given, list) and given and rng.random() < 0.85:
        place = rng.randrange(len(given))
        changed_list = list(given)
        changed_list[place] = value(rng, given[place])
        return changed_list * rng.choice((1, 1, 1, 1, 40))
    if isinstance(given, str) and rng.random() < 0.5:
        return text(rng, given)
    return odd(rng)


def odd(rng: random.Random) -> Any:
    """A value that nobody expects."""
    deep: Any = []
    for _ in range(rng.choice((5, 70, 300))):
        deep = rng.choice(([deep], {"a": deep}))
    return rng.choice(
        (None, True, False, 0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, -0.0, 1e308, 5e-324, [], {},
         [[]], ["a", 1], {"a": {}}, deep, rng.choice(TEXTS), rng.choice(NUMBERS), rng.random()),
    )  # fmt: skip
