"""What the terminal would show as a picture of its own, complete without any other file."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.tree import Tree

WIDEST = 110  # columns; longer lines are cut off with an ellipsis
# The frame that rich would use fetches its font from a server. A picture asks nobody for
# anything: it takes whatever monospaced font is there, and rich says how wide each text is.
FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, "DejaVu Sans Mono", Menlo, \
Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px system-ui, "DejaVu Sans", sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def as_svg(tree: "Tree", title: str) -> str:
    """A tree as the text of an SVG file, as wide as its longest line, at most ``WIDEST`` columns."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(), record=True, width=WIDEST, highlight=False, color_system="truecolor",
        force_terminal=True, legacy_windows=False,
    )  # fmt: skip
    console.width = console.measure(tree).maximum
    console.print(tree, no_wrap=True, overflow="ellipsis")
    return console.export_svg(title=title, code_format=FRAME)
