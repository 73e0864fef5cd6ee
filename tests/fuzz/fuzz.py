"""Knock at every door with inputs beside the valid ones.

    python tests/fuzz/fuzz.py --inputs 20000 --seed 1
    python tests/fuzz/fuzz.py --door toml --seed 1 --number 345     # one of them again

Says how many inputs came to each door. A fault is shown with the command that repeats it.
"""

import argparse
import faulthandler
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

sys.path.insert(1, str(Path(__file__).parents[1]))  # behind this folder, which is there already

from doors import DOORS, KEY, Door
from ground import Ground

LIMIT = 30  # seconds that one input may take
SHOWN = 1_000  # characters of an input


@dataclass(frozen=True)
class Fault:
    """What came of an input that should not have."""

    door: str
    seed: int
    number: int
    given: str
    trace: str

    @property
    def place(self) -> str:
        """The last line of the program's own that the trace names, and what was raised there."""
        own = [line for line in self.trace.splitlines() if line.startswith('  File "')]
        own = [line for line in own if "site-packages" not in line and "/lib/python" not in line]
        return f"{own[-1].strip() if own else ''} {self.trace.strip().splitlines()[-1][:60]}"

    def __str__(self) -> str:
        again = f"python tests/fuzz/fuzz.py --door {self.door} --seed {self.seed} --number {self.number}"
        return f"{again}\n  input: {self.given[:SHOWN]}\n  {self.place}\n{self.trace}"


class TooLong(BaseException):
    """An input took longer than ``LIMIT``; no handler of the program may take it for its own."""


def knock(door: Door, seed: int, number: int) -> Fault | None:
    """Hand in one input, which seed and number name."""
    given = door.draw(random.Random(f"{seed}/{door.name}/{number}"))
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        door.knock(given)
    except (Exception, SystemExit, TooLong):  # noqa: BLE001 - whatever it is, it is the find
        return Fault(door.name, seed, number, repr(given), traceback.format_exc(limit=-12))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong(f"longer than {LIMIT} s")


def fuzz(
    ground: Ground, inputs: int, seed: int, only: str = "", numbers: range | None = None
) -> tuple[dict[str, int], list[Fault]]:
    """So many inputs in all, shared among the doors; how many came to each, and the faults."""
    os.environ["OPENAI_API_KEY"] = KEY
    os.environ["PELNAS_CACHE"] = str(ground.root / "cache")
    os.environ["HOME"] = str(ground.root / "home")  # for every ~
    signal.signal(signal.SIGALRM, _too_long)
    doors = [made for door in DOORS if (made := door(ground)).name == only or not only]
    whole = sum(door.share for door in doors)
    counted, faults = {}, []
    for door in doors:
        own = numbers or range(-(-inputs * door.share // whole))
        began = time.monotonic()
        door.sound()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [fault for number in own if (fault := knock(door, seed, number))]
        counted[door.name] = len(own)
        faults += found
        print(
            f"{door.name}: {len(own)} inputs, {len(found)} faults,"
            f" {time.monotonic() - began:.0f} s", flush=True,
        )  # fmt: skip
    return counted, faults


def main() -> int:
    """0: every input got an answer or one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--door", default="")
    parser.add_argument("--number", type=int)
    parser.add_argument("--most", type=int, default=20, help="faults shown")
    given = parser.parse_args()
    faulthandler.enable()
    numbers = None if given.number is None else range(given.number, given.number + 1)
    with tempfile.TemporaryDirectory() as root:
        os.environ["PELNAS_CACHE"] = root + "/cache"
        ground = Ground.make(Path(root) / "ground")
        counted, faults = fuzz(ground, given.inputs, given.seed, given.door, numbers)
    places: dict[str, Fault] = {}
    for fault in faults:  # one of each kind: the same line of the program, the same words
        places.setdefault(f"{fault.door} {fault.place}", fault)
    for fault in list(places.values())[: given.most]:
        print(f"\n{fault}")
    print(f"\nseed {given.seed}: {sum(counted.values())} inputs, {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
