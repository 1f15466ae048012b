"""How a subject can be corrupted, as data; :mod:`mlxjsd.interventions.corruption` does it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Corruption:
    """One way to corrupt subjects."""

    key: str
    """Its name in settings, run files and exports."""
    title: str
    """Its name in the title of a figure; ``{level:g}`` stands for the noise level."""
    help: str
    """What it does, and whose idea it is."""
    drawn: bool = False
    """Whether it is drawn at random, so that a prompt can have several samples."""


#: Every corruption there is, by key.
CORRUPTIONS: dict[str, Corruption] = {}


def register(corruption: Corruption) -> Corruption:
    """Add a corruption to those that can be asked for; return it."""
    if corruption.key in CORRUPTIONS:
        raise ValueError(f"there is a corruption {corruption.key!r} already")
    CORRUPTIONS[corruption.key] = corruption
    return corruption


NOISE = register(
    Corruption(
        "noise",
        "noise {level:g}$\\sigma$",
        "Gaussian noise added to the subject's embeddings (Meng et al. 2022)",
        drawn=True,
    )
)
SWAP = register(
    Corruption(
        "swap",
        "swapped subjects",
        "the subject of another prompt of the same relation (Zhang & Nanda 2024)",
    )
)
