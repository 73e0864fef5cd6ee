from pelnas.bench.search.results import Key, Result
from pelnas.bench.search.summary import groups, to_markdown

MODEL = "ollama:qwen3"


def result(method: str, seed: int, value: float, model: str = "", error: str = "") -> Result:
    key = Key("tiny", "toy10", "toy", "table", method, model, seed, 60)
    names = ("hv", "igd", "front_hv", "front_igd", "found")
    return Result(key, error=error, evaluations=60, curve={name: [value] for name in names})


def test_each_model_is_compared_with_all_methods_and_with_itself_without_a_part() -> None:
    results = [
        result(method, seed, 0.9, model)
        for seed in range(2)
        for method, model in (
            ("random", ""),
            ("exhaustive", ""),
            ("pelnas", ""),
            ("pelnas", MODEL),
            ("pelnas without surrogate", ""),
            ("pelnas without surrogate", MODEL),
        )
    ]
    (group,) = groups([*results, result("nsga2", 0, 0.0, error="no pymoo")])
    ours = f"pelnas ({MODEL})"
    assert [(one.method, one.rival) for one in group.comparisons] == [
        ("pelnas", "random"),
        ("pelnas", ours),
        ("pelnas", "pelnas without surrogate"),
        (ours, "random"),
        (ours, "pelnas"),
        (ours, f"pelnas without surrogate ({MODEL})"),
    ]
    assert group.failed == ("toy10 toy seed 0 nsga2: no pymoo",)
    assert f"| {ours} | 2 | 0.9000 (0.9000 to 0.9000)" in to_markdown(group)


def test_groups_are_kept_apart() -> None:
    other = Result(Key("tiny", "toy10", "toy", "validation", "random", "", 0, 60), error="x")
    found = groups([result("random", 0, 0.5), other])
    assert [group.accuracy for group in found] == ["table", "validation"]
    assert found[1].means == ()


def test_means_over_different_searches_are_marked() -> None:
    whole = [result(method, seed, 0.5) for method in ("random", "nsga2") for seed in range(2)]
    (even,) = groups([*whole, result("exhaustive", 0, 1.0)])
    (uneven,) = groups(whole[:3])
    assert (even.note, bool(uneven.note)) == ("", True)
