"""Write a large run that never ran, through the store that real ones use, to see how the page copes.

``python tests/app/web/large_run.py runs``: 10,020 candidates and 2,172 calls in 167 rounds.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pelnas import SearchConfig
from pelnas.architecture import Candidate, Cost, Design, Prediction, Refusal, Shape
from pelnas.budget import Spent
from pelnas.calls.call import CallRecord, Message, call_id, request_hash
from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.partition import Partition, partition_by_operations
from pelnas.rules.evidence import Evidence, Observation
from pelnas.rules.rule import Rule, Scope
from pelnas.rules.verdicts import candidate_rules, measure_all
from pelnas.spaces import get_space
from pelnas.store import PlanEntry, RunStore, Sources
from pelnas.traces.spans import RUN, round_span, step_span

MODEL = "openai:imaginary"
ROUNDS, PER_NICHE, NICHES = 167, 10, 6
STEPS = (("plan", "planner"), ("design", "designer"), ("reflect", "reflection"))


def write(output: Path, rounds: int = ROUNDS, name: str = "large") -> Path:
    """The folder of the run; equal arguments give equal contents but for the times."""
    budget = Budget(calls=5_000, tokens=40_000_000, minutes=600)
    config = SearchConfig(
        name=name, device="imaginary", dataset="cifar10", model=MODEL, accuracy="table",
        rounds=rounds, per_niche=PER_NICHE, output=output, budget=budget,
    )  # fmt: skip
    space = get_space(config.space)
    partition = partition_by_operations(space, Shape.square(10, 32))
    with RunStore.create(config) as store:
        store.set_niches([niche.label for niche in partition.niches])
        store.set_sources(Sources("cifar10", "accuracy, %", "made up", "made up"))
        writer = _Writer(store, partition)
        store.event("run-started", span=RUN, name=store.name)
        for round_ in range(rounds):
            with store.together():
                writer.round(round_)
        store.finish("all rounds done")
        store.event("run-finished", span=RUN, reason="all rounds done")
        assert store.spent() != Spent()
        return store.folder


class _Writer:
    def __init__(self, store: RunStore, partition: Partition) -> None:
        self.store, self.partition = store, partition
        self.rng = np.random.default_rng(0)
        self.draws = [self._draw(niche.index) for niche in partition.niches]
        self.rules: list[Rule] = []
        self.seen: list[Observation] = []

    def _draw(self, niche: int) -> Iterator[str]:
        while True:
            for architecture in self.partition.sample(niche, self.rng):
                yield self.partition.space.format(architecture)

    def round(self, round_: int) -> None:
        store, where = self.store, {"span": round_span(round_), "parent": RUN, "round": round_}
        store.event("round-begun", **where)
        store.replace_plan(
            round_, [PlanEntry(niche, PER_NICHE, "be fast", MODEL) for niche in range(NICHES)]
        )
        self._call("plan", "planner", round_, None)
        for niche in range(NICHES):
            self._call("design", "designer", round_, niche)
            self._design(round_, niche)
        for candidate in store.candidates(round_):
            self._evaluate(candidate)
        for niche in range(NICHES):
            self._call("reflect", "reflection", round_, niche)
        if round_ % 8 == 3:
            self._learn(round_)
        store.add_seconds(90.0)
        store.event("round-done", **where, front=12, hypervolume=0.5, seconds=90.0)

    def _call(self, step: str, agent: str, round_: int, niche: int | None) -> None:
        span, id_ = step_span(step, round_, niche), call_id(round_, agent, niche, 0)
        messages = (
            Message("system", "You design cells. " * 60),
            Message("user", "Best so far: " * 300),
        )
        call = CallRecord(
            id_, round_, agent, niche, 0, MODEL, MODEL, messages, "Designs",
            request_hash(MODEL, messages, {}), '{"designs": []}' * 40, "ok",
            usage=Usage(2400, 600, unpriced=1, seconds=float(self.rng.uniform(1, 6))),
        )  # fmt: skip
        step_at = {"span": span, "parent": round_span(round_), "round": round_, "agent": agent}
        call_at = {"span": id_, "parent": span, "round": round_, "agent": agent, "niche": niche}
        data = {"call": id_, "model": MODEL}
        self.store.event("step-begun", **step_at, niche=niche)
        self.store.event("call-begun", **call_at, **data)
        self.store.record_call(call)
        self.store.event(
            "call",
            **call_at,
            **data,
            tokens=call.tokens,
            seconds=call.usage.seconds,
            outcome="ok",
            problem="",
        )
        self.store.event(
            "step-ended", **step_at, niche=niche, seconds=call.usage.seconds, outcome="ok"
        )

    def _design(self, round_: int, niche: int) -> None:
        parents = [c.id for c in self.store.candidates(round_ - 1, niche)[:2]] if round_ else []
        rules = tuple(rule.id for rule in self.rules[:3])
        why = "A wide path of convolutions beside one skip keeps gradients alive and costs little."
        call = call_id(round_, "designer", niche, 0)
        designs = [
            Design(next(self.draws[niche]), MODEL, "mutation" if parents else "sample",
                   tuple(parents), why, rules, call)
            for _ in range(PER_NICHE)
        ]  # fmt: skip
        refusals = [Refusal("|none~0|", MODEL, "malformed", "not a cell", call)]
        ids = self.store.replace_designs(round_, niche, designs, refusals)
        self.store.event(
            "designed", span=step_span("design", round_, niche), parent=round_span(round_), round=round_,
            agent="designer", niche=niche, accepted=len(ids), refused=1, candidates=ids,
        )  # fmt: skip

    def _evaluate(self, candidate: Candidate) -> None:
        space = self.partition.space
        features = self.partition.features(space.parse(candidate.architecture))
        noise = self.rng.normal()
        convolutions = 3 * features["nor_conv_3x3"] + features["nor_conv_1x1"]
        latency = 2 + convolutions + 0.5 * abs(noise) + self.rng.uniform(0, 0.5)
        score = float(95 - 60 / (1 + convolutions) + 2 * noise)
        prediction = Prediction(score, 0.8, {"zen": score / 2, "naswot": score * 3})
        where = {"span": step_span("evaluate", candidate.round), "round": candidate.round}
        at = where | {"parent": round_span(candidate.round), "candidate": candidate.id}
        self.store.record_prediction(candidate.id, prediction, 300_000, features["mflops"] * 1e6)
        self.store.event("predicted", **at, niche=candidate.niche, score=score)
        self.store.record_cost(candidate.id, Cost(float(latency), 0.1))
        self.store.event("evaluated", **at, niche=candidate.niche, latency_ms=float(latency))
        self.seen.append(
            Observation(candidate.id, candidate.niche, features, score, float(latency))
        )

    def _learn(self, round_: int) -> None:
        config, names = self.store.config, self.partition.feature_names
        scope = Scope(config.space, config.device, config.dataset)
        known = {rule.id: rule for rule in self.rules}
        seen = Evidence(self.seen[-1500:])
        for metric in ("accuracy", "latency"):
            for rule in candidate_rules(seen, names, scope, metric, 4, born=round_):
                known.setdefault(rule.id, rule)
        self.rules = measure_all(known.values(), seen)
        self.store.replace_rules(round_, self.rules)


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
