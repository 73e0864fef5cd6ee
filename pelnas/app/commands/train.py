"""``pelnas train``: the networks that a search found, trained for real on its images."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.accelerator import CPU, Accelerator, Asked, found, title
from pelnas.app import options
from pelnas.inputs import bounds
from pelnas.inputs.bounds import Range
from pelnas.text import plural
from pelnas.training.settings import TrainingSettings

if TYPE_CHECKING:
    from pelnas.app.commands.training_plan import Task
    from pelnas.store import RunStore, TrainingRecord
    from pelnas.training import Step, TrainingData
    from pelnas.training.halving import Halving

DEFAULTS = TrainingSettings()


def train(
    run: options.Run,
    architectures: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARCH", help="Official texts, indices, or ids of candidates."),
    ] = None,
    front: Annotated[bool, typer.Option("--front", help="All networks of the front.")] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the images, at most.")] = DEFAULTS.epochs,
    batch: Annotated[int, typer.Option(help="Images a step.")] = DEFAULTS.batch,
    lr: Annotated[float, typer.Option(help="Learning rate at its peak.")] = DEFAULTS.learning_rate,
    weight_decay: Annotated[float, typer.Option(help="Weight decay.")] = DEFAULTS.weight_decay,
    label_smoothing: Annotated[
        float, typer.Option(help="Label smoothing.")
    ] = DEFAULTS.label_smoothing,
    shift: Annotated[
        float, typer.Option(help="Random shifts by up to this share of a side.")
    ] = DEFAULTS.shift,
    flip: Annotated[
        bool, typer.Option(help="Mirror half of the images: for photographs, not for digits.")
    ] = DEFAULTS.flip,
    patience: Annotated[
        int, typer.Option(help="Epochs without improvement before early stopping; 0: never.")
    ] = DEFAULTS.patience,
    seed: Annotated[int, typer.Option(help="The first seed.")] = DEFAULTS.seed,
    seeds: Annotated[int, options.number(bounds.SEEDS, "--seeds", "Trainings per network.")] = 1,
    images: Annotated[
        Path | None, typer.Option(help="Where the run's images are now, or digits.")
    ] = None,
    other_images: Annotated[
        bool, typer.Option("--other-images", help="Train even if the images differ.")
    ] = False,
    limit_minutes: Annotated[
        float | None,
        options.number(
            Range(0, bounds.MINUTES.high),
            "--limit-minutes",
            "Stop after this time; the rest another time.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        options.number(bounds.THREADS, "--threads", "Torch threads. Without it: every core."),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool",
            help="Train side by side: processes (here), ray, or ray://HOST:PORT. Without it: one"
            " network after the other.",
        ),
    ] = None,
    accelerator: Annotated[
        Asked,
        typer.Option(
            "--accelerator", help="What trains: cpu, cuda, mps, or auto for the fastest here."
        ),
    ] = CPU,
    asha: Annotated[
        bool,
        typer.Option("--asha", help="Stop networks early that fall behind the others."),
    ] = False,
    resolution: options.Resolution = None,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Train networks of a run for real; what is done already is not trained again."""
    from pelnas.app.display.output import note

    settings = TrainingSettings(
        epochs=epochs,
        batch=batch,
        learning_rate=lr,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        shift=shift,
        flip=flip,
        patience=patience,
        seed=seed,
    )
    from pelnas.app.commands import training_plan
    from pelnas.pool import get_pool
    from pelnas.store import RunStore, find_run
    from pelnas.training import split

    began = time.monotonic()
    with RunStore.open(find_run(options.runs_folder(output), run)) as store:
        chosen = training_plan.choose(store, architectures or [], front)
        given = training_plan.images_of(store, images, other_images, resolution)
        data = split(given, store.config.seed)
        apart = None if pool is None else get_pool(pool)
        here = apart is None or apart.here
        on = _named(accelerator, here)
        tasks = training_plan.tasks_of(store, chosen, data, settings, seeds, on)
        halving = training_plan.halving_of(store, tasks) if _halves(asha, pool) else None
        if apart is not None:
            apart.check()
        elif threads is not None:
            import torch

            torch.set_num_threads(threads)
        limit = float("inf") if limit_minutes is None else began + 60 * limit_minutes
        with _stop(limit) as (stop, received), _watched(store, len(tasks)) as (on_step, on_end):
            records = []
            if apart is not None:
                ended = training_plan.train_apart(
                    store, given, data, tasks, stop, apart, threads or 1
                )
            elif halving is not None:
                ended = training_plan.train_best(store, given, data, tasks, on_step, stop, halving)
            else:
                ended = training_plan.train_all(store, given, data, tasks, on_step, stop)
            for record in ended:
                records.append(record)
                on_end(record)
        behind = halving.stopped if halving is not None else []
        left = len(tasks) - len(records) - len(behind)
        about = _about(tasks, halving)
        _print(store, data, records, left, title(on) if here else on, about, as_json)
    if behind and not as_json:
        note(
            f"{len(behind)} of {len(tasks)} trainings fell behind and were stopped:"
            f" {about['epochs']} epochs in place of at most {about['epochs_at_most']}"
        )
    if left:
        note(f"stopped; {left} of {len(tasks)} left: the same command goes on")
    if received:
        raise typer.Exit(128 + received[0])


