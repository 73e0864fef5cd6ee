"""Estimates before a search: calls, tokens, dollars, evaluations and time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from statistics import fmean

from pelnas.agents.models.server_address import own_server
from pelnas.agents.planner import NichePlan, PlanAnswer, PlanBrief, settle
from pelnas.calls.prices import tariff
from pelnas.calls.usage import NOTHING, Usage
from pelnas.config import AUTO, BUILTIN, ROLES, SearchConfig, alike
from pelnas.errors import InputError
from pelnas.graph.estimate.prompt_sizes import Rehearsal
from pelnas.graph.search.credit import START
from pelnas.graph.search.share import models_part
from pelnas.graph.session.problem import resolved
from pelnas.partition import Partition
from pelnas.store import RunStore
from pelnas.store.runs import newest_first

LOOKED_AT = 20  # earlier runs


@dataclass(frozen=True, slots=True)
class Amount:
    """Of a round, or of all up to one."""

    calls: int = 0
    usage: Usage = NOTHING
    evaluations: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.calls + other.calls,
            self.usage + other.usage,
            self.evaluations + other.evaluations,
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole search without its budget, and what would end it first.

    Neither retries, probes nor answers that are sent back are counted, nor tokens of hidden
    reasoning. ``minutes``: at the pace of the slowest earlier run like it, ``None`` without
    one. ``ends_by``: a budget, ``rounds``, or ``space`` where nothing is left to design;
    ``ends_in``: the round, counted from 1. ``tokens_from``: earlier runs with the same
    model, else the prompts.
    """

    rounds: int
    calls: int
    tokens_in: int
    tokens_out: int
    dollars: float | None
    evaluations: int
    minutes: float | None
    ends_by: str
    ends_in: int
    tokens_from: str

    @property
    def tokens(self) -> int:
        """In and out together."""
        return self.tokens_in + self.tokens_out


def estimate(config: SearchConfig, partition: Partition) -> Estimate:
    """The estimate of a search that would begin now. PromptError: a prompt cannot be filled."""
    return _estimate(config, partition, Earlier.of(config))


def _estimate(config: SearchConfig, partition: Partition, earlier: "Earlier") -> Estimate:
    rehearsal = Rehearsal(config, partition)
    rounds = _rounds(config, rehearsal.plan_brief(), _costs(config, rehearsal, earlier.calls))
    sums = list(accumulate(rounds))
    pace = earlier.pace
    minutes = [None if pace is None else pace * s.evaluations / 60 for s in sums]
    ends_by, ends_in = _end(config, sums, minutes)
    asked = [role for role in ROLES if not config.model_of(role).startswith(BUILTIN)]
    known = bool(asked) and all(role in earlier.calls for role in asked)
    return Estimate(
        rounds=config.rounds,
        calls=sums[-1].calls,
        tokens_in=sums[-1].usage.tokens_in,
        tokens_out=sums[-1].usage.tokens_out,
        dollars=sums[-1].usage.price,
        evaluations=sums[-1].evaluations,
        minutes=minutes[-1],
        ends_by=ends_by,
        ends_in=ends_in,
        tokens_from="earlier runs" if known else "prompts",
    )


def of_all(configs: Iterable[SearchConfig], partition: Partition, seeds: int) -> Estimate:
    """All searches of these configurations together, for so many seeds, each within its budget."""
    parts = [_within(config, partition) for config in configs]
    dollars, minutes = [e.dollars for e in parts], [e.minutes for e in parts]
    return replace(
        parts[0],
        calls=seeds * sum(e.calls for e in parts),
        tokens_in=seeds * sum(e.tokens_in for e in parts),
        tokens_out=seeds * sum(e.tokens_out for e in parts),
        dollars=_times(seeds, dollars),
        evaluations=seeds * sum(e.evaluations for e in parts),
        minutes=_times(seeds, minutes),
    )


