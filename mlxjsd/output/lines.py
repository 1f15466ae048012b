"""A heatmap seen from the side: a line for each row, in a band where the interval is known."""

import numpy as np

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.metrics import described
from mlxjsd.output.figure import Style, escape
from mlxjsd.output.plain_matplotlib import Figure, own_defaults
from mlxjsd.row_names import label


@own_defaults()
def plot_lines(
    heatmap: Heatmap,
    title: str = "",
    style: Style | None = None,
    interval: np.ndarray | None = None,
) -> Figure:
    """Return the figure of the rows as lines over the layers, in the unit of the metric.

    Args:
        heatmap: whose rows they are.
        title: over the lines.
        style: the ends of the vertical axis; its colour map has nothing to colour here.
        interval: (2, rows, L) lower and upper ends of a band around each line; None for none.
    """
    width = min(max(4.5, 1.6 + 0.26 * heatmap.layers), 12)
    figure = Figure(figsize=(width, 3.4), layout="constrained")
    axes = figure.add_subplot()
    layers = np.array(heatmap.measured_layers)
    for row, values in enumerate(heatmap.mean[:, layers]):
        colour = f"C{row % 10}"
        dashes = ("-", "--", ":")[row // 10 % 3]
        name = escape(label(heatmap.rows[row]))
        axes.plot(layers, values, dashes, color=colour, marker=".", label=name)
        if interval is not None:
            low, high = interval[:, row, layers]
            axes.fill_between(layers, low, high, color=colour, alpha=0.2, linewidth=0)
    ends = (style or Style()).colours([heatmap])
    room = 0.02 * (ends["vmax"] - ends["vmin"])  # a line along an edge is whole
    axes.set_ylim(ends["vmin"] - room, ends["vmax"] + room)
    axes.set_xlim(-0.5, heatmap.layers - 0.5)
    axes.set_xlabel("Layer")
    metric = described(heatmap.metric)
    unit = f" ({escape(metric.unit)})" if metric.unit else ""
    axes.set_ylabel(f"{escape(metric.label)}{unit}")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if title:
        axes.set_title(title, fontsize=10)
    return figure
