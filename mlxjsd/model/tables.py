"""The tables in which a model looks things up: how many tokens and positions they have.

MLX checks no index. A token beyond the last row of the embedding gives other numbers each time,
and far enough out ends the process; so does a position beyond the end of a table of positions.
The tables are found by watching which rows are asked for on the way to the first block.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlxjsd.model.stepping import Stepper

#: No two positions that follow on each other are asked for in this order.
_PROBE = [1, 0]
#: Names that configurations have for these numbers.
_VOCABULARY = ("vocab_size", "padded_vocab_size")
_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
)


@dataclass(frozen=True)
class Tables:
    """How far a model's tables reach."""

    tokens: int | None = None
    """Rows of the embedding; None where it is not known."""
    positions: int | None = None
    """Tokens that a table of positions has room for; None for a model without one."""


def tables_of(blocks: Stepper) -> Tables:
    """Watch a model look up two tokens."""
    tokens: list[int] = []
    positions: list[int] = []
    with _watched(blocks.model) as seen:
        blocks.embed(mx.array([_PROBE]))
    for rows, asked in seen:
        if asked == _PROBE:
            tokens.append(rows)
        elif asked[1:] == [asked[0] + 1]:  # some families begin at another row than the first
            positions.append(rows - asked[0])
    return Tables(min(tokens, default=None), min(positions, default=None))


def tables_in(config: Mapping[str, Any]) -> Tables:
    """Return what a model's ``config.json`` says; ``positions`` whether by a table or not."""
    return Tables(_least(config, _VOCABULARY), _least(config, _POSITIONS))


def _least(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    # A model of text and images keeps what concerns text in a part of its own, which goes first.
    for part in (config.get("text_config"), config):
        if isinstance(part, Mapping):
            for name in names:
                value = part.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    return value
    return None


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[tuple[int, list[int]]]]:
    """Note the rows of each table that is looked up within this context, and what is asked for."""
    seen: list[tuple[int, list[int]]] = []

    def watching(cls: type) -> type:
        def __call__(table: nn.Module, x: mx.array) -> mx.array:  # noqa: N807
            seen.append((table["weight"].shape[0], np.array(x).ravel().tolist()))
            found: mx.array = cls.__call__(table, x)
            return found

        return type(cls.__name__, (cls,), {"__call__": __call__, "__module__": cls.__module__})

    tables = [
        module
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.QuantizedEmbedding)
    ]
    own = [type(table) for table in tables]
    try:
        for table, cls in zip(tables, own, strict=True):
            table.__class__ = watching(cls)
        yield seen
    finally:
        for table, cls in zip(tables, own, strict=True):
            table.__class__ = cls
