"""How a subject can be corrupted, as data; :mod:`mlxjsd.interventions.corruption` does it."""

from dataclasses import dataclass

from mlxjsd.registry import Registry


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
CORRUPTIONS: Registry[Corruption] = Registry("corruption", "--corruption")

NOISE = CORRUPTIONS.add(
    Corruption(
        "noise",
        "noise {level:g}$\\sigma$",
        "Gaussian noise added to the subject's embeddings (Meng et al. 2022)",
        drawn=True,
    )
)
SWAP = CORRUPTIONS.add(
    Corruption(
        "swap",
        "swapped subjects",
        "the subject of another prompt of the same relation (Zhang & Nanda 2024)",
    )
)
PAIR = CORRUPTIONS.add(
    Corruption(
        "pair",
        "counterfactual pairs",
        "the prompt's own counterfactual, the same words about another subject (Vig et al. 2020)",
    )
)
