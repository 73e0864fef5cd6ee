"""What every search space has to keep: the suite that ``pelnas space check`` runs.

Each check is a function of a space that returns where the space keeps what
``SearchSpace`` promises, and raises SpaceError, in one sentence, where it does
not. Architectures are drawn by fixed seeds: a space passes always or never.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from math import isfinite
from string import digits
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pelnas.accelerator import seeded
from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError, InputError, SpaceError
from pelnas.plugins import said
from pelnas.predicate import parse_predicate
from pelnas.spaces.base import SearchSpace

if TYPE_CHECKING:
    from torch import nn

SAMPLE = 200  # architectures of the checks that build nothing
BUILT = 3  # networks of each check that builds
NEIGHBOURS = 300  # of one architecture that are looked at
#: Height and width of images that are tried; the first that a space takes are used.
SQUARES = ((16, 16), (32, 32), (64, 64), (96, 96), (128, 128), (224, 224))
OBLONGS = ((20, 27), (32, 48), (64, 96), (96, 128), (128, 192), (224, 288))
CLASSES = (7, 120)
#: Texts of other spaces, and of none.
FOREIGN = (
    "",
    "-1",
    "nothing of the kind",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "k3e6-k3e6-k3e6:none",
    "{}",
    "\N{SNOWMAN}" * 3,
)

Check = Callable[[SearchSpace], None]
Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended; ``problem`` is '' where the space passes."""

    check: str
    problem: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem


def examine(space: SearchSpace, names: Iterable[str] = ()) -> Iterator[Outcome]:
    """The named checks, or the whole suite, each as soon as it is done.

    What a space's own code raises fails the check.
    """
    for name in tuple(names) or CHECKS:
        check = CHECKS[name]
        try:
            check(space)
        except SpaceError as failure:
            yield Outcome(name, str(failure))
        except Exception as error:  # noqa: BLE001 - code of others fails in any way it likes
            yield Outcome(name, f"{name}: expected an answer, found {said(error)}: correct it")
        else:
            yield Outcome(name)


# -- the form ---------------------------------------------------------------


def check_positions(space: SearchSpace) -> None:
    """Named positions, each with two or more different choices."""
    _holds(
        bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*", space.name)),
        "name",
        "letters, digits, - . _",
        space.name,
    )
    _holds(len(space.positions) > 0, "positions", "one or more", "none")
    _holds(
        len(space.positions) == len(space.choices),
        "choices",
        f"one tuple for each of {len(space.positions)} positions",
        len(space.choices),
    )
    _holds(
        len(set(space.positions)) == len(space.positions),
        "positions",
        "different names",
        space.positions,
    )
    for position, options in zip(space.positions, space.choices, strict=True):
        _holds(
            len(set(options)) == len(options) > 1,
            f"choices of {position}",
            "two or more, each once",
            options,
        )
        for op in options:
            _holds(
                not re.search(r"[\s@]", op),
                f"choices of {position}",
                "names without spaces and @",
                op,
            )


def check_slots(space: SearchSpace) -> None:
    """Names for answers that providers take, and choices that lead back to the architecture."""
    slots = space.slots
    _holds(
        len(set(slots)) == len(slots) == len(space.positions),
        "slots",
        "one for each position",
        slots,
    )
    for slot in slots:
        _holds(
            bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", slot)),
            "slots",
            "letters, digits, _",
            slot,
        )
        if space.is_by_choices:
            _holds(
                _is_named(slot, slots, space.describe_choices()),
                "describe_choices()",
                f"the slot {slot}",
                "it left out",
            )
    for architecture in _drawn(space):
        by_position = dict(zip(space.positions, space.chosen(architecture), strict=True))
        for choices in (space.choices_of(architecture), by_position):
            _same("architecture_of(choices)", architecture, space.architecture_of(choices))


def _is_named(slot: str, slots: Sequence[str], text: str) -> bool:
    """Whether a text has the slot, or the first and the last of those with its stem."""
    stem = slot.rstrip(digits)
    numbered = [other for other in slots if other.rstrip(digits) == stem]
    return slot in text or (numbered[0] in text and numbered[-1] in text)