def _named(asked: Asked, here: bool) -> Accelerator:
    """What trains; of workers elsewhere only ``auto`` is looked up, on this machine."""
    return found(asked) if here or asked == "auto" else asked


def _halves(asha: bool, pool: str | None) -> bool:
    """ConfigError: ``--asha`` judges trainings one after the other, and a pool runs them side by side."""
    from pelnas.errors import ConfigError

    if asha and pool is not None:
        raise ConfigError(
            f"expected trainings one after the other for --asha, found --pool {pool[:80]}: leave one"
        )
    return asha


def _about(tasks: Sequence["Task"], halving: "Halving | None") -> dict[str, Any]:
    """What was saved, and which were stopped, after how many epochs and with which accuracy."""
    if halving is None:
        return {}
    texts = {task.id: (task.text, task.settings.seed) for task in tasks}
    return {
        "epochs": halving.spent(list(texts)),
        "epochs_at_most": sum(task.settings.epochs for task in tasks),
        "stopped": [
            {
                "architecture": texts[each.id][0],
                "seed": texts[each.id][1],
                "epochs": each.epochs,
                "validation_accuracy": each.validation_accuracy,
            }
            for each in halving.stopped
        ],
    }


@contextmanager
def _stop(limit: float) -> Iterator[tuple[Callable[[], bool], list[int]]]:
    """Whether to stop: a signal came, or the time is up."""
    from pelnas.app.signals import stopped_by_signals

    notice = "stopping after the step under way; once more stops at once"
    with stopped_by_signals(lambda: None, notice) as received:
        yield lambda: bool(received) or time.monotonic() > limit, received


Watchers = tuple[Callable[["Task", "Step"], None], Callable[["TrainingRecord"], None]]


@contextmanager
def _watched(store: "RunStore", count: int) -> Iterator[Watchers]:
    """What shows each step, and what shows each end: a bar on a terminal, else lines."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pelnas.app.display.output import console
    from pelnas.spaces import get_space
    from pelnas.traces.text import visible

    space = get_space(store.config.space)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    ended: list[str] = []
    with Progress(
        *columns,
        console=console(errors=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        bar = progress.add_task("", total=None)

        def on_step(task: "Task", step: "Step") -> None:
            last = f", {step.last.validation_accuracy:.1f} %" if step.last else ""
            progress.update(
                bar,
                description=f"{len(ended) + 1} of {count}: {space.index(task.architecture)}, seed"
                f" {task.settings.seed}, epoch {step.epoch + 1}{last}",
                completed=step.done,
                total=step.total,
            )

        def on_end(record: "TrainingRecord") -> None:
            ended.append(record.id)
            progress.reset(bar)
            line = f"pelnas: {len(ended)} of {count}: {_sentence(record)}"
            progress.console.print(visible(line), markup=False, soft_wrap=True)

        yield on_step, on_end


def _sentence(record: "TrainingRecord") -> str:
    return (
        f"{record.architecture}, seed {record.seed}: {record.test_accuracy:.2f} % on test images,"
        f" {record.validation_accuracy:.2f} % on validation"
    )


def _print(
    store: "RunStore",
    data: "TrainingData",
    records: Sequence["TrainingRecord"],
    left: int,
    accelerator: str,
    asha: dict[str, Any],
    as_json: bool,
) -> None:
    from pelnas.app.display.output import duration, print_json, print_table
    from pelnas.spaces import get_space

    counts = {
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
    }
    if as_json:
        trainings = [_plain(store, record) for record in records]
        about = {"run": store.name, "images": {"name": data.name, **counts}}
        about |= {"accelerator": accelerator} | ({"asha": asha} if asha else {})
        print_json(about | {"trainings": trainings, "left": left})
        return
    space = get_space(store.config.space)
    on = "" if accelerator == CPU else f" by {accelerator}"
    parts = ", ".join(f"{count} for {part}" for part, count in counts.items())
    print_table(
        f"{len(records)} {plural(len(records), 'network')} trained on {data.name}{on}: images {parts}",
        ("index", "seed", "validation %", "test %", "epochs", "best", "time", "weights"),
        (
            (
                str(space.index(space.parse(record.architecture))),
                str(record.seed),
                f"{record.validation_accuracy:.2f}",
                f"{record.test_accuracy:.2f}",
                str(record.epochs),
                str(record.best_epoch),
                duration(record.seconds),
                str(store.folder / record.weights),
            )
            for record in records
        ),
        right=("index", "seed", "validation %", "test %", "epochs", "best", "time"),
    )


def _plain(store: "RunStore", record: "TrainingRecord") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record) | {"weights": str(store.folder / record.weights)}
