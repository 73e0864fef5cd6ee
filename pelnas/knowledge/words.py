"""Text as vectors without a model: hashed letters in threes, so that pooling meets avg_pool_3x3."""

import hashlib
import re

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
LEAST = 3  # letters of a word that is looked at
_WORD = re.compile(r"[a-z0-9]+")
#: What people call devices of known names, by how these names begin.
CALLED = {
    "edgegpu": "gpu graphics jetson",
    "edgetpu": "tpu accelerator",
    "eyeriss": "asic accelerator",
    "fpga": "fpga accelerator",
    "host": "this machine computer",
    "iphone": "phone mobile apple",
    "pixel": "phone mobile android",
    "raspi": "raspberry board arm",
    "samsung": "phone mobile android",
}
#: Words of questions that say nothing about what is asked.
_EMPTY = frozenset(
    {
        "what",
        "about",
        "know",
        "known",
        "the",
        "and",
        "for",
        "are",
        "does",
        "with",
        "you",
        "tell",
        "which",
        "how",
        "that",
        "this",
        "rules",
        "rule",
        "have",
        "learned",
        "learnt",
        "anything",
        "there",
        "any",
        "all",
        "our",
        "has",
        "was",
        "were",
        "been",
    }
)


def embedded(text: str) -> NDArray[np.float64]:
    """A vector (DIMENSIONS,) of norm 1; of text without words a fixed one."""
    found = np.zeros(DIMENSIONS)
    for word in _WORD.findall(text.lower()):
        if len(word) < LEAST or word in _EMPTY:
            continue
        padded = f"<{word}>"
        for start in range(len(padded) - 2):
            place, sign = _hashed(padded[start : start + 3])
            found[place] += sign
    norm = float(np.linalg.norm(found))
    if not norm:
        found[0] = norm = 1.0
    return found / norm


def called(device: str) -> str:
    """Other words for a device, '' where none are known."""
    return next((words for name, words in CALLED.items() if device.startswith(name)), "")


def _hashed(token: str) -> tuple[int, float]:
    """Place and sign, the same in every process (feature hashing, Weinberger 2009)."""
    number = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest())
    return (number >> 1) % DIMENSIONS, 1.0 if number & 1 else -1.0