def check_text(space: SearchSpace) -> None:
    """``parse`` reverses ``format``; one line of text for each architecture, and no two alike."""
    texts: dict[str, Architecture] = {}
    for architecture in _drawn(space):
        text = space.format(architecture)
        _holds(
            bool(text.strip()) and len(text.splitlines()) == 1, "format()", "one line of text", text
        )
        _same(f"architecture of {text!r}", texts.setdefault(text, architecture), architecture)
        for written in (text, f"  {text}\n"):
            _same(f"parse({written!r})", architecture, space.parse(written))
        _same(f"read({text!r})", architecture, space.read(text))


def check_other_texts(space: SearchSpace) -> None:
    """A text of another space is refused by ArchitectureError, one that is cut too or it is read right."""
    for text in FOREIGN:
        _refused(f"parse({text!r})", partial(space.parse, text))
    for architecture in islice(_drawn(space), BUILT):
        text = space.format(architecture)
        for damaged in (text[:-1], text[1:], text + text, text + "x", text.replace(text[0], "?")):
            try:
                found = space.parse(damaged)
            except ArchitectureError:
                continue
            _same(f"parse(format(a)) of {damaged!r}", found, space.parse(space.format(found)))


def check_index(space: SearchSpace) -> None:
    """``at`` reverses ``index``; what lies beyond the space is refused by ArchitectureError."""
    for architecture in _drawn(space):
        index = space.index(architecture)
        _holds(0 <= index < space.size, "index()", f"0 to {space.size - 1}", index)
        _same(f"at({index})", architecture, space.at(index))
        _same(f"read('{index}')", architecture, space.read(str(index)))
    for index in (-1, space.size):
        _refused(f"at({index})", partial(space.at, index))
    good = space.at(0).genes
    for genes in (good[1:], (*good, 0), (-1, *good[1:]), (len(space.choices[0]), *good[1:])):
        _refused(f"of({genes})", partial(space.of, genes))


def check_sampling(space: SearchSpace) -> None:
    """Equal seeds give equal samples, other seeds others, and every choice can be drawn."""

    def draw(seed: int) -> list[Architecture]:
        rng = np.random.default_rng(seed)
        return [space.sample(rng) for _ in range(SAMPLE)]

    drawn = draw(0)
    _holds(drawn == draw(0), "sample(rng)", "equal architectures from equal seeds", "others")
    _holds(drawn != draw(1), "sample(rng)", "other architectures from another seed", "the same")
    for architecture in drawn:
        _same("of(genes) of a sample", architecture, space.of(architecture.genes))
    met = {
        (i, architecture.genes[i])
        for architecture in drawn
        for i in space.active(architecture.genes)
    }
    rng = np.random.default_rng(2)
    for _ in range(20 * SAMPLE):  # rare choices, of positions that seldom have an effect
        if len(met) == sum(map(len, space.choices)):
            break
        architecture = space.sample(rng)
        met |= {(i, architecture.genes[i]) for i in space.active(architecture.genes)}
    for place, options in enumerate(space.choices):
        never = [op for gene, op in enumerate(options) if (place, gene) not in met]
        _holds(
            not never,
            "sample(rng)",
            f"every choice of {space.positions[place]}",
            f"never {', '.join(never)}",
        )


def check_active(space: SearchSpace) -> None:
    """A position without effect holds its first choice, and another choice there changes nothing."""
    for architecture in _drawn(space):
        genes = architecture.genes
        active = set(space.active(genes))
        _holds(
            active <= set(range(len(genes))),
            "active()",
            f"positions 0 to {len(genes) - 1}",
            sorted(active),
        )
        for place in sorted(set(range(len(genes))) - active):
            other = (*genes[:place], len(space.choices[place]) - 1, *genes[place + 1 :])
            _same(
                f"of() with another inactive {space.positions[place]}",
                architecture,
                space.of(other),
            )


