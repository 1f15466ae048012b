"""matplotlib as it is by itself, whatever the user's surroundings set for other programs.

Jupyter leaves an MPLBACKEND behind that may name nothing here; a matplotlibrc may ask for TeX, or
for another size of letters. A figure of mlxjsd is the same everywhere.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO

#: Settings of windows, which nothing is drawn in.
_OF_WINDOWS = ("backend", "backend_fallback", "interactive", "toolbar")


def _imported() -> None:
    """Import matplotlib, which refuses to be imported with a backend that it does not know."""
    wanted = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if wanted is not None:
            os.environ["MPLBACKEND"] = wanted
    if wanted is not None:
        # What the program around asked for is still its own, where there is such a backend.
        with suppress(ValueError, ImportError):
            matplotlib.rcParams["backend"] = wanted


_imported()

import matplotlib  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import QuadMesh  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import findfont, fontManager, get_font  # noqa: E402
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: E402

__all__ = [
    "Axes",
    "ConstrainedLayoutEngine",
    "Figure",
    "QuadMesh",
    "ShownFigure",
    "as_bytes",
    "colormaps",
    "matplotlib",
    "own_defaults",
    "set_fonts_for",
]


#: Fonts of other scripts, as they are called on a Mac, on Linux and on Windows.
_OTHER_SCRIPTS = (
    "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Geeza Pro", "Arial Unicode MS",
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Thai", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Unifont",
    "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Segoe UI Symbol",
)  # fmt: skip


def set_fonts_for(text: str) -> bool:
    """Have matplotlib take fonts of this machine for letters that its own one has not.

    Until its settings are put back. Return whether there are letters that no such font has, which
    are drawn as boxes.
    """
    own = "DejaVu Sans"
    missing = {ord(letter) for letter in text if letter.isprintable()} - _letters_of(own)
    if not missing:
        return False
    found = [font for font in _OTHER_SCRIPTS if font in _installed()]
    matplotlib.rcParams["font.family"] = [own, *found]
    return not missing <= frozenset().union(*map(_letters_of, found))


@lru_cache
def _letters_of(family: str) -> frozenset[int]:
    return frozenset(get_font(findfont(family)).get_charmap())


@lru_cache
def _installed() -> frozenset[str]:
    return frozenset(font.name for font in fontManager.ttflist)


@contextmanager
def own_defaults() -> Iterator[None]:
    """Draw with the settings that matplotlib has of its own, within this context."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")  # it is drawn as a box
        defaults = matplotlib.rcParamsDefault
        matplotlib.rcParams.update({k: defaults[k] for k in defaults if k not in _OF_WINDOWS})
        yield


class ShownFigure(Figure):
    """A figure that a notebook shows by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        return as_bytes(self, "png", 96)


def as_bytes(figure: Figure, kind: str, dpi: float | None = None) -> bytes:
    """Return ``figure`` as png, pdf or svg; text stays text in PDF and SVG.

    ``dpi`` is of pixels; None for the figure's own.
    """
    out = BytesIO()
    with own_defaults(), matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(out, format=kind, dpi="figure" if dpi is None else dpi)
    return out.getvalue()
