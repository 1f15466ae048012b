"""The rows of a heatmap, as data: what each one edits, where, and for how many layers.

A row is one entry here. The sweep and the reference measure it from this description, cost,
memory and checks count it, and run files, exports, figures and the app carry it by its name.

:mod:`mlxjsd.row_names` says how a row is named in each direction and window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlxjsd.registry import Registry

#: A set of tokens of a prompt: its subject; what follows it; the last token alone; all that are
#: neither of these nor a token for the beginning; a span as long as the subject elsewhere; and
#: the subject with all that follows.
Positions = Literal["subject", "tail", "last", "rest", "control", "onward"]


@dataclass(frozen=True)
class Row:
    """One kind of edit."""

    key: str
    """Its name in settings, run files and exports."""
    label: str
    """Its name where people look."""
    kind: Literal["patch", "knockout", "noise", "random", "corrupted", "null"]
    """``patch`` puts the states of another run in place of a token's own (interchange
    intervention, activation patching); ``knockout`` keeps some tokens from attending to others
    (Geva et al. 2023); ``noise`` adds noise to states as they leave a layer; ``random`` moves
    them in a random direction, as far as the corrupted run does; ``corrupted`` is the corrupted
    run itself; ``null`` edits nothing."""
    positions: Positions
    """The tokens whose states are edited; of a knockout, those that may not attend; of a null
    edit, those that are computed anew."""
    reach: Literal["layer", "window", "model"]
    """What a cell covers: the states that leave one layer, a window of blocks around it, or all
    blocks at once. A row that reaches through the model has one number instead of L."""
    edit: str
    """What the edit of a cell does, in the fewest words; ``{layer}`` stands for the layer."""
    help: str
    """The same as part of a sentence."""
    states: Literal["corrupted", "clean"] | None = None
    """Of a patch: the run that the states come from. They are put into the other one."""
    hidden: Positions | None = None
    """Of a knockout: the tokens that may not be attended to."""
    part: Literal["attention", "mlp"] | None = None
    """Of a patch: the part of each block whose output at the tokens is replaced, in place of the
    state that leaves a block (Meng et al. 2022)."""
    window: int | None = None
    """Of a row that reaches through a window: its blocks; None for those of the settings."""
    control: str | None = None
    """Key of the row that makes an edit of the same size which has nothing to do with the subject;
    None without one."""
    restored_edit: str = ""
    """Of a patch: what it does in the other direction, clean states put into the corrupted run;
    "" for a row that has none."""
    restored_help: str = ""
    """The same as part of a sentence."""

    @property
    def by_layer(self) -> bool:
        """Whether the row has a cell for each layer."""
        return self.reach != "model"

    @property
    def denoises(self) -> bool:
        """Whether it can be had in the other direction: clean states in the corrupted run."""
        return bool(self.restored_edit)

    @property
    def drawn(self) -> bool:
        """Whether it has a number for each corrupted run or draw, of which a cell is the mean."""
        return self.kind not in ("knockout", "null")


#: Every row there is, by key, in the order in which sets list them.
ROWS: Registry[Row] = Registry("row", "--rows")

# Cheang et al. 2025; Vig et al. 2020; Meng et al. 2022, restored.
SUBJ = ROWS.add(
    Row(
        key="subj",
        label="Subj.",
        control="subj-random",
        kind="patch",
        positions="subject",
        reach="layer",
        states="corrupted",
        edit="subject's state replaced after block {layer}",
        help="the subject's state is replaced by that of a run with a corrupted subject",
        restored_edit="in the corrupted run, subject's clean state restored after block {layer}",
        restored_help="in the corrupted run, the subject's clean state is restored",
    )
)
# Another reading of Cheang et al. 2025.
SUBJ_NOISE = ROWS.add(
    Row(
        key="subj-noise",
        label="Subj. noise",
        kind="noise",
        positions="subject",
        reach="layer",
        edit="noise added to the subject's state after block {layer}",
        help="noise of the same level is added to the subject's state as it leaves the layer",
    )
)
SUBJ_RANDOM = ROWS.add(
    Row(
        key="subj-random",
        label="Subj. random",
        kind="random",
        positions="subject",
        reach="layer",
        edit="subject's state moved at random after block {layer}",
        help="a control: the subject's state is moved in a random direction, as far as the "
        "corrupted run moves it",
    )
)
# Meng et al. 2022, in both directions.
SUBJ_MLP = ROWS.add(
    Row(
        key="subj-mlp",
        label="Subj. MLP",
        kind="patch",
        positions="subject",
        reach="window",
        states="corrupted",
        part="mlp",
        edit="subject's MLP outputs replaced around block {layer}",
        help="what the MLPs give at the subject is replaced by what they give in the corrupted "
        "run, in the blocks around the layer",
        restored_edit="in the corrupted run, subject's clean MLP outputs restored around block "
        "{layer}",
        restored_help="in the corrupted run, what the MLPs give at the subject in the clean run "
        "is restored, in the blocks around the layer",
    )
)
# Meng et al. 2022, in both directions.
SUBJ_ATTENTION = ROWS.add(
    Row(
        key="subj-attention",
        label="Subj. attention",
        kind="patch",
        positions="subject",
        reach="window",
        states="corrupted",
        part="attention",
        edit="subject's attention outputs replaced around block {layer}",
        help="what attention gives at the subject is replaced by what it gives in the corrupted "
        "run, in the blocks around the layer",
        restored_edit="in the corrupted run, subject's clean attention outputs restored around "
        "block {layer}",
        restored_help="in the corrupted run, what attention gives at the subject in the clean run "
        "is restored, in the blocks around the layer",
    )
)
# Geva et al. 2023.
ATTN = ROWS.add(
    Row(
        key="attn",
        label="Attn.",
        control="attn-control",
        kind="knockout",
        positions="last",
        reach="window",
        hidden="subject",
        edit="attention to the subject cut around block {layer}",
        help="the last token may not attend to the subject in the blocks around the layer",
    )
)
# Geva et al. 2023.
ATTN_REST = ROWS.add(
    Row(
        key="attn-rest",
        label="Attn. rest",
        kind="knockout",
        positions="last",
        reach="window",
        hidden="rest",
        edit="attention to the other tokens cut around block {layer}",
        help="the last token may not attend to tokens that are neither the subject nor itself nor "
        "the beginning, in the blocks around the layer",
    )
)
# Geva et al. 2023.
ATTN_SELF = ROWS.add(
    Row(
        key="attn-self",
        label="Attn. self",
        kind="knockout",
        positions="last",
        reach="window",
        hidden="last",
        edit="attention of the last token to itself cut around block {layer}",
        help="the last token may not attend to itself in the blocks around the layer",
    )
)
ATTN_CONTROL = ROWS.add(
    Row(
        key="attn-control",
        label="Attn. control",
        kind="knockout",
        positions="last",
        reach="window",
        hidden="control",
        edit="attention to as many other tokens cut around block {layer}",
        help="a control: the last token may not attend to a span as long as the subject elsewhere, "
        "in the blocks around the layer",
    )
)
# Cheang et al. 2025; Meng et al. 2022, restored.
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
        restored_edit="in the corrupted run, last token's clean state restored after block {layer}",
        restored_help="in the corrupted run, the last token's clean state is restored",
    )
)
# Another reading of Cheang et al. 2025.
LAST_NOISE = ROWS.add(
    Row(
        key="last-noise",
        label="Last. noise",
        kind="noise",
        positions="last",
        reach="layer",
        edit="noise added to the last token's state after block {layer}",
        help="noise of the same level is added to the last token's state as it leaves the layer",
    )
)
# Meng et al. 2022, in both directions.
LAST_MLP = ROWS.add(
    Row(
        key="last-mlp",
        label="Last. MLP",
        kind="patch",
        positions="last",
        reach="window",
        states="corrupted",
        part="mlp",
        edit="last token's MLP outputs replaced around block {layer}",
        help="what the MLPs give at the last token is replaced by what they give in the corrupted "
        "run, in the blocks around the layer",
        restored_edit="in the corrupted run, last token's clean MLP outputs restored around block "
        "{layer}",
        restored_help="in the corrupted run, what the MLPs give at the last token in the clean run "
        "is restored, in the blocks around the layer",
    )
)
# Meng et al. 2022, in both directions.
LAST_ATTENTION = ROWS.add(
    Row(
        key="last-attention",
        label="Last. attention",
        kind="patch",
        positions="last",
        reach="window",
        states="corrupted",
        part="attention",
        edit="last token's attention outputs replaced around block {layer}",
        help="what attention gives at the last token is replaced by what it gives in the "
        "corrupted run, in the blocks around the layer",
        restored_edit="in the corrupted run, last token's clean attention outputs restored around "
        "block {layer}",
        restored_help="in the corrupted run, what attention gives at the last token in the clean "
        "run is restored, in the blocks around the layer",
    )
)
# Cheang et al. 2025.
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
# Meng et al. 2022.
TOTAL = ROWS.add(
    Row(
        key="total",
        label="Total effect",
        kind="corrupted",
        positions="last",
        reach="model",
        edit="the whole run is the corrupted one",
        help="the whole run is the corrupted one: what its numbers are without any restoration",
    )
)

#: The rows of the published figure, from the top: those that a run measures unless told otherwise.
DEFAULT = (SUBJ.key, ATTN.key, LAST.key)
#: What every run measures beside its rows.
ALWAYS = (FLOOR.key, RELIANCE.key)


def sets() -> dict[str, tuple[str, ...]]:
    """Return the rows that one name stands for, as in ``--rows geva``."""
    return {
        "paper": DEFAULT,
        "geva": (ATTN.key, ATTN_REST.key, ATTN_SELF.key),
        "parts": tuple(key for key, row in ROWS.items() if row.part),
        # Of whole states: not every model has parts that can be told.
        "all": tuple(key for key, row in ROWS.items() if row.by_layer and not row.part),
    }


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the rows that are meant by keys and names of sets, each once."""
    known = sets()
    return tuple(dict.fromkeys(key for name in names for key in known.get(name, (name,))))
