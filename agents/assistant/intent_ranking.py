"""How much a language model believes that a sentence has each of a few intents.

A model that returns probabilities sees sentences with their intents, like a text that it
goes on with, and its leaning towards some of the words for intents is taken off: it is
asked about sentences that mean none of them, too (contextual calibration, Zhao et al.,
arXiv 2102.09690). So chooses even a very small one. Any other is asked for its choice.
"""

import json
import math
from collections.abc import Mapping
from itertools import chain, zip_longest
from statistics import mean
from typing import Any, Literal

from pydantic import create_model

from pelnas.agents.assistant.intent_phrases import NAME, Intent
from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.json_answer import read_answer
from pelnas.calls.call import Message
from pelnas.prompts import load_prompt

NEUTRAL = ("", "N/A", "...", "please", "ok")  # as sentences, they mean no intent


def beliefs(model: LanguageModel, words: str, offered: Mapping[str, Intent]) -> dict[str, float]:
    """The model's belief in each intent, by name: shares that are 1 in all, or less.

    Both orders of what is offered count alike: small models prefer a place in a list.
    ModelCallError: the model gave no answer.
    """
    orders = (dict(offered), dict(reversed(list(offered.items()))))
    if not model.tells_logprobs:
        chosen = [_choice(model, words, order) for order in orders]
        return {name: chosen.count(name) / len(orders) for name in offered}
    logs = [_calibrated(model, words, order) for order in orders]
    belief = {name: math.exp(mean(log[name] for log in logs)) for name in offered}
    return {name: share / sum(belief.values()) for name, share in belief.items()}


def _calibrated(
    model: LanguageModel, words: str, offered: Mapping[str, Intent]
) -> dict[str, float]:
    """Log of how much likelier each intent is after the words than after neutral ones."""
    labels = {name: f" {intent.word or name}" for name, intent in offered.items()}
    said = zip_longest(*([(one, labels[n]) for one in i.says] for n, i in offered.items()))
    examples = "".join(f"{_line(*pair)}\n\n" for pair in chain(*said) if pair)
    ends = [_line(one, "") for one in (words, *NEUTRAL)]
    log, *before = model.option_logprobs(examples, ends, list(labels.values())).logs
    prior = {label: math.log(mean(math.exp(one[label]) for one in before)) for label in log}
    return {name: log[label] - prior[label] for name, label in labels.items()}


def _line(words: str, label: str) -> str:
    """A sentence and its intent; the names of networks carry no meaning here."""
    return f"Sentence: {' '.join(NAME.sub('X', words).split())}\nMeaning:{label}"


def _choice(model: LanguageModel, words: str, offered: Mapping[str, Intent]) -> str:
    """The intent that the model chooses under a held form; '' if it does not."""
    lines = [f"- {name}: {i.means} ({i.says[0]})" for name, i in offered.items()]
    system, user = load_prompt("conversation").render(
        {"intents": "\n".join(lines), "words": json.dumps(words, ensure_ascii=False)}
    )
    choice: Any = Literal[tuple(offered)]  # nothing in the answer is free text
    form = create_model("Intent", intent=(choice, ...))
    reply = model.ask([Message("system", system), Message("user", user)], form)
    answer, _ = read_answer(reply.text, form)
    return str(answer.model_dump()["intent"]) if answer is not None else ""
