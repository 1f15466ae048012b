"""The runs that are kept here, three lines each, beside a picture of what they have found."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
from rich.style import Style
from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.metrics import described
from mlxjsd.store.folders import KnownRun
from mlxjsd.tui.colours import DIVERGING, TRUECOLOUR, shade, styles, usual_map
from mlxjsd.tui.scales import automatic
from mlxjsd.tui.styles import colours_of
from mlxjsd.tui.text import clean

#: Size of a picture.
_ROWS, _COLUMNS = 3, 12


class RunList(OptionList):
    """Choose a run, the newest first."""

    DEFAULT_CSS = """
    RunList {
        border: none;
        padding: 0;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
        /* Only what has the focus looks selected. */
        &:blur > .option-list--option-highlighted {
            background: transparent;
            color: $foreground;
            text-style: none;
        }
    }
    """

    def __init__(
        self, runs: Sequence[KnownRun], id: str | None = None, colour_map: str | None = None
    ) -> None:
        super().__init__(
            *(Option(described_run(run, None)) for run in runs), id=id, markup=False, compact=True
        )
        self.runs = list(runs)
        self._map = colour_map

    def show_picture(self, at: int, heatmap: Heatmap) -> None:
        """Draw what one of the runs has found, beside its words."""
        usual = self._map or usual_map(self.app.current_theme.dark)
        colours = DIVERGING if described(heatmap.metric).signed else usual
        lines = picture(heatmap, colours, colours_of(self), self.app.no_color)
        self.replace_option_prompt_at_index(at, described_run(self.runs[at], lines))


def described_run(run: KnownRun, lines: Sequence[Text] | None) -> Text:
    """Return three lines: model and prompts; how many and when; the folder."""
    when = datetime.fromtimestamp(run.changed).strftime("%d %b %H:%M")
    model, data = (clean(str(run.header[key][name])) for key, name in _NAMED)
    count = f"{run.total} prompts" if run.finished else f"{run.done} of {run.total}"
    words = (
        Text.assemble("✓ " if run.finished else "◐ ", (model, "bold"), f" · {data}"),
        Text.assemble("  ", count, (f" · {when}", "dim")),
        Text.assemble("  ", (clean(run.folder.name), "dim")),
    )
    empty = [Text(" " * _COLUMNS)] * _ROWS
    beside = zip(lines or empty, words, strict=True)
    return Text("\n", no_wrap=True).join(
        Text.assemble(drawn, " ", said, no_wrap=True) for drawn, said in beside
    )


_NAMED = (("model", "name"), ("data", "file"))


def picture(
    heatmap: Heatmap, colour_map: str, colours: int = TRUECOLOUR, no_color: bool = False
) -> list[Text]:
    """Return the first three rows of a heatmap, as many lines of one width."""
    mean = heatmap.mean[:_ROWS]
    scale = automatic(heatmap.mean, described(heatmap.metric))
    edges = np.linspace(0, heatmap.layers, min(_COLUMNS, heatmap.layers) + 1).astype(int)
    looks, lines = styles(colour_map, colours), []
    for row in mean:
        line = Text()
        for start, end in pairwise(edges):
            known = row[start:end][np.isfinite(row[start:end])]
            level = scale.level(float(known.mean())) if known.size else -1
            if level < 0:
                line.append("·" if heatmap.count else " ", "dim")
            elif no_color or not colours:
                line.append(shade(level))
            else:
                line.append(" ", Style(bgcolor=looks[level].bgcolor))
        line.append(" " * (_COLUMNS - len(line)))
        lines.append(line)
    return lines + [Text(" " * _COLUMNS)] * (_ROWS - len(lines))
