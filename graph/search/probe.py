"""How the models of the designers are asked, by the settings or by a probe at the first plan.

A probe is asked while the round is planned, before any designer works: there the steps follow each
other, so that a replay asks in the same order. Its record in the store is what is remembered.
"""

from pelnas.agents import probe
from pelnas.agents.answer_schema import GRAMMARS
from pelnas.agents.designer import ModelDesigner
from pelnas.agents.question_forms import LETTERS
from pelnas.config import AUTO
from pelnas.errors import ModelCallError
from pelnas.graph.session.session import Session
from pelnas.prompts import load_prompt

ASKS = "probe"  # the setting that has every model asked
PEOPLE = "hand"  # the provider whose models are people


def ask_probes(session: Session, round_: int) -> None:
    """Ask the models of the designers that have not been asked yet. BudgetExhausted: no call is left."""
    for designer in session.team.designers:
        if not isinstance(designer, ModelDesigner) or not _is_probed(session, designer.name):
            continue
        if _answer_of(session, designer.name) is not None:
            continue
        prompt = load_prompt("probe", session.config.prompts)
        try:
            dialogue = designer.dialogue(probe.AGENT, round_, None)
            call = probe.ask(dialogue, prompt, session.problem.space)
        except ModelCallError as failure:
            session.event("probe-failed", model=designer.name, problem=str(failure))
            continue
        form = probe.form_of(call)
        said = f"{designer.name} is asked for {form}"
        session.event("form-chosen", model=designer.name, form=form, call=call.id, message=said)


def forms_of(session: Session) -> dict[str, str]:
    """By model of the designers how it is asked; whole networks where a probe has no answer."""
    designers = session.team.designers
    return {d.name: _form(session, d.name) for d in designers if isinstance(d, ModelDesigner)}


def _form(session: Session, model: str) -> str:
    wanted = session.config.question_form
    if wanted not in (AUTO, ASKS):
        return wanted
    found = _answer_of(session, model) if _is_probed(session, model) else None
    return LETTERS if found is None else found


def _is_probed(session: Session, model: str) -> bool:
    """Models that run here are small enough to be asked first; people are not."""
    wanted, provider = session.config.question_form, model.partition(":")[0]
    if provider == PEOPLE or not session.problem.space.letters:
        return False
    return wanted == ASKS or (wanted == AUTO and provider in GRAMMARS)


def _answer_of(session: Session, model: str) -> str | None:
    """The form that a recorded answer of the model asks for, ``None`` without one."""
    calls = [call for call in session.store.calls(agent=probe.AGENT) if call.model == model]
    answered = [call for call in calls if call.outcome != "failed"]
    return probe.form_of(answered[-1]) if answered else None
