"""The maps of a prompt, as data: a number for each token and each layer.

Where a row edits the same tokens of every prompt, a map edits one token after the other. This is
the picture of causal tracing (Meng et al. 2022, figure 1).
"""

from dataclasses import dataclass, replace
from typing import Literal

from mlxjsd.registry import Registry
from mlxjsd.row_names import base_of, directed, restored


@dataclass(frozen=True)
class Map:
    """One kind of state that is exchanged, token by token."""

    key: str
    """Its name in settings, run files and exports."""
    label: str
    """Its name where people look."""
    help: str
    """What is exchanged, as part of a sentence."""
    part: Literal["attention", "mlp"] | None = None
    """The part of each block whose output is exchanged, in a window of blocks around the layer;
    None for the state that leaves one."""
    denoising: bool = False
    """Whether clean states are put into the corrupted run, not the other way round."""


#: Every map there is, by key.
MAPS: Registry[Map] = Registry("map", "--map")

RESIDUAL = MAPS.add(
    Map(
        "residual",
        "Residual stream",
        "the state of one token as it leaves a layer is exchanged between both runs",
    )
)
MLP = MAPS.add(
    Map(
        "mlp",
        "MLP",
        "what the MLPs give at one token is exchanged between both runs, in the blocks around the "
        "layer",
        part="mlp",
    )
)
ATTENTION = MAPS.add(
    Map(
        "attention",
        "Attention",
        "what attention gives at one token is exchanged between both runs, in the blocks around "
        "the layer",
        part="attention",
    )
)


def named(key: str, direction: str) -> tuple[str, ...]:
    """Return the names under which a map is measured, in one direction or both."""
    return directed((key,), (restored(key),), direction)


def map_of(name: str) -> Map:
    """Return the map of this name, in the direction that it is measured in.

    Raises:
        KeyError: if there is none, as in a run file of a newer version.
    """
    about = MAPS[base_of(name)]
    if name == about.key:
        return about
    if name != restored(about.key):
        raise KeyError(name)
    return replace(about, key=name, label=f"{about.label} restored", denoising=True)


def part_of(name: str) -> str | None:
    """Return the part whose outputs a map exchanges; None for states, or what nobody knows."""
    found = _known(name)
    return None if found is None else found.part


def label(name: str) -> str:
    """Return how a map is written where people look, also one that only its run file knows."""
    found = _known(name)
    return name if found is None else found.label


def _known(name: str) -> Map | None:
    try:
        return map_of(name)
    except KeyError:  # of a newer version
        return None