def check_neighbours(space: SearchSpace) -> None:
    """Each neighbour is another architecture of the space, once, and differs in one active choice."""
    for architecture in islice(_drawn(space), 2 * BUILT):
        found = list(islice(space.neighbours(architecture), NEIGHBOURS))
        text = space.format(architecture)
        _holds(bool(found), f"neighbours() of {text}", "some", "none")
        _holds(len(set(found)) == len(found), f"neighbours() of {text}", "each once", "repeats")
        _holds(
            architecture not in found, f"neighbours() of {text}", "other architectures", "itself"
        )
        active = set(space.active(architecture.genes))
        for other in found:
            _same(f"of(genes) of a neighbour of {text}", other, space.of(other.genes))
            both = active & set(space.active(other.genes))
            changed = [i for i in both if architecture.genes[i] != other.genes[i]]
            _holds(
                len(changed) == 1,
                f"neighbours() of {text}",
                "one active choice changed",
                len(changed),
            )


# -- meaning ----------------------------------------------------------------


def check_features(space: SearchSpace) -> None:
    """Finite numbers with known names, each of which may stand in a predicate."""
    for name in sorted(space.feature_names):
        condition = f"{name} >= 1"
        read = str(parse_predicate(condition, space.feature_names))
        _holds(read == condition, "feature_names", "names for predicates", name)
    for architecture in _drawn(space):
        features = space.features(architecture)
        for name, value in features.items():
            _holds(name in space.feature_names, "features()", "names of feature_names", name)
            _holds(isfinite(value), f"feature {name}", "a finite number", value)
        counted = dict.fromkeys(space.operations, 0)
        for place in space.active(architecture.genes):
            op, at = space.chosen(architecture)[place], space.positions[place]
            counted[op] += 1
            _holds(features.get(f"{op}@{at}") == 1, f"feature {op}@{at}", 1, "another value")
        for op, count in counted.items():
            _holds(features.get(op) == count, f"feature {op}", count, features.get(op))


def check_niches(space: SearchSpace) -> None:
    """Niches of its own are disjoint and leave nothing out; each has members among its networks."""
    for architecture in _drawn(space) if space.complexity_niches else ():
        features = space.features(architecture)
        inside = [label for label, niche in space.complexity_niches if niche.holds(features)]
        _holds(
            len(inside) == 1,
            f"complexity_niches at {space.format(architecture)}",
            "one niche",
            inside or "none",
        )


def check_key(space: SearchSpace) -> None:
    """A text that depends on the architecture alone; not one for all."""
    keys = {architecture: space.key(architecture) for architecture in _drawn(space)}
    for architecture, key in keys.items():
        _holds(isinstance(key, str), "key()", "a text", key)
        _holds(key == space.key(architecture), "key()", "the same key each time", "another")
    _holds(len(set(keys.values())) > 1, "key()", "other keys for other networks", "one for all")


def check_descriptions(space: SearchSpace) -> None:
    """``describe`` names every operation, ``explain`` is one line and says what an architecture is."""
    described = space.describe()
    for op in space.operations:
        _holds(op in described, "describe()", f"the operation {op}", "it left out")
    drawn = list(islice(_drawn(space), 2 * BUILT))
    for architecture in drawn:
        explained = space.explain(architecture)
        _holds(len(explained.splitlines()) == 1, "explain()", "one line", explained)
        layers = space.layers(architecture)
        _holds(bool(layers), "layers()", "one or more layers to draw", "none")
        for layer in layers:
            sound = bool(layer.label) and layer.repeats > 0 and layer.channels >= 0
            _holds(sound, "layers()", "a label, 0 or more channels, 1 or more repeats", layer)
    texts = {space.explain(architecture) for architecture in drawn}
    _holds(
        len(texts) > 1, "explain()", "texts that differ between architectures", "one text for all"
    )


# -- the network --------------------------------------------------------------


def check_shapes(space: SearchSpace) -> None:
    """``check_shape`` takes some square images, and refuses others by SpaceError if at all."""
    for size in (*SQUARES, *OBLONGS):
        try:
            space.check_shape(Shape(CLASSES[0], *size))
        except InputError as error:
            _holds(isinstance(error, SpaceError), "check_shape()", "SpaceError", said(error))
    _shapes(space)


