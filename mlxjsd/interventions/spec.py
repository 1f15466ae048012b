"""What both ways of measuring are given, and what they return.

Nothing here computes with a model. The sweep and the reference share this file and
:mod:`mlxjsd.interventions.common`, which have tests of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mlxjsd.metrics import JSD
from mlxjsd.records import Grid
from mlxjsd.rows import FLOOR, RELIANCE, Positions, Row
from mlxjsd.settings import WINDOW_RULE, Settings

#: Stands for a token that a prompt has not.
NO_TOKEN = -1
#: Tokens that a shared beginning must save in each block, so that it is run by itself.
SHARED_TOKENS = 64


def knockout_blocks(layer: int, window: int, layers: int, rule: int = WINDOW_RULE) -> range:
    """Return the blocks in which attention is knocked out for the cell of ``layer``.

    Rule 2 is that of the code of Meng et al. 2022 and Geva et al. 2023: the blocks from
    max(0, layer - window // 2) to min(layers, layer - (-window // 2)), the last one not included.
    Rule 1, of runs of older versions, is one block wider for an even window.

    Args:
        layer: of the cell, 0 .. layers - 1.
        window: in blocks; 0 knocks out nothing.
        layers: of the model.
        rule: see :attr:`mlxjsd.settings.Settings.window_rule`.
    """
    if window == 0:
        return range(0)
    before = window // 2
    after = before + 1 if rule == 1 else -(-window // 2)
    return range(max(0, layer - before), min(layers, layer + after))


def shared_beginning(tokens: np.ndarray, first: int) -> int:
    """Return how many tokens, in front of every subject, are run once for all prompts.

    Args:
        tokens: (B, T) of a batch.
        first: the first position that any corruption changes.

    Returns:
        The length of the common beginning; 0 where it would save fewer than ``SHARED_TOKENS``
        tokens in each block, since it costs each block another call.
    """
    alike = (tokens[:, :first] == tokens[0, :first]).all(axis=0)
    length = first if alike.all() else int(alike.argmin())
    return length if (len(tokens) - 1) * length >= SHARED_TOKENS else 0


def start_of(suffix: Positions | int, first: int, end: int, length: int) -> int:
    """Return where a suffix begins, of prompts whose subjects lie in [first, end)."""
    if isinstance(suffix, int):
        return suffix
    return {"onward": first, "tail": end, "last": length - 1}[suffix]


def blocks_of(row: Row, layer: int, settings: Settings, layers: int) -> range:
    """Return the blocks in which a knockout hides keys, or a patch exchanges the outputs of parts,
    for the cell of ``layer``."""
    if row.part is not None:
        return part_blocks(layer, settings, layers)
    if row.kind != "knockout":
        return range(0)
    if row.reach == "model":
        return range(layers)
    window = row.window if row.window is not None else settings.windows[0]
    return knockout_blocks(layer, window, layers, settings.window_rule)


def part_blocks(layer: int, settings: Settings, layers: int) -> range:
    """Return the blocks in which the outputs of parts are exchanged, for the cell of ``layer``.

    The window of the code of Meng et al. 2022, as in :func:`knockout_blocks`.
    """
    return knockout_blocks(layer, settings.part_window, layers)


class Draws(Protocol):
    """What is drawn at random for the prompts of a batch, layer by layer, as a pure function of
    the seed and each prompt's id."""

    def noise(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Return what is added to the states that leave a layer, (B, tokens, hidden) float32.

        The tokens are [first, end) for a row of the subject, zero in front of each one, and the
        last one for a row of the last token.
        """

    def direction(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Return a unit vector for each token, (B, tokens, hidden) float32, as in :meth:`noise`."""


@dataclass(frozen=True)
class Batch:
    """Prompts of one length whose subjects end at one place, and how each is corrupted.

    Nothing is padded: every prompt of a batch has T tokens and its tail is [end, T).
    """

    tokens: np.ndarray
    """(B, T) int32."""
    starts: np.ndarray
    """(B,) int32: where each subject begins."""
    end: int
    """Where every subject ends; at least one token follows."""
    noise: np.ndarray | None = None
    """(B, S, end - min(starts), hidden) float32, added to what enters block 0 at the tokens
    [min(starts), end); zero in front of each subject. None where tokens are replaced."""
    source_tokens: np.ndarray | None = None
    """(B, T) int32: the corrupted prompts where tokens are replaced; None for noise."""
    begun: np.ndarray | None = None
    """(B,) int32: how many tokens for the beginning stand in front; None for none."""
    controls: np.ndarray | None = None
    """(B, 2) int32: a span [from, to) as long as the subject elsewhere; [0, 0) where a prompt has
    none. None where none is asked for."""
    targets: np.ndarray | None = None
    """(B,) int32: the token whose probability is measured, ``NO_TOKEN`` for none; None for the
    clean run's prediction."""
    counterfactuals: np.ndarray | None = None
    """(B,) int32: the token that its logit is compared with, ``NO_TOKEN`` for the corrupted run's
    prediction; None for that of all."""
    draws: Draws | None = None
    """What is drawn at random for each layer; None where nothing is."""

    def __post_init__(self) -> None:
        if (self.noise is None) == (self.source_tokens is None):
            raise ValueError("a batch is corrupted by noise or by other tokens")
        if not 0 < self.end < self.tokens.shape[1]:
            raise ValueError("at least one token must follow the subject")

    @property
    def size(self) -> int:
        """How many prompts, B."""
        return self.tokens.shape[0]

    @property
    def length(self) -> int:
        """Tokens of each prompt, T."""
        return self.tokens.shape[1]

    @property
    def first(self) -> int:
        """The first position that any corruption changes."""
        return int(self.starts.min())

    @property
    def shared(self) -> int:
        """How many tokens the prompts begin with alike; see :func:`shared_beginning`."""
        return shared_beginning(self.tokens, self.first)

    @property
    def samples(self) -> int:
        """Corrupted runs for each prompt, S."""
        return 1 if self.noise is None else self.noise.shape[1]

    def mask(self, positions: Positions) -> np.ndarray:
        """Return (B, T) bool, True on the tokens that are meant."""
        at = np.broadcast_to(np.arange(self.length), self.tokens.shape)
        starts = self.starts[:, None]
        if positions == "onward":
            return at >= starts
        if positions == "subject":
            return (at >= starts) & (at < self.end)
        if positions == "control":
            if self.controls is None:
                raise ValueError("this batch has no control spans")
            return (at >= self.controls[:, :1]) & (at < self.controls[:, 1:])
        if positions == "rest":
            begun = 0 if self.begun is None else self.begun[:, None]
            return (at >= begun) & (at < self.length - 1) & ~self.mask("subject")
        return at >= (self.end if positions == "tail" else self.length - 1)

    def start_of(self, suffix: Positions | int) -> int:
        """Return where the tokens that a branch carries begin."""
        return start_of(suffix, self.first, self.end, self.length)

    @property
    def paired(self) -> bool:
        """Whether the corrupted run is that of another prompt, with an answer of its own."""
        return self.source_tokens is not None


@dataclass(frozen=True)
class Measurement:
    """What was measured for each prompt of a batch."""

    grid: Grid
    """The names of the numbers."""
    cells: np.ndarray
    """(B, metrics, rows, L) float32, averaged over the samples; NaN, "not applicable", where an
    edit can do nothing, such as a knockout where no block of the window attends."""
    whole: np.ndarray
    """(B, metrics, whole) float32: rows that reach through the whole model; NaN as above."""
    prediction: np.ndarray
    """(B,) int32: the clean run's most probable next token."""
    probability: np.ndarray
    """(B,) float32: its probability."""
    entropy: np.ndarray
    """(B,) float32: of the clean next-token distribution, in nats."""
    norms: np.ndarray
    """(B, L) float32: mean L2 norm of the subject's clean states as they leave each block."""
    directions: np.ndarray
    """(B, L, hidden) float32: the last token's clean state as it leaves each block, scaled to
    length one."""
    maps: np.ndarray | None = None
    """(B, maps, metrics, T, L) float32; see :func:`mlxjsd.interventions.maps.sweep_maps`. None
    where none was asked for."""

    @property
    def jsd(self) -> np.ndarray:
        """The divergences, (B, rows, L) in nats."""
        return self.cells[:, self.grid.metrics.index(JSD.key)]

    def number(self, row: Row, metric: str = JSD.key) -> np.ndarray:
        """Return the numbers of a row that reaches through the whole model, (B,)."""
        return self.whole[:, self.grid.metrics.index(metric), self.grid.whole.index(row.key)]

    @property
    def reliance(self) -> np.ndarray:
        """(B,) nats: the tail never attends to the subject; NaN where no block attends."""
        return self.number(RELIANCE)

    @property
    def floor(self) -> np.ndarray:
        """(B,) nats: nothing is edited; the numerical noise of this machine."""
        return self.number(FLOOR)

    @classmethod
    def join(cls, parts: "Sequence[Measurement]") -> "Measurement":
        """Put the prompts of several measurements of one grid behind one another."""
        names = set(cls.__dataclass_fields__) - {"grid"}
        if any(part.maps is None for part in parts):
            names -= {"maps"}
        joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        return cls(grid=parts[0].grid, **joined)
