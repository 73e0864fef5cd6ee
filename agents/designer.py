"""The designer agents: one per niche, each designing new architectures from parents and rules."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pelnas.agents.answer_schema import niche_in_words
from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.dialogue import OpenDialogue
from pelnas.agents.prompt_limit import Limit, fitted
from pelnas.agents.question_forms import FORMS, LETTERS, QuestionForm
from pelnas.agents.tool_loop import Answer, joined, request_answer, tools_text
from pelnas.architecture import Refusal
from pelnas.prompts import Prompt
from pelnas.text import plural
from pelnas.validator import Intake

REASON_LIMIT = 160  # characters of a reason that a model sees
SUBMIT_DESIGNS = "Give the designs that are still wanted; this ends your work in the round."


class Designer(ABC):
    """Designs for one niche. ``name``: the model behind it, ``provider:model``."""

    name: str

    @abstractmethod
    def design(self, brief: DesignBrief, intake: Intake) -> None:
        """Submit designs to the intake, at most as many as it still wants.

        AnswerError, ModelCallError, BudgetExhausted: a model's failures; what
        the intake accepted before stays accepted.
        """


class ModelDesigner(Designer):
    """A language model as designer; what the intake refuses goes back to it once.

    With tools it may look things up, and have drafts evaluated, before it answers.
    """

    def __init__(
        self,
        name: str,
        prompts: Mapping[str, Prompt],
        dialogue: OpenDialogue,
        with_tools: Prompt | None = None,
        sharing: Prompt | None = None,
        limit: int | None = None,
    ) -> None:
        """``prompts``: by the name that a form of question has for its own.

        ``with_tools``, ``sharing``: appended to the prompt where it has tools, or shares a niche.
        ``limit``: tokens of a prompt at most.
        """
        self.name = name
        self.dialogue = dialogue
        self._prompts = prompts
        self._with_tools = with_tools
        self._sharing = sharing
        self._limit = limit

    def design(self, brief: DesignBrief, intake: Intake) -> None:
        form = FORMS[brief.forms.get(self.name, LETTERS)]
        prepared = form.prepared(brief, intake)
        if prepared is None:
            return
        more = tools_text(prepared.tools, self._with_tools)
        limit = Limit(self._limit, self.name, more)
        asked, said = fitted(prepared, lambda b: self._rendered(form, b), _shorter, limit)

        def check(answer: Any, call: str) -> str:
            return self._submit(form, answer, call, asked, intake)

        dialogue = self.dialogue("designer", brief.round, brief.niche.index)
        schema = form.schema(asked, self.name)
        answer = Answer(schema, SUBMIT_DESIGNS, check, lambda: intake.missing <= 0)
        request_answer(dialogue, said, answer, asked.tools, self._with_tools)

    def _rendered(self, form: QuestionForm, brief: DesignBrief) -> tuple[str, str]:
        said = self._prompts[form.prompt].render(form.variables(brief))
        if brief.shared is None or self._sharing is None:
            return said
        shared = form.shared_variables(brief.shared, brief.partition.space)
        return joined(said, self._sharing.render(shared))

    def _submit(
        self, form: QuestionForm, answer: Any, call: str, brief: DesignBrief, intake: Intake
    ) -> str:
        intake.next_answer()
        refused: list[tuple[int, Refusal]] = []
        for number, proposal in enumerate(form.proposals(answer, brief), start=1):
            if intake.submit(proposal, self.name, brief.rule_ids, call):
                refused.append((number, intake.refused[-1]))
        if refused and intake.missing:
            wanted = f"{intake.missing} new {plural(intake.missing, 'design')}"
            return f"{_problems(refused, brief)}; answer with {wanted} in their place"
        return ""


def _problems(refused: Sequence[tuple[int, Refusal]], brief: DesignBrief) -> str:
    """What was wrong with designs, in one line: each kind of fault once, with its first example."""
    kinds: dict[str, list[tuple[int, Refusal]]] = {}
    for number, refusal in refused:
        kinds.setdefault(refusal.kind, []).append((number, refusal))
    told = []
    for kind, found in kinds.items():
        numbers = ", ".join(str(number) for number, _ in found)
        first = " ".join(found[0][1].reason.split())[:REASON_LIMIT]
        if kind == "out-of-niche":
            inside = niche_in_words(brief.partition.space, brief.niche)
            first = f"not in niche {brief.niche.index} ({inside})"
        elif kind == "duplicate":
            first = "designed before"
        told.append(f"{plural(len(found), 'design')} {numbers}: {first}")
    return "; ".join(told)


def _shorter(brief: DesignBrief) -> DesignBrief | None:
    """The brief without what matters least of what it still holds; ``None``: nothing is left to drop."""
    shared = brief.shared
    for name in ("failed", "parents", "credit") if shared is not None else ():
        if shared is not None and getattr(shared, name):
            less: Any = {name: getattr(shared, name)[:-1]}
            return replace(brief, shared=replace(shared, **less))
    if len(brief.rules) > 1 and len(brief.rules) >= len(brief.parents):
        return replace(brief, rules=brief.rules[:-1])
    if len(brief.parents) > 1:
        return brief.with_parents(brief.parents[:-1])
    for name in ("rules", "directives"):
        if getattr(brief, name):
            less = {name: getattr(brief, name)[:-1]}
            return replace(brief, **less)
    return None
