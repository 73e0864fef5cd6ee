"""What Tab offers in a conversation: commands, and the names that a command takes."""

from collections.abc import Iterable
from pathlib import Path

from pelnas.agents.assistant.commands import HELP
from pelnas.directives import GRAMMAR
from pelnas.errors import InputError
from pelnas.graph.chat.graph import OWN
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore, list_runs
from pelnas.tools.questions import QUESTIONS
from pelnas.tools.run_view import ENDS

FORMS = (*(form.form for form in QUESTIONS), *(form for form, _ in (*OWN, *GRAMMAR)), HELP, "/quit")
VERBS = tuple(dict.fromkeys(form.split()[0] for form in FORMS))


def completions(before: str, output: Path, run: str) -> list[str]:
    """What the last word of a line may become; ``before``: the line up to the cursor.

    Names are those of the run that is talked about; none where it cannot be read.
    """
    *words, begun = before.split(" ")
    try:
        offered = _named(words[0], output, run) if words else VERBS
        return [name for name in dict.fromkeys(offered) if name.startswith(begun)]
    except InputError:
        return []


def _named(verb: str, output: Path, run: str) -> Iterable[str]:
    """What follows a command, or a word of a sentence."""
    if verb == "/use":
        return [found.name for found in list_runs(output)]
    takes = " ".join(form for form in FORMS if form.split()[0] == verb)
    with RunStore.read(output / run) as store:
        if "OPERATION" in takes:
            return get_space(store.config.space).operations
        if verb == "/undo":
            return [directive.id for directive in store.directives()]
        if verb == "/call":
            return [call.id for call in store.calls()]
        if "ARCHITECTURE" in takes or not verb.startswith("/"):
            best = [point.id for point in front_points(store)]
            return [*ENDS, *best, *(candidate.id for candidate in store.candidates())]
    return []