def check_networks(space: SearchSpace) -> None:
    """Networks give finite logits, one for each class, for images of two sizes, in grey and in colour."""
    import torch

    for _, shape, words, network in _built(space):
        images = torch.randn(2, *shape.pixels, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            logits = network.eval()(images)
        found, wanted = tuple(logits.shape), (2, shape.classes)
        _holds(found == wanted, f"build() of {words}", f"logits of shape {wanted}", found)
        finite = bool(torch.isfinite(logits).all())
        _holds(finite, f"build() of {words}", "finite logits", "infinity or NaN")


def check_weights(space: SearchSpace) -> None:
    """Weights are drawn by torch's generator alone, and gradients reach them."""
    import torch

    shape = _shapes(space)[-1]
    for architecture in islice(_drawn(space), BUILT):
        where = f"build() of {space.format(architecture)}"
        one, two = (_network(space, architecture, shape) for _ in range(2))
        pairs = zip(one.parameters(), two.parameters(), strict=True)
        equal = all(torch.equal(mine, other) for mine, other in pairs)
        _holds(equal, where, "equal weights after torch.manual_seed(0)", "others")
        images = torch.randn(2, *shape.pixels, generator=torch.Generator().manual_seed(0))
        one.train()(images).square().sum().backward()
        reached = any(each.grad is not None for each in one.parameters())
        _holds(reached, where, "gradients of its weights", "none")


def check_parameters(space: SearchSpace) -> None:
    """``parameters`` is the number of trainable weights of the built network, whatever the images."""
    for architecture, shape, words in _cases(space):
        built = _without_memory(space, architecture, shape, _trainable)
        found = space.parameters(architecture, shape)
        _holds(found == built, f"parameters() of {words}", built, found)


def check_flops(space: SearchSpace) -> None:
    """``flops`` is what the built network multiplies, counted as it runs.

    That is the products of convolutions, linear layers and attention. A space may leave out those
    of attention and may add biases as they are added, in all of its networks alike.
    """
    ways = set(range(len(WAYS)))
    for architecture, shape, words in _cases(space):
        found = space.flops(architecture, shape)
        count = partial(multiply_accumulates, shape=shape)
        counts = _without_memory(space, architecture, shape, count).in_every_way()
        ways &= {way for way, count in enumerate(counts) if count == found}
        expected = f"{counts[0]:.0f} multiply-accumulates"
        _holds(bool(ways), f"flops() of {words}", expected, f"{found:.0f}")


@dataclass(frozen=True, slots=True)
class Products:
    """Multiply-accumulates of one image, and the biases that are added."""

    weights: int  # of weights with activations
    attention: int  # of activations with each other
    convolution_biases: int
    linear_biases: int

    def in_every_way(self) -> list[float]:
        """The sum in each way in which it is counted; all products and no biases first."""
        return [
            float(
                self.weights
                + attention * self.attention
                + convolution * self.convolution_biases
                + linear * self.linear_biases
            )
            for attention, convolution, linear in WAYS
        ]


#: Whether attention, biases of convolutions, and biases of linear layers count.
WAYS = tuple(product((1, 0), (0, 1), (0, 1)))


def multiply_accumulates(network: "nn.Module", shape: Shape) -> Products:
    """What a network does in one forward pass of one image of a shape, counted as it runs."""
    import torch
    from torch import nn
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.modules.conv import _ConvNd
    from torch.utils.flop_counter import FlopCounterMode

    biases = {_ConvNd: 0, nn.Linear: 0}

    def count(kind: type[nn.Module], module: nn.Module, _: object, output: torch.Tensor) -> None:
        if module.bias is not None:
            biases[kind] += output[0].numel()

    hooks = [
        module.register_forward_hook(partial(count, kind))
        for kind in biases
        for module in network.modules()
        if isinstance(module, kind)
    ]
    # attention in plain products: the counter does not see those of the fused kernel of a CPU
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        network.eval()(torch.zeros(1, *shape.pixels))
    for hook in hooks:
        hook.remove()
    products = {str(op): flops // 2 for op, flops in counter.get_flop_counts()["Global"].items()}
    between = sum(count for op, count in products.items() if op in ("aten.bmm", "aten.baddbmm"))
    return Products(sum(products.values()) - between, between, biases[_ConvNd], biases[nn.Linear])


#: The suite by the name of each check, in the order in which it runs.
CHECKS: dict[str, Check] = {
    check.__name__.removeprefix("check_").replace("_", " "): check
    for check in (
        check_positions,
        check_slots,
        check_text,
        check_other_texts,
        check_index,
        check_sampling,
        check_active,
        check_neighbours,
        check_features,
        check_niches,
        check_key,
        check_descriptions,
        check_shapes,
        check_networks,
        check_weights,
        check_parameters,
        check_flops,
    )
}


# -- what the checks share ------------------------------------------------------


def _holds(condition: bool, what: str, expected: object, found: object) -> None:
    if not condition:
        shown = " ".join(str(found).split())[:200]
        raise SpaceError(f"{what[:200]}: expected {expected}, found {shown}: correct it")


def _same(what: str, expected: Architecture, found: Architecture) -> None:
    if expected != found:
        _holds(False, what, f"genes {_genes(expected)}", _genes(found))


def _genes(architecture: Architecture) -> str:
    return str(getattr(architecture, "genes", architecture))[:120]


def _refused(what: str, call: Callable[[], Architecture]) -> None:
    try:
        found = _genes(call())
    except ArchitectureError as error:
        _holds("\n" not in str(error), what, "a refusal in one line", error)
        return
    except Exception as error:  # noqa: BLE001 - code of others fails in any way it likes
        found = said(error)
    _holds(False, what, "ArchitectureError", found)


def _drawn(space: SearchSpace) -> Iterator[Architecture]:
    """The first and the last architecture, then seeded random ones, each once."""
    rng = np.random.default_rng(13)
    ends = (space.at(0), space.at(space.size - 1))
    yield from dict.fromkeys((*ends, *(space.sample(rng) for _ in range(SAMPLE))))


def _shapes(space: SearchSpace) -> list[Shape]:
    """Two sizes of images that the networks take, in colour and in grey.

    The grey ones are not square, unless a space takes squares only.
    """
    squares = [size for size in SQUARES if _takes(space, size)]
    if not squares:
        raise SpaceError(
            "check_shape(): expected some square of 16 to 224 pixels to be taken, found none:"
            " take one"
        )
    oblongs = [size for size in OBLONGS if _takes(space, size)]
    grey = oblongs[0] if oblongs else squares[-1]
    return [Shape(CLASSES[0], *squares[0], channels=3), Shape(CLASSES[1], *grey, channels=1)]


def _takes(space: SearchSpace, size: tuple[int, int]) -> bool:
    try:
        space.check_shape(Shape(CLASSES[0], *size))
    except SpaceError:
        return False
    return True


def _built(space: SearchSpace) -> Iterator[tuple[Architecture, Shape, str, "nn.Module"]]:
    """Networks of a few architectures for every shape, each with words for what it is."""
    for architecture, shape, words in _cases(space):
        yield architecture, shape, words, _network(space, architecture, shape)


def _cases(space: SearchSpace) -> Iterator[tuple[Architecture, Shape, str]]:
    for shape in _shapes(space):
        space.check_shape(shape)
        for architecture in islice(_drawn(space), BUILT):
            pixels = f"{shape.channels}x{shape.height}x{shape.width}"
            words = f"{space.format(architecture)} for images {pixels}"
            yield architecture, shape, words


def _trainable(network: "nn.Module") -> int:
    return sum(each.numel() for each in network.parameters() if each.requires_grad)


def _without_memory(
    space: SearchSpace,
    architecture: Architecture,
    shape: Shape,
    count: Callable[["nn.Module"], Counted],
) -> Counted:
    """What is counted on the built network.

    Without memory for its weights, since drawing them takes longest; with it where the space's
    code needs their values.
    """
    import torch

    try:
        with torch.device("meta"):
            return count(_network(space, architecture, shape))
    except Exception:  # noqa: BLE001 - code of others fails in any way it likes
        return count(_network(space, architecture, shape))


def _network(space: SearchSpace, architecture: Architecture, shape: Shape) -> "nn.Module":
    with seeded(0):
        return space.build(architecture, shape)
