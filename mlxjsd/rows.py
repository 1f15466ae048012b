"""The rows of a heatmap, as data: what each one edits, where, and for how many layers.

A row is one entry here. The sweep and the reference measure it from this description, cost,
memory and checks count it, and run files, exports, figures and the app carry it by its key.
"""

from dataclasses import dataclass
from typing import Literal

from mlxjsd.registry import Registry

#: A set of tokens of a prompt: its subject, what follows it, and the last token alone.
Positions = Literal["subject", "tail", "last"]


@dataclass(frozen=True)
class Row:
    """One kind of edit."""

    key: str
    """Its name in settings, run files and exports."""
    label: str
    """Its name where people look."""
    kind: Literal["patch", "knockout", "null"]
    """``patch`` puts the states of another run in place of a token's own (interchange
    intervention, activation patching); ``knockout`` keeps some tokens from attending to others
    (Geva et al. 2023); ``null`` edits nothing."""
    positions: Positions
    """Of a patch, the tokens whose states are replaced; of a knockout, those that may not
    attend; of a null edit, those that are computed anew."""
    reach: Literal["layer", "window", "model"]
    """What a cell covers: the states that leave one layer, a window of blocks around it, or all
    blocks at once. A row that reaches through the model has one number instead of L."""
    edit: str
    """What the edit of a cell does, in the fewest words; ``{layer}`` stands for the layer."""
    help: str
    """The same as part of a sentence."""
    states: Literal["corrupted"] | None = None
    """Of a patch: the run that the states come from."""
    hidden: Positions | None = None
    """Of a knockout: the tokens that may not be attended to."""

    @property
    def by_layer(self) -> bool:
        """Whether the row has a cell for each layer."""
        return self.reach != "model"


#: Every row there is, by key.
ROWS: Registry[Row] = Registry("row", "--rows")

SUBJ = ROWS.add(
    Row(
        key="subj",
        label="Subj.",
        kind="patch",
        positions="subject",
        reach="layer",
        states="corrupted",
        edit="subject's state replaced after block {layer}",
        help="the subject's state is replaced by that of a run with a corrupted subject",
    )
)
ATTN = ROWS.add(
    Row(
        key="attn",
        label="Attn.",
        kind="knockout",
        positions="last",
        reach="window",
        hidden="subject",
        edit="attention to the subject cut around block {layer}",
        help="the last token may not attend to the subject in the blocks around the layer",
    )
)
LAST = ROWS.add(
    Row(
        key="last",
        label="Last.",
        kind="patch",
        positions="last",
        reach="layer",
        states="corrupted",
        edit="last token's state replaced after block {layer}",
        help="the last token's state is replaced by that of the corrupted run",
    )
)
RELIANCE = ROWS.add(
    Row(
        key="reliance",
        label="Reliance",
        kind="knockout",
        positions="tail",
        reach="model",
        hidden="subject",
        edit="no token after the subject attends to it",
        help="no token after the subject may attend to it, in any block",
    )
)
FLOOR = ROWS.add(
    Row(
        key="floor",
        label="Noise floor",
        kind="null",
        positions="last",
        reach="model",
        edit="nothing is edited",
        help="nothing is edited: the numerical noise of this machine",
    )
)

#: The rows of the published figure, from the top: those that a run measures unless told otherwise.
DEFAULT = (SUBJ.key, ATTN.key, LAST.key)
#: What every run measures beside its rows.
ALWAYS = (FLOOR.key, RELIANCE.key)


def label(key: str) -> str:
    """Return how a row is written where people look, also one that only its run file knows."""
    return ROWS[key].label if key in ROWS else key
