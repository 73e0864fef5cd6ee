"""An architecture as a small picture: a cell as nodes and arcs, any other as boxes in a row."""

import re
from collections.abc import Sequence
from html import escape

from pelnas.architecture import Architecture
from pelnas.spaces import SearchSpace
from pelnas.spaces.base import Layer

_EDGE = re.compile(r"(\d+)->(\d+)")
NOTHING = ("none", "zero")  # an operation of this name is an edge that is not there
STEP = 94  # pixels from node to node
RISE = 26  # pixels that an arc rises for every node it leaps over
RADIUS = 9
COLOURS = 6  # classes op0 to op5 of the page's style sheet
BOX, HIGH = 38, 18  # pixels of a layer's box
LINE = 42  # pixels from one row of boxes to the next
PER_LINE = 9  # boxes


def draw(space: SearchSpace, architecture: Architecture) -> str:
    """Inline SVG, safe to put into a page; empty for a network without layers.

    Positions are edges where each is called ``i->j`` with i < j, as in cell
    spaces; other networks are drawn as their ``layers``. Colours come from the
    page: classes ``op0``, ``op1``, ... in the order of ``space.operations``.
    """
    edges = [_edge(position) for position in space.positions]
    if not edges or any(edge is None for edge in edges):
        return _layered(space, architecture)
    chosen = space.chosen(architecture)
    links = [(*edge, op) for edge, op in zip(edges, chosen, strict=True) if edge is not None]
    nodes = 1 + max(target for _, target, _ in links)
    links = [link for link in links if link[2] not in NOTHING]
    above, below = _room(links)
    width, height = STEP * (nodes - 1) + 4 * RADIUS, above + below + 2 * RADIUS
    middle = above + RADIUS
    drawn = [_link(*link, middle, space.operations) for link in links]
    drawn += [_node(node, middle, nodes) for node in range(nodes)]
    title = escape(space.explain(architecture))
    return (
        f'<svg class="cell" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img"><title>{title}</title>{"".join(drawn)}</svg>'
    )


def _layered(space: SearchSpace, architecture: Architecture) -> str:
    """Boxes from left to right, row by row; below each its channels and how often it stands there."""
    layers = space.layers(architecture)
    if not layers:
        return ""
    width = BOX * min(len(layers), PER_LINE) + 2
    height = LINE * (1 + (len(layers) - 1) // PER_LINE)
    drawn = (_box(layer, place, space.operations) for place, layer in enumerate(layers))
    title = escape(space.explain(architecture))
    return (
        f'<svg class="cell" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img"><title>{title}</title>{"".join(drawn)}</svg>'
    )


def _box(layer: Layer, place: int, operations: Sequence[str]) -> str:
    """Fixed parts, which are no operations, have the first colour."""
    kind = 1 + operations.index(layer.kind) % (COLOURS - 1) if layer.kind in operations else 0
    row, column = divmod(place, PER_LINE)
    left, top = 1 + BOX * column, 1 + LINE * row
    middle = left + BOX // 2 - 2
    times = f" \N{MULTIPLICATION SIGN}{layer.repeats}" if layer.repeats > 1 else ""
    below = f"{layer.channels or ''}{times}"
    detail = f"<title>{escape(layer.detail or layer.label)}</title>"
    return (
        f'<path class="op{kind}" d="M{left},{top}h{BOX - 4}v{HIGH}h{4 - BOX}z">{detail}</path>'
        f'<text class="op{kind}" x="{middle}" y="{top + 13}">{detail}{escape(layer.label[:6])}</text>'
        f'<text class="node" x="{middle}" y="{top + HIGH + 11}">{below}</text>'
    )


def _edge(position: str) -> tuple[int, int] | None:
    match = _EDGE.fullmatch(position)
    if match is None or int(match[1]) >= int(match[2]):
        return None
    return int(match[1]), int(match[2])


def _bend(source: int, target: int) -> int:
    """How far an edge leaves the row of nodes: up from even nodes, down from odd ones."""
    leap = RISE * (target - source - 1)
    return leap if source % 2 == 0 else -leap


def _room(links: Sequence[tuple[int, int, str]]) -> tuple[int, int]:
    """Pixels that arcs and their labels take above and below the nodes."""
    bends = [_bend(source, target) for source, target, _ in links]
    return max([6, *(bend + 6 for bend in bends)]), max([2, *(8 - bend for bend in bends)])


def _link(source: int, target: int, op: str, middle: int, operations: Sequence[str]) -> str:
    start, end = (2 * RADIUS + STEP * node for node in (source, target))
    bend = _bend(source, target)
    # A cubic curve whose two handles stand 4/3 of the bend away reaches just the bend.
    handle = middle - round(bend * 4 / 3)
    inset = (end - start) // 5 if bend else 0
    path = f"M{start},{middle}C{start + inset},{handle} {end - inset},{handle} {end},{middle}"
    place = middle - bend + (13 if bend < 0 else -4)
    kind = operations.index(op) % COLOURS
    return (
        f'<path class="op{kind}" d="{path}"/>'
        f'<text class="op{kind}" x="{(start + end) // 2}" y="{place}">{escape(_short(op))}</text>'
    )


def _node(node: int, middle: int, nodes: int) -> str:
    label = {0: "in", nodes - 1: "out"}.get(node, str(node))
    x = 2 * RADIUS + STEP * node
    return (
        f'<circle cx="{x}" cy="{middle}" r="{RADIUS}"/>'
        f'<text class="node" x="{x}" y="{middle + 3}">{label}</text>'
    )


def _short(op: str) -> str:
    words = op.removeprefix("nor_").replace("_connect", "").replace("_", " ")
    return re.sub(r"(\d)x(\d)", "\\1\N{MULTIPLICATION SIGN}\\2", words)
