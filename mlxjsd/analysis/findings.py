"""What is sure about a heatmap, in words: beyond the controls, between groups, where rows peak."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.resampling import RESAMPLES, peak_interval
from mlxjsd.analysis.significance import LEVEL, Outcome, spans
from mlxjsd.metrics import JSD, KL, TOP1
from mlxjsd.row_names import base_of, is_denoising, label
from mlxjsd.rows import ATTN, SUBJ

#: What a row does where its cell is above that of its control, and what the control does.
_CLAIMS = {
    ATTN.key: ("the last token reads the subject", "a control span"),
    SUBJ.key: (
        "the corrupted subject's states change the prediction",
        "a random change of the same size does",
    ),
}
#: Metrics that are larger the more an edit changes.
_LARGER_IS_MORE = (JSD.key, KL.key, TOP1.key)
_SURE = f"q < {LEVEL:g}"

#: How the q-values come about.
METHOD_OF_CONTROLS = (
    f"Tested against the control on the same prompts, by {RESAMPLES:,} sign flips; q-values are "
    "adjusted over all tested cells (Benjamini-Hochberg)."
)
METHOD_OF_GROUPS = (
    f"Tested by {RESAMPLES:,} permutations of the prompts; q-values are adjusted over the cells "
    "of each comparison (Benjamini-Hochberg)."
)


def peak_sentences(heatmap: Heatmap, cells: np.ndarray) -> list[str]:
    """Say where each row peaks, with the 95 % interval of the layer.

    Args:
        heatmap: of the prompts.
        cells: (N, rows, L) that it is the average of; with fewer than two prompts, there is no
            interval and nothing to say.
    """
    ends = peak_interval(cells)
    layers = {peak.row: peak.layer for peak in heatmap.peaks()}
    said = []
    for row, (low, high) in zip(heatmap.rows, ends.T, strict=True):
        if row in layers and np.isfinite(low):
            where = f"{low:.0f}-{high:.0f}" if high > low else f"{low:.0f}"
            said.append(f"{label(row)}: peak at layer {layers[row]}, 95 % interval {where}.")
    return said


def control_sentences(tested: Outcome, heatmap: Heatmap) -> list[str]:
    """Say in which layers each row is beyond its control."""
    layers = heatmap.measured_layers
    said = []
    for at, row in enumerate(tested.rows):
        sure, more = tested.differs[at], tested.difference[at] > 0
        above, below = spans(sure & more, layers), spans(sure & ~more, layers)
        base = base_of(row)
        if not np.isfinite(tested.p[at]).any():
            control = label(tested.against[at])
            said.append(f"{label(row)}: fewer than two prompts have its control, {control}.")
            continue
        in_words = base in _CLAIMS and heatmap.metric in _LARGER_IS_MORE
        plain = heatmap.effect is None or not heatmap.effect.normalised
        if in_words and plain and not is_denoising(row):
            sentence = _claim(*_CLAIMS[base], above, below)
            named = "" if row == base else f"{label(row)}: "
            said.append(f"{named}{sentence if named else sentence[0].upper() + sentence[1:]}.")
        else:
            where = _sides(above, below)
            compared = f"{label(row)} against {label(tested.against[at])}"
            said.append(f"{compared}: {heatmap.described.label} is {where} ({_SURE}).")
    return said


def _claim(does: str, other: str, above: str, below: str) -> str:
    if not above and not below:
        return f"in no layer is it sure that {does} more than {other} (no {_SURE})"
    more = f"{does} in {above} more than {other}" if above else ""
    less = f"in {below} less" if below else ""
    if not above:
        less = f"{does} {less} than {other}"
    return f"{', and '.join(filter(None, [more, less]))} ({_SURE})"


def _sides(above: str, below: str) -> str:
    higher = f"higher in {above}" if above else ""
    lower = f"lower in {below}" if below else ""
    return " and ".join(filter(None, [higher, lower])) or "the same for all that is sure"


def group_sentences(
    found: Mapping[tuple[str, str], Outcome], layers: Sequence[int], names: Mapping[str, str]
) -> list[str]:
    """Say in which rows and layers groups of prompts differ.

    Args:
        found: of :func:`mlxjsd.analysis.significance.between_groups`.
        layers: those that were measured.
        names: what groups are called; a name that is not there stands for itself.
    """
    said = []
    for (first, second), tested in found.items():
        pair = f"{names.get(second, second)} against {names.get(first, first)}"
        rows = []
        for at, row in enumerate(tested.rows):
            sure, more = tested.differs[at], tested.difference[at] > 0
            above, below = spans(sure & more, layers), spans(sure & ~more, layers)
            if above or below:
                rows.append(f"{label(row)} is {_sides(above, below)}")
        where = f"{'; '.join(rows)} ({_SURE})" if rows else f"no cell differs for sure (no {_SURE})"
        said.append(f"{pair}: {where}.")
    return said
