"""Plots that go to files, whatever backend Matplotlib is set up with."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKEND = "MPLBACKEND"


def blank(size: tuple[float, float], dpi: int, **settings: Any) -> "Figure":
    """An empty figure of ``size`` inches that only ever draws into memory (Agg).

    ``settings``: as Matplotlib's ``Figure`` takes them.
    """
    load()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=dpi, **settings)
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def plain(style: Mapping[str, Any] | None = None) -> Iterator[None]:
    """A block, or by ``@plain()`` a function, in which Matplotlib draws by its defaults and ``style``.

    A file ``matplotlibrc`` where the user works would choose how, whoever put it there: TeX,
    which is a program, among others. What the caller has set is set again at the end.
    """
    load()
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context():
        rcdefaults()
        # Names of runs, models and niches are data.
        rcParams.update({"text.parse_math": False} | dict(style or {}))
        yield


def load() -> None:
    """Import Matplotlib; to be called before anything else imports it.

    A program that is started with ``!`` in a notebook inherits the notebook's MPLBACKEND, and
    Matplotlib refuses to be imported where it does not know that backend. A backend that it
    knows is left alone: the caller may be a notebook that goes on to draw in it.
    """
    try:
        import matplotlib
    except ValueError:
        inherited = os.environ.pop(BACKEND, None)
        for half in [name for name in sys.modules if name.startswith("matplotlib.")]:
            del sys.modules[half]  # of the import that failed
        try:
            import matplotlib  # noqa: F401
        finally:
            if inherited is not None:
                os.environ[BACKEND] = inherited
