"""Names that the parts of a split go by: what is to be learned from, and what is held out."""

import re

TRAIN = "train"
TRAINING = frozenset((TRAIN, "training", "trn"))
HELD_OUT = frozenset(
    ("dev", "eval", "evaluation", "holdout", "test", "testing", "tst", "val", "valid", "validation")
)
_FILLERS = frozenset(("data", "dataset", "folder", "images", "img", "imgs", "set", "split"))
_ONE_WORD = {"heldout": "holdout", "trainset": TRAIN, "testset": "test", "valset": "val"}
_TWO_WORDS = re.compile(r"\b(held|hold)[\W_]*out\b")


def is_training(name: str) -> bool:
    """Whether a part of this name is to be learned from: train, Training, train_images."""
    words = _words(name)
    return bool(words & TRAINING) and words <= TRAINING | _FILLERS


def is_part(name: str) -> bool:
    """Whether this names a part of a split and nothing else: Train, Testing, val_set, hold-out."""
    words = _words(name)
    return bool(words & (TRAINING | HELD_OUT)) and words <= TRAINING | HELD_OUT | _FILLERS


def hints_at_part(name: str) -> bool:
    """Whether some word of a name speaks of a part: seg_train, my test, train2017."""
    return bool(_words(name) & (TRAINING | HELD_OUT))


def _words(name: str) -> frozenset[str]:
    joined = _TWO_WORDS.sub("holdout", name.casefold().replace("_", " "))
    return frozenset(_ONE_WORD.get(word, word) for word in re.findall(r"[^\W\d_]+", joined))
