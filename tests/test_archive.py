from pelnas.architecture import Candidate, Cost, Design, Evaluation, Prediction, candidate_id
from pelnas.archive import Archive, Gap


def evaluation(slot: int, latency: float | None, score: float, niche: int = 0) -> Evaluation:
    design = Design(f"a{slot}", "builtin:evolver", "sample")
    candidate = Candidate(candidate_id(0, niche, slot), 0, niche, slot, design)
    return Evaluation(candidate, Prediction(score), Cost(latency), 10, 100.0)


def ids(evaluations: tuple[Evaluation, ...]) -> list[str]:
    return [e.candidate.architecture for e in evaluations]


def test_each_niche_keeps_its_front_and_the_union_keeps_the_best() -> None:
    archive = Archive(
        [
            evaluation(0, 1.0, 1.0),
            evaluation(1, 2.0, 2.0),
            evaluation(2, 2.5, 1.5),
            evaluation(3, 1.5, 9.0, niche=1),
            evaluation(4, None, 99.0, niche=1),
        ],
        niches=2,
    )
    assert ids(archive.front(0)) == ["a0", "a1"]
    assert ids(archive.front(1)) == ["a3"]
    assert ids(archive.union()) == ["a0", "a3"]
    assert ids(archive.niche(1)) == ["a3", "a4"]


def test_parents_are_the_front_and_what_stands_behind_it() -> None:
    points = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (3.0, 2.5), (9.0, 0.0)]
    archive = Archive([evaluation(i, t, s) for i, (t, s) in enumerate(points)], niches=1)
    assert ids(archive.parents(0, 2)) == ["a0", "a2"]
    assert ids(archive.parents(0, 4)) == ["a0", "a1", "a2", "a3"]
    assert ids(archive.parents(0, 99)) == ["a0", "a1", "a2", "a3", "a4"]


def test_hypervolume_of_two_corners_and_a_middle() -> None:
    corners = [evaluation(0, 0.0, 0.0), evaluation(1, 4.0, 1.0)]
    assert Archive(corners, 1).hypervolume() == 0.0
    middle = Archive([*corners, evaluation(2, 2.0, 0.5)], 1)
    assert middle.hypervolume() == 0.25
    assert Archive([], 1).hypervolume() == 0.0


def test_widest_gap() -> None:
    archive = Archive([evaluation(i, t, t) for i, t in enumerate((1.0, 2.0, 5.0, 6.0))], 1)
    assert archive.largest_gap(0) == Gap(2.0, 5.0)
    assert Archive([evaluation(0, 1.0, 1.0)], 1).largest_gap(0) is None


def test_what_stands_aside_is_kept_and_neither_on_the_front_nor_a_parent() -> None:
    points = [evaluation(i, t, t) for i, t in enumerate((1.0, 2.0, 5.0, 6.0))]
    whole = Archive(points, 1)
    archive = Archive(points, 1, excluded={points[2].id})
    assert archive.niche(0) == tuple(points)
    kept = (points[0], points[1], points[3])
    assert archive.union() == archive.front(0) == kept
    assert sorted(ids(archive.parents(0, 9))) == ids(kept)
    assert archive.largest_gap(0) == Gap(2.0, 6.0)
    assert archive.hypervolume() < whole.hypervolume()
    assert whole.without([points[2].id]).union() == kept
    assert archive.without([points[0].id]).union() == kept[1:]
