"""The share of a niche's designs that falls to the designers' model; the built-in designer leads.

Which design falls to whom is counted over the whole run: of the first n designs of a niche the
model has floor(share · n). So a share of 0.3 of two designs a round is none, one, none, one, one, and
it holds exactly over the rounds whatever the planner grants.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from math import floor, isfinite

from pelnas.agents.design_brief import DesignBrief, Shared
from pelnas.agents.designer import REASON_LIMIT
from pelnas.architecture import Evaluation
from pelnas.config import BUILTIN
from pelnas.graph.search.credit import share_of
from pelnas.graph.search.outlook import Outlook, outlooks, short
from pelnas.graph.session.session import Session
from pelnas.validator import Intake

LATEST = 30  # evaluations of a niche by which authors are judged
FAILURES = 6  # that are shown
_AFTER = 4  # the random stream of designs that fill up after the model


def models_part(share: float, before: int, wanted: int) -> int:
    """How many of ``wanted`` designs are the model's, where the niche has had ``before`` of them."""
    exact = Fraction(str(share))
    return floor(exact * (before + wanted)) - floor(exact * before)


def lead(session: Session, brief: DesignBrief, intake: Intake) -> DesignBrief | None:
    """Let the built-in designer make its part of a step: what is left for the model, if anything.

    Nothing happens where the model has all, or where the designer is built in.
    """
    config = session.config
    if config.designer_share == 1 or config.model_of("designer").startswith(BUILTIN):
        return brief
    share = share_of(session, brief.niche.index, brief.round)
    earlier = session.store.candidates(niche=brief.niche.index)
    before = sum(candidate.round < brief.round for candidate in earlier)
    part = models_part(share, before, intake.missing)
    wanted, own = intake.wanted, intake.missing - part
    intake.wanted -= part
    *_, builtin = session.team.designers
    if intake.missing:
        builtin.design(replace(brief, tasks=brief.tasks[:own], tools=None), intake)
    intake.wanted = wanted
    if not part:
        return None
    left = brief.tasks[len(brief.tasks) - intake.missing :]
    shared = _shared(session, brief, intake)
    return replace(brief, tasks=left, seed=(*brief.seed, _AFTER), shared=shared)


def _shared(session: Session, brief: DesignBrief, intake: Intake) -> Shared:
    archive, niche = session.archive(brief.round), brief.niche.index
    newest = session.newest(brief.round)
    parse = brief.partition.space.parse
    designs = [design.architecture for design in intake.accepted]
    parents = [parent.architecture for parent in brief.parents]
    networks = [parse(text) for text in designs + parents]
    views = [f"  {_view(each)}" for each in outlooks(brief, networks)]
    ids = [parent.id for parent in brief.parents]
    members, front = archive.niche(niche), archive.front(niche)
    return Shared(
        designs=tuple(zip_longest(designs, views[: len(designs)], fillvalue="")),
        parents=tuple(zip(ids, views[len(designs) :], strict=False)),
        credit=tuple(_credit(members[-LATEST:], front)),
        failed=tuple(
            [*_refused(session, brief), *_dominated(brief, newest, members, front)][:FAILURES]
        ),
        gap=str(archive.largest_gap(niche) or ""),
    )


def _view(outlook: Outlook) -> str:
    spread = outlook.uncertainty
    return "  ".join(f"{name} {value} ± {spread[name]}" for name, value in outlook.mean.items())


def _credit(latest: Sequence[Evaluation], front: Iterable[Evaluation]) -> Iterable[str]:
    """For each author its latest designs, and how many of them are on the niche's front now."""
    kept = {evaluation.id for evaluation in front}
    made = Counter(e.candidate.design.author for e in latest)
    on_front = Counter(e.candidate.design.author for e in latest if e.id in kept)
    for author, count in sorted(made.items()):
        yield f"{author}: {count} designs, {on_front[author]} on the front of the niche"


def _refused(session: Session, brief: DesignBrief) -> Iterable[tuple[str, str, str]]:
    """Designs of models that were refused in the previous round."""
    for _, niche, refusal in session.store.refusals(brief.round - 1) if brief.round else ():
        if niche == brief.niche.index and not refusal.author.startswith(BUILTIN):
            yield f"refused ({refusal.kind})", refusal.architecture[:REASON_LIMIT], ""


def _dominated(
    brief: DesignBrief, round_: int, members: Sequence[Evaluation], front: Sequence[Evaluation]
) -> Iterable[tuple[str, str, str]]:
    """Designs of a round that are not on the front, newest first."""
    kept, names = {e.id for e in front}, brief.objectives.fields
    for evaluation in reversed(members):
        if evaluation.candidate.round == round_ and evaluation.id not in kept:
            point = [cost.of(evaluation) for cost in brief.objectives.costs] + [evaluation.score]
            figures = "  ".join(
                f"{name} {short(value)}" if isfinite(value) else f"{name}: does not run"
                for name, value in zip(names, point, strict=True)
            )
            yield "dominated", evaluation.candidate.architecture, f"  {figures}"
