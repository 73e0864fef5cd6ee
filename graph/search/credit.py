"""The share of a niche's designs that a model has earned: ``--designer-share auto``.

Both sides of a niche, the designers' model and the built-in designer, are credited in each round after
the first with the hypervolume that their designs of the round would have added to the niche's front
before it, whichever came first. Credit for each design, older rounds counting less, sets the share:
the model's part of both credits, within bounds that keep either side in the game. Where the model's
calls have a price, a niche in which a dollar brought more than elsewhere gets more of it. All of this
follows from stored evaluations and calls, so that a resumed or replayed search comes to the same.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.config import AUTO, BUILTIN
from pelnas.graph.session.initialise import PERSON
from pelnas.graph.session.session import Session
from pelnas.pareto import box_of, hypervolume

START = 0.3  # before there is any credit
LEAST, MOST = 0.1, 0.9
DECAY = 0.7  # of what a round counts, for each round that is newer
PRIOR = 4.0  # designs of average credit that each side begins with
DOLLAR_RANGE = (0.5, 2.0)  # factors by which a dollar's worth moves a share


@dataclass(frozen=True, slots=True)
class Credit:
    """A share and what it rests on. ``model``, ``program``: hypervolume gained per design.

    In the box of the niche's own evaluations. ``per_dollar``: gained per dollar of the model's
    calls, ``None`` where they have no price.
    """

    share: float
    model: float
    program: float
    per_dollar: float | None = None


def share_of(session: Session, niche: int, round_: int) -> float:
    """The share of the model in a niche and round, by the settings or by credit."""
    share = session.config.designer_share
    if share != AUTO:
        return share
    found = credit(session, niche, round_)
    session.event("share-set", message=f"{found.share:g} for the model", **asdict(found))
    return found.share


def credit(session: Session, niche: int, round_: int) -> Credit:
    """What the rounds before this one say of a niche."""
    archive = session.archive(round_)
    found = by_designs(archive, niche, round_)
    dollars = [_per_dollar(session, archive, n, round_) for n in range(len(session.store.niches()))]
    own, known = dollars[niche], [each for each in dollars if each is not None]
    if own is None or not any(known):
        return found
    least, most = DOLLAR_RANGE
    factor = min(max(own / fmean(known), least), most)
    return Credit(_bounded(found.share * factor), found.model, found.program, own)


def by_designs(archive: Archive, niche: int, round_: int) -> Credit:
    """Credit by hypervolume gained per design alone."""
    sides = [_side(archive, niche, round_, is_own) for is_own in (_is_models, _is_programs)]
    gains, designs = sum(gain for gain, _ in sides), sum(count for _, count in sides)
    mean = gains / designs if designs else 0.0
    model, program = ((gain + PRIOR * mean) / (count + PRIOR) for gain, count in sides)
    share = model / (model + program) if model + program > 0 else START
    return Credit(_bounded(share), model, program)


def _side(
    archive: Archive, niche: int, round_: int, is_own: Callable[[Evaluation], bool]
) -> tuple[float, float]:
    """Hypervolume gained by one side and its number of designs, both with decay."""
    members, gain, count = archive.niche(niche), 0.0, 0.0
    box = box_of(archive.objectives.points(members))
    for number in range(1, round_):
        own = [e for e in members if e.candidate.round == number and is_own(e)]
        before = [e for e in members if e.candidate.round < number]
        if own and before:
            weight = DECAY ** (round_ - 1 - number)
            volumes = [
                hypervolume(archive.objectives.points(part), box) for part in (before, before + own)
            ]
            gain += weight * (volumes[1] - volumes[0])
            count += weight * len(own)
    return gain, count


def _per_dollar(session: Session, archive: Archive, niche: int, round_: int) -> float | None:
    """Hypervolume that the model gained in a niche per dollar; ``None`` without a price."""
    calls = session.store.calls(agent="designer")
    own = [call for call in calls if call.niche == niche and 0 < call.round < round_]
    dollars = sum(call.usage.dollars * DECAY ** (round_ - 1 - call.round) for call in own)
    if not dollars or any(call.usage.unpriced for call in own):
        return None
    gain, _ = _side(archive, niche, round_, _is_models)
    return gain / dollars


def _is_programs(evaluation: Evaluation) -> bool:
    return evaluation.candidate.design.author.startswith(BUILTIN)


def _is_models(evaluation: Evaluation) -> bool:
    return not _is_programs(evaluation) and evaluation.candidate.design.author != PERSON


def _bounded(share: float) -> float:
    return round(min(max(share, LEAST), MOST), 2)
