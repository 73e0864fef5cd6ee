"""``pelnas bench pool``: one pool against worker processes, and how many workers a search can use."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pelnas.app import options
from pelnas.errors import DataError
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.overlap import Searched
    from pelnas.bench.pool import Comparison, Driver, Simulated
    from pelnas.config import SearchConfig

NETWORKS = Range(16, 10_000)
WORKERS = Range(1, 4_096)
SIMULATED = (1, 10, 100, 1_000)  # workers
ROUNDS = (60, 200, 600, 2_000, 6_000)  # networks of a round


@options.takes(
    *("space", "images", "resolution", "channels", "pool"),
    texts={"pool": "What is compared with worker processes: ray, or ray://HOST:PORT."},
)
def bench_pool(
    *,
    networks: Annotated[
        int, options.number(NETWORKS, "--networks", "Networks that each pool scores.")
    ] = 200,
    workers: Annotated[int, options.number(WORKERS, "--workers", "Workers of each pool.")] = 2,
    designing: Annotated[
        float,
        options.number(Range(0, 3_600), "--designing", "Seconds between two rounds."),
    ] = 1.0,
    recording: Annotated[
        float | None,
        options.number(
            Range(0, 60), "--recording", "Seconds to store an evaluation. Default: as measured."
        ),
    ] = None,
    given: dict[str, Any],
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Throughput of two pools on the same networks, and simulated searches with many workers.

    Simulated scoring times are drawn from those measured, as is what the driver does between. Beside
    them two real searches on a made device: rounds one after the other, and with --overlap.
    """
    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.overlap import searched
    from pelnas.bench.pool import (
        Driver,
        compared,
        enough,
        handing_seconds,
        recording_seconds,
        table,
    )
    from pelnas.cache import default_cache
    from pelnas.pool import PROCESSES, get_pool

    settings = load_config(config, given)
    names = dict.fromkeys((PROCESSES, settings.scoring.pool))
    pools = [get_pool(name) for name in names]
    for pool in pools:
        pool.check()
    work, texts = _work(settings, networks)
    found = compared(pools, work, texts, workers)
    with tempfile.TemporaryDirectory(dir=default_cache().path.parent) as folder:
        if recording is None:
            recording = recording_seconds(Path(folder))
        searches = list(searched(settings, pools[-1], workers, designing, Path(folder)))
    driver = Driver(handing_seconds(pools[-1]), recording, designing)
    rows = list(table(found.times, driver, SIMULATED, ROUNDS))
    sizes = [enough(found.times, driver, ahead) for ahead in (0, 1)]
    if as_json:
        print_json(
            {
                "throughputs": [
                    asdict(one) | {"a_second": one.a_second} for one in found.throughputs
                ],
                "ratio": found.ratio,
                "cpu_ratio": found.cpu_ratio,
                "equal": found.equal,
                "driver": asdict(driver),
                "simulated": [asdict(row) | {"limit": row.limit} for row in rows],
                "enough": sizes,
                "searches": [asdict(one) for one in searches],
            }
        )
    else:
        _print(found, driver, rows)
        _print_busy(sizes, searches)
    if not found.equal:
        raise DataError("expected equal values of both pools, found others: compare their machines")


def _work(config: "SearchConfig", networks: int) -> Any:
    """What the workers score on, and a seeded sample of networks."""
    import numpy as np

    from pelnas.images import load_images
    from pelnas.proxies.worker import Job, work_of
    from pelnas.spaces import get_space

    space = get_space(config.space)
    images = load_images(config.images, config.scoring.size, config.scoring.channels)
    space.check_shape(images.shape)
    job = Job(space.name, tuple(space.proxies), images.shape, config.seed, threads=1)
    rng = np.random.default_rng(config.seed)
    texts = [space.format(space.sample(rng)) for _ in range(networks)]
    return work_of(job, *images.batch(config.scoring.batch, config.seed)), texts


def _print(found: "Comparison", driver: "Driver", rows: "list[Simulated]") -> None:
    from pelnas.app.display.output import print_table, say

    for one in found.throughputs:
        say(
            f"{one.pool}: {one.networks} networks by {one.workers} workers in {one.seconds:.1f} s,"
            f" {one.a_second:.2f} a second, {one.cpu:.1f} s of their processors"
        )
    same = "equal to the last bit" if found.equal else "NOT equal"
    say(
        f"throughput {found.ratio:.3f} of that of worker processes, {found.cpu_ratio:.3f} for a second"
        f" of the processors; values {same}"
    )
    say(
        f"the driver: {1000 * driver.handing:.2f} ms to hand a task out and take its answer,"
        f" {1000 * driver.recording:.2f} ms to store an evaluation, {driver.designing:g} s a round"
    )
    right = ("workers", "a round", "ahead", "a second", "busy", "driver")
    print_table(
        "simulated searches of ten rounds; ahead: 0 as searches do it, 1 with --overlap",
        (*right, "limit"),
        (
            (
                str(row.workers),
                str(row.networks),
                str(row.ahead),
                f"{row.a_second:.1f}",
                f"{row.busy:.0%}",
                f"{row.driver:.0%}",
                row.limit,
            )
            for row in rows
        ),
        right=right,
    )


def _print_busy(sizes: "list[int | None]", searches: "list[Searched]") -> None:
    from pelnas.app.display.output import say
    from pelnas.bench.pool import ENOUGH, MANY, SIZES

    alone, overlapping = (f"{size or f'more than {SIZES[-1]}'}" for size in sizes)
    say(
        f"{MANY} workers are busy for {ENOUGH:.0%} of the time from {alone} networks a round on, with"
        f" --overlap from {overlapping}"
    )
    for one in searches:
        how = "with --overlap" if one.overlap else "one round after the other"
        say(
            f"a search of {one.networks} networks, {one.round_} a round, {how}: {one.workers} workers"
            f" busy {one.busy:.0%} of {one.seconds:.1f} s"
        )
