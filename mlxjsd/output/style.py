"""How the numbers of a figure become colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.errors import InputError
from mlxjsd.output.colours import map_for
from mlxjsd.output.plain_matplotlib import colormaps


@dataclass(frozen=True)
class Style:
    """How the numbers become colours."""

    vmin: float | None = None
    """The number at the low end; None for 0 or, of a signed metric, as far below 0 as the high
    end is above it."""
    vmax: float | None = None
    """The number at the high end; None for the highest cell or, of a signed metric, the one that
    is farthest from 0."""
    cmap: str | None = None
    """Any matplotlib colour map; None for Blues or, of a signed metric, a diverging one."""

    def __post_init__(self) -> None:
        for option, end in (("--vmin", self.vmin), ("--vmax", self.vmax)):
            if end is not None and not isfinite(end):
                raise InputError(f"{option} is a finite number, not {end}", hint="give one")
        if self.cmap is not None and self.cmap not in colormaps:
            raise InputError(
                f"matplotlib has no colour map {self.cmap!r}", hint="try Blues or viridis"
            )
        if self.vmax is not None and self.vmax <= (self.vmin or 0.0):
            raise InputError(
                f"--vmax {self.vmax:g} must be above --vmin {self.vmin or 0:g}",
                hint="give a higher one",
            )

    def colours(self, heatmaps: Sequence[Heatmap]) -> dict[str, Any]:
        """Return one scale for ``heatmaps`` of one metric, as arguments for matplotlib."""
        low, high = scale_of(heatmaps)
        signed = any(heatmap.described.signed for heatmap in heatmaps)
        if signed:  # an end that is not given mirrors the other one
            high = self.vmax or max(-(self.vmin or 0.0), 0.0) or high
            low = -high
        low = low if self.vmin is None else self.vmin
        high = high if self.vmax is None else self.vmax
        cmap = self.cmap or map_for(signed)
        return {"cmap": cmap, "vmin": low, "vmax": max(high, low + 1e-3)}
