"""The search problem that a configuration names, checked: space, partition, device, predictor, data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pelnas.accelerator import found
from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import default_cache
from pelnas.config import AUTO, SearchConfig
from pelnas.devices import Device, get_device, known_devices
from pelnas.directives import Directive, Ground, Order, check
from pelnas.errors import ConfigError, DataError, DeviceError, InputError
from pelnas.graph.session.trained_accuracies import labels_of
from pelnas.images import ImageSet, load_images
from pelnas.objectives import Objectives
from pelnas.partition import (
    ENUMERABLE,
    Niche,
    Partition,
    partition_by_flops,
    partition_by_operations,
)
from pelnas.pool import get_pool
from pelnas.predictors import best_predictor, get_predictor
from pelnas.predictors.labels import Label
from pelnas.recording import RecordedDevice, RecordedPredictor, Recording
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore, Sources
from pelnas.tools.evaluation import Evaluator

PROBES = 20  # architectures whose costs show whether a device reports energy

WITHOUT_IMAGES = ("table", "known-truth")  # predictors that look at none
COLOUR = 3  # channels of images that are not looked at, as of benchmarks

LONGEST_NUMBER = 5  # digits of a number of classes


@dataclass(frozen=True)
class SearchProblem:
    """What a configuration names, found and checked before a run's folder is made."""

    space: SearchSpace
    partition: Partition
    evaluator: Evaluator
    dataset: str
    class_images: Mapping[str, int]  # by name; none where nothing looks at images
    held_out: int  # images that their source keeps for tests
    images: ImageSet | None = None  # None where nothing looks at them
    labels: tuple[Label, ...] = ()  # trained accuracies that the predictor learns from

    @classmethod
    def build(cls, config: SearchConfig) -> Self:
        """InputError: a name or a file of the configuration cannot be used."""
        config = resolved(config)
        space = get_space(config.space)
        images = _images(config)
        shape = shape_of(config, images)
        space.check_shape(shape)
        cache = get_pool(config.scoring.pool).cache()
        device = get_device(config, space, shape, cache)
        labels = labels_of(config, space, images)
        predictor = get_predictor(config, space, images, cache, labels)
        partition = _partition(config, space, shape)
        evaluator = Evaluator(space, device, predictor, shape)
        _check_energy(config, ground(partition, device, config))
        _check_runs(partition, device)
        _check_overlap(config, device)
        dataset = config.dataset or (images.name if images else "")
        shown = (images.class_images, images.held_out) if images else ({}, 0)
        return cls(space, partition, evaluator, dataset, *shown, images, labels)

    @classmethod
    def recorded(cls, config: SearchConfig, recording: Recording) -> Self:
        """The same, with every score and cost taken from a recording: nothing is computed or measured."""
        space, sources = get_space(config.space), recording.store.sources()
        evaluator = Evaluator(
            space,
            _device_again(config, recording, space),
            RecordedPredictor(recording, space),
            shape := sources.shape(config),
        )
        partition = _partition(config, space, shape)
        shown = sources.class_images, sources.held_out
        return cls(space, partition, evaluator, sources.dataset, *shown)


def _check_energy(config: SearchConfig, ground: Ground) -> None:
    """ConfigError: energy is an objective, and the device tells none."""
    if "energy" in config.objectives and not ground.tells_energy():
        raise ConfigError(
            f"expected a device that tells energy, found {config.device}, which does not: choose"
            " another device or objective"
        )


def _check_runs(partition: Partition, device: Device) -> None:
    """DeviceError: a table says that the device can run no network of a niche."""
    if device.measures or partition.space.size > ENUMERABLE:
        return
    for niche, members in zip(partition.niches, partition.members, strict=True):
        if not _runs_any(device, members):
            raise DeviceError(
                f"expected a device that runs networks of every niche, found {device.name}, which"
                f" can run none of niche {niche.index} ({niche.label}): choose another device or"
                " another partition"
            )


def _check_overlap(config: SearchConfig, device: Device) -> None:
    """ConfigError: rounds overlap, and what is scored meanwhile would disturb what is measured."""
    if config.overlap and device.measures and config.device in known_devices():
        raise ConfigError(
            f"expected rounds one after the other (overlap) where {config.device} measures latency"
            " beside what scores networks, found overlapping ones: leave --overlap out, or use a"
            " device of a table or a node of a Ray cluster"
        )


def _runs_any(device: Device, members: Sequence[Architecture]) -> bool:
    """Whether a device can run one of these; also where a table lacks those that come first."""
    try:
        runs = (cost.feasible for each in members for cost in device.costs([each]))
        return not members or any(runs)
    except DataError:
        return True  # a table that lacks some says so when they are looked up


