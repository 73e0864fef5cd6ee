"""The check of an accelerator: on the processor itself nothing differs."""

import sys
from pathlib import Path

import pytest
import torch
import warm

from pelnas.accelerator import CPU, found
from pelnas.bench.accelerator import _compared, check

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_check"


def test_differences_and_rankings_of_a_proxy() -> None:
    theirs = [{"a": 1.0}, {"a": 2.0}, {"a": 4.0}]
    near = _compared("a", [{"a": 1.0005}, {"a": 2.0}, {"a": 4.0}], theirs)
    assert near.apart == pytest.approx(0.0005 / 2)
    assert near.kendall == 1.0
    assert near.holds
    turned = _compared("a", [{"a": 4.0}, {"a": 2.0}, {"a": 1.0}], theirs)
    assert turned.kendall == -1.0
    assert not turned.holds
    assert _compared("a", [{"a": 0.0}] * 3, [{"a": 0.0}] * 3).holds


@pytest.mark.slow
def test_the_processor_agrees_with_itself_to_the_last_bit() -> None:
    result = check(CPU, networks=3)
    assert result.networks == 3
    assert {proxy.apart for proxy in result.proxies} == {0.0}
    assert {proxy.kendall for proxy in result.proxies} == {1.0}
    assert result.loss_apart == 0
    assert result.holds
    assert result.latencies == ()


@pytest.mark.skipif(found("auto") != CPU, reason="this machine has an accelerator")
@pytest.mark.parametrize("arguments", [[], ["--accelerator", "cuda"], ["--json"]])
def test_without_an_accelerator_it_is_one_sentence(arguments: list[str]) -> None:
    command = [sys.executable, str(SCRIPT), *arguments]
    done = warm.run(command, kind=warm.Full, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gpu_check: expected ")


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_with_cuda_all_values_hold() -> None:
    result = check("cuda")
    assert result.holds, [proxy for proxy in result.proxies if not proxy.holds]
    assert len(result.latencies) == 10
    assert all(each.low <= each.median <= each.high for each in result.latencies)
