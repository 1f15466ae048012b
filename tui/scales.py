"""The scales on which the numbers of a metric can be shown."""

import math

import numpy as np

from mlxjsd.metrics import JSD, Metric
from mlxjsd.tui.colours import Scale

#: The scale that is worked out from what is shown; every metric has it.
AUTOMATIC = "automatic"
#: A scale goes at least so far: noise is not to fill it.
_SHORTEST = 1e-3


def scales_of(metric: Metric) -> dict[str, Scale | None]:
    """Return the scales to choose from, by name; None stands for :func:`automatic`."""
    scales: dict[str, Scale | None] = {AUTOMATIC: None}
    if math.isfinite(metric.low) and math.isfinite(metric.high):
        scales["fixed"] = automatic(np.array([metric.low, metric.high]), metric)
    if metric == JSD:
        scales["target"] = Scale(0.2, 0.6)
    return scales


def scale_label(name: str, metric: Metric) -> str:
    """Say what one of the scales is."""
    scale = scales_of(metric)[name]
    if scale is None:
        return f"{name}, {'as far below 0 as above' if metric.signed else '0 to the highest value'}"
    said = "as in the published figure" if name == "target" else name
    return f"{said}, {scale.low:.2g} to {scale.high:.2g}"


def automatic(values: np.ndarray, metric: Metric) -> Scale:
    """Return the scale from 0 to the highest value; of a signed metric, as far to both sides."""
    known = np.abs(values[np.isfinite(values)])
    top = max(float(known.max(initial=0.0)), _SHORTEST)
    return Scale(-top if metric.signed else 0.0, top)


def span(values: np.ndarray, metric: Metric) -> Scale:
    """Return the range of a metric; where it has no end, up to the last of ``values``."""
    found = automatic(values, metric)
    return Scale(
        metric.low if math.isfinite(metric.low) else found.low,
        metric.high if math.isfinite(metric.high) else found.high,
    )