def _times(count: int, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return count * sum(known) if len(known) == len(values) else None


def _within(config: SearchConfig, partition: Partition) -> Estimate:
    """What a search uses until its budget ends it."""
    earlier = Earlier.of(config)  # once: how many rounds there are does not matter for it
    whole = _estimate(config, partition, earlier)
    cut = _estimate(config.model_copy(update={"rounds": whole.ends_in}), partition, earlier)
    budget = config.budget
    return replace(
        cut,
        calls=min(cut.calls, budget.calls or cut.calls),
        evaluations=min(cut.evaluations, budget.evaluations or cut.evaluations),
    )


CALL_TOKENS, RESULT_TOKENS = 60, 150  # of one tool call and of what it answers

Costs = Callable[
    [str, int, int, int, int], Amount
]  # of a role's call: round, niche, designs, before


def _rounds(config: SearchConfig, brief: PlanBrief, cost: Costs) -> Iterator[Amount]:
    """Round after round, until the rounds end or nothing is left, the niches sharing evenly."""
    left = {status.index: status.left for status in brief.niches}
    equal = PlanAnswer(niches=[NichePlan(niche=s.index, designs=1) for s in brief.niches])
    designed: Counter[int] = Counter()
    for round_ in range(config.rounds):
        niches = tuple(replace(s, left=left[s.index]) for s in brief.niches)
        shares = [plan for plan in settle(equal, replace(brief, niches=niches)) if plan.designs]
        spent = cost("planner", round_, 0, 0, 0)
        for share in shares:
            place = (round_, share.niche, share.designs, designed[share.niche])
            spent += cost("designer", *place) + cost("reflection", *place)
            spent += Amount(evaluations=share.designs)
            designed[share.niche] += share.designs
            room = left[share.niche]
            left[share.niche] = None if room is None else room - share.designs
        yield spent
        if not shares:
            return


def _costs(config: SearchConfig, rehearsal: Rehearsal, measured: Mapping[str, Usage]) -> Costs:
    def cost(role: str, round_: int, niche: int, designs: int, before: int) -> Amount:
        model = config.model_of(role)
        if model.startswith(BUILTIN):
            return Amount()
        if role == "designer" and config.designer_share != 1:
            share = START if config.designer_share == AUTO else config.designer_share
            designs = models_part(share, before, designs)
            if not designs:
                return Amount()  # all of them are the built-in designer's
        usage = measured.get(role) or _rehearsed(rehearsal, role, round_, niche, designs, before)
        calls = config.tool_calls
        usage = _with_tools(usage, calls, measured=role in measured)
        bill = tariff(model, own_server(model, config.base_url))
        return Amount(1 + calls, usage.at(None if bill is None else bill.dollars(usage)))

    return cost


def _with_tools(usage: Usage, calls: int, *, measured: bool) -> Usage:
    """All requests of an agent that calls so many tools one after the other, from one of them.

    ``measured``: it is the mean of such requests. Else it is one without tools, and each request
    also sends what was called and answered before.
    """
    requests = 1 + calls
    if measured:
        return Usage(usage.tokens_in * requests, usage.tokens_out * requests)
    earlier = (CALL_TOKENS + RESULT_TOKENS) * calls * requests // 2
    return Usage(usage.tokens_in * requests + earlier, usage.tokens_out + CALL_TOKENS * calls)


def _rehearsed(rehearsal: Rehearsal, role: str, round_: int, *place: int) -> Usage:
    if role == "planner":
        return rehearsal.planner(round_)
    one = rehearsal.designer if role == "designer" else rehearsal.reflection
    return one(round_, *place)


def _end(config: SearchConfig, sums: list[Amount], minutes: list[float | None]) -> tuple[str, int]:
    """What ends the search, and in which round."""
    limits = {name: limit for name, limit in config.budget.model_dump().items() if limit}
    for number, (spent, time) in enumerate(zip(sums, minutes, strict=True), start=1):
        tokens, dollars = spent.usage.tokens, spent.usage.price
        used = asdict(spent) | {"tokens": tokens, "dollars": dollars, "minutes": time}
        for name, limit in limits.items():
            if used[name] is not None and used[name] >= limit:
                return name, number
    before = sums[-2].evaluations if len(sums) > 1 else 0
    return "rounds" if sums[-1].evaluations > before else "space", len(sums)


# -- earlier runs ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """From the newest runs: the mean call of each role, and seconds per evaluation."""

    calls: Mapping[str, Usage]
    pace: float | None  # of the slowest one: others found more in the cache

    @classmethod
    def of(cls, config: SearchConfig) -> "Earlier":
        """Of the runs beside the one that is to begin, as far as they are like it."""
        config = resolved(config)
        calls: dict[str, Usage] = {}
        paces = []
        for folder in newest_first(config.output)[:LOOKED_AT]:
            try:
                with RunStore.read(folder) as store:
                    if alike(config, store.config, "tokens"):
                        calls = _calls(config, store) | calls
                    if _same_pace(config, store.config):
                        paces += _paces(store)
            except InputError:
                continue  # another program's, or damaged: there is nothing to learn from it
        return cls(calls, max(paces, default=None))


def _calls(config: SearchConfig, store: RunStore) -> dict[str, Usage]:
    """The mean call of each role that the same model played."""
    found: dict[str, Usage] = {}
    for role in ROLES:
        made = [c for c in store.calls(agent=role) if c.model == config.model_of(role)]
        answered = [call for call in made if call.outcome != "failed"]
        if answered:
            found[role] = Usage(
                round(fmean(call.usage.tokens_in for call in answered)),
                round(fmean(call.usage.tokens_out for call in answered)),
            )
    return found


def _paces(store: RunStore) -> list[float]:
    spent = store.spent()
    return [spent.seconds / spent.evaluations] if spent.evaluations else []


def _same_pace(a: SearchConfig, b: SearchConfig) -> bool:
    same_models = all(a.model_of(role) == b.model_of(role) for role in ROLES)
    return same_models and alike(a, b, "tokens", "time")
