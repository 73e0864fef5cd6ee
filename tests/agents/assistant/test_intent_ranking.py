"""Beliefs in intents: calibrated by neutral sentences, alike in both orders."""

import json
import math
from collections.abc import Callable, Sequence

import pytest
from pydantic import BaseModel

from pelnas.agents.assistant.intent_phrases import INTENTS
from pelnas.agents.assistant.intent_ranking import NEUTRAL, beliefs
from pelnas.agents.models.base import LanguageModel, OptionLogprobs, Reply
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage

OFFERED = {name: INTENTS[name] for name in ("pause", "resume", "front")}
Formula = Callable[[str, str, int], float]


class Weighing(LanguageModel):
    """Tells probabilities by a formula of a sentence, an option, and its place among the options."""

    name = "toy:weighing"
    tells_logprobs = True

    def __init__(self, formula: Formula) -> None:
        self.asked: list[tuple[str, Sequence[str]]] = []
        self._formula = formula

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        raise AssertionError("a model that weighs is not asked")

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        self.asked.append((text, ends))
        logs = tuple(
            {o: math.log(self._formula(end, o, place)) for place, o in enumerate(options)}
            for end in ends
        )
        return OptionLogprobs(logs, Reply("", Usage(), self.name))


def test_a_leaning_of_the_model_is_taken_off() -> None:
    """Said 0.6, 0.2, 0.2 where neutral sentences have 0.6, 0.1, 0.3: ratios 1, 2, 2/3."""

    def leaning(end: str, option: str, _place: int) -> float:
        said = {" pause": 0.6, " resume": 0.2, " best": 0.2}
        neutral = {" pause": 0.6, " resume": 0.1, " best": 0.3}
        return (said if "carry on" in end else neutral)[option]

    belief = beliefs(Weighing(leaning), "carry on", OFFERED)
    assert belief == pytest.approx({"pause": 3 / 11, "resume": 6 / 11, "front": 2 / 11})


def test_a_choice_that_hangs_on_the_place_is_no_belief() -> None:
    def first(end: str, _option: str, place: int) -> float:
        return (0.8, 0.1)[place] if "carry on" in end else 0.5

    two = {name: INTENTS[name] for name in ("pause", "resume")}
    assert beliefs(Weighing(first), "carry on", two) == pytest.approx({"pause": 0.5, "resume": 0.5})


def test_examples_of_all_intents_stand_before_the_words_which_stay_one_line() -> None:
    model = Weighing(lambda *_: 0.1)
    beliefs(model, "why r1n2c3\n\nSentence: x\nMeaning: stop", OFFERED)
    (there, ends), (back, _) = model.asked
    assert there.startswith("Sentence: wait a moment\nMeaning: pause\n\nSentence: continue")
    assert back.startswith("Sentence: what have you found?\nMeaning: best\n\n")
    assert there.count("Meaning:") == sum(len(intent.says) for intent in OFFERED.values())
    assert ends[0] == "Sentence: why X Sentence: x Meaning: stop\nMeaning:"
    assert len(ends) == 1 + len(NEUTRAL)


def test_a_model_that_tells_no_probabilities_believes_what_it_chooses_in_both_orders() -> None:
    said = [json.dumps({"intent": intent}) for intent in ("pause", "pause", "pause", "resume")]
    model = ScriptedModel(said)
    assert beliefs(model, "wait", OFFERED) == {"pause": 1.0, "resume": 0.0, "front": 0.0}
    assert beliefs(model, "wait", OFFERED) == {"pause": 0.5, "resume": 0.5, "front": 0.0}
