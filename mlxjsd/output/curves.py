"""The figures beside the heatmap: curves by category, like the paper's Figures 3, 6 and 8."""

from mlxjsd.analysis.curves import KINDS, confidences, cosines, norm_ratios
from mlxjsd.errors import InputError
from mlxjsd.output.figure import title_of
from mlxjsd.output.plain_matplotlib import Figure, own_defaults
from mlxjsd.results import Run

_CATEGORY_COLOURS = {"FA": "#2171b5", "AH": "#d95f0e", "UH": "#737373", "wrong": "#d95f0e"}


@own_defaults()
def plot_curves(run: Run, kind: str) -> Figure:
    """Return curves by category: ``norms``, ``cosine`` or ``probability``.

    Raises:
        InputError: for another ``kind``, or a run that cannot show it.
    """
    if kind not in KINDS:
        raise InputError(
            f"--kind is heatmap, {', '.join(KINDS)}, not {kind!r}", hint="give one of them"
        )
    if kind == "probability":
        return _plot_confidence(run)
    found = run.categories()
    lines = norm_ratios(found) if kind == "norms" else cosines(found, run.cosines, run.criteria)
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in lines.items():
        axes.plot(values, label=name, color=_CATEGORY_COLOURS[name], marker=".")
    axes.set_xlabel("Layer")
    if kind == "norms":
        axes.set_ylabel("Norm of subject states, ratio to FA")
    else:
        axes.set_ylabel("Mean pairwise cosine of last-token states")
    axes.legend(frameon=False)
    axes.set_title(title_of(run), fontsize=10)
    return figure


def _plot_confidence(run: Run) -> Figure:
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    found = confidences(run.categories())
    widest = max(float(c.entropy.max()) for c in found.values())
    for name, confidence in found.items():
        look = {"density": True, "histtype": "step", "color": _CATEGORY_COLOURS[name]}
        left.hist(confidence.probability, bins=20, range=(0, 1), label=name, **look)
        right.hist(confidence.entropy, bins=20, range=(0, max(widest, 1e-3)), **look)
    left.set_xlabel("Probability of the predicted token")
    right.set_xlabel("Entropy (nats)")
    left.set_ylabel("Density of prompts")
    left.legend(frameon=False)
    figure.suptitle(title_of(run), fontsize=10)
    return figure