def resolved(config: SearchConfig) -> SearchConfig:
    """The configuration with what ``auto`` means in it; a run stores that, so that it never drifts.

    SpaceError: no such space.
    """
    space = get_space(config.space)
    changed: dict[str, Any] = {}
    if config.accuracy == AUTO:
        changed["accuracy"] = best_predictor(config, space)
    if config.partition == AUTO:
        changed["partition"] = "operations" if space.complexity_niches else "flops"
    if config.scoring.accelerator == AUTO:
        here = {"accelerator": found(AUTO)}
        changed["scoring"] = config.scoring.model_copy(update=here)
    return config.model_copy(update=changed)


def _device_again(config: SearchConfig, recording: Recording, space: SearchSpace) -> Device:
    """A table is looked up again where it is still there; what was measured comes from the recording."""
    if config.device not in known_devices():
        try:
            shape = recording.store.sources().shape(config)
            return get_device(config.here(), space, shape, default_cache())
        except InputError:
            pass  # the table is gone: the recording holds every cost that the search recorded
    return RecordedDevice(recording, space)


def ground_of(config: SearchConfig) -> Ground:
    """What directives of a run are checked against, without what scores or calls models.

    InputError: something that the configuration names is gone.
    """
    partition, device, _ = _without_scores(config)
    return ground(partition, device, config)


def check_order(
    order: Order, given: Sequence[Directive], store: RunStore, ground: Callable[[], Ground]
) -> Order:
    """An order as a run will store it, beside the directives ``given`` and what it has tried so far.

    DirectiveError: it does not fit the run, or cannot be obeyed.
    """
    return check(
        order,
        given,
        ground,
        designed={candidate.architecture for candidate in store.candidates()},
        rules={rule.id for rule in store.rules()},
    )


def outlook(config: SearchConfig) -> tuple[Partition, ImageSet | None]:
    """What a search would cut, and look at, if it began now; nothing is scored or measured.

    InputError: something that the configuration names cannot be used.
    """
    partition, _, images = _without_scores(config)
    return partition, images


def _without_scores(config: SearchConfig) -> tuple[Partition, Device, ImageSet | None]:
    config = resolved(config)
    space, images = get_space(config.space), _images(config)
    shape = shape_of(config, images)
    space.check_shape(shape)
    device = get_device(config, space, shape, default_cache())
    _check_overlap(config, device)
    return _partition(config, space, shape), device, images


def ground(partition: Partition, device: Device, config: SearchConfig) -> Ground:
    """A partition, what a device knows without measuring, and what the search asks of networks."""
    counts, metrics = config.counts_footprint, Objectives.of(config.objectives).metrics

    def cost(architecture: Architecture) -> Cost:
        return next(iter(device.costs([architecture])))

    def tells_energy() -> bool:
        size = partition.space.size
        probes = sorted({size * k // PROBES for k in range(PROBES)})
        return any(cost(partition.space.at(i)).energy_mj is not None for i in probes)

    if device.measures:
        return Ground(partition, None, lambda: False, counts, metrics)
    return Ground(partition, cost, tells_energy, counts, metrics)


def _partition(config: SearchConfig, space: SearchSpace, shape: Shape) -> Partition:
    config = resolved(config)
    if config.partition == "operations":
        return partition_by_operations(space, shape)
    return partition_by_flops(space, config.niches, shape)


def niches_of(config: SearchConfig, space: SearchSpace, shape: Shape) -> tuple[Niche, ...]:
    """The niches that a configuration cuts a space into, for networks of a shape."""
    return _partition(config, space, shape).niches


def sources_of(problem: SearchProblem) -> Sources:
    """Where the numbers of a run on this bench come from."""
    predictor, device = problem.evaluator.predictor, problem.evaluator.device
    return Sources(
        problem.dataset,
        predictor.unit,
        predictor.source,
        device.source,
        problem.evaluator.shape.classes,
        problem.class_images,
        problem.held_out,
        problem.evaluator.shape.channels,
    )


def _images(config: SearchConfig) -> ImageSet | None:
    """Images are loaded only where something looks at them."""
    if config.accuracy in WITHOUT_IMAGES and config.images is None:
        return None
    return load_images(config.images, config.scoring.size, config.scoring.channels)


def shape_of(config: SearchConfig, images: ImageSet | None = None) -> Shape:
    """The shape of the networks of a search on these images, or on the data set of a table."""
    if images is not None:
        return images.shape
    return Shape(
        classes_of(config.dataset), *config.scoring.size, config.scoring.channels or COLOUR
    )


def classes_of(dataset: str) -> int:
    """Classes of a benchmark's data set by the number its name ends with; 10 without one.

    NAS-Bench-201 names them so (cifar10, cifar100, ImageNet16-120); only the
    size of the classifier depends on it.
    """
    digits = dataset[len(dataset.rstrip("0123456789")) :]
    number = int(digits) if 0 < len(digits) <= LONGEST_NUMBER else 0
    return number if number > 1 else 10
