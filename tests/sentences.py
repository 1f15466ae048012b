"""A made-up sentence, its tokens, and what was measured of it."""

import numpy as np
from records import record, run_of

from mlxjsd.asked import Asked, NextTokens
from mlxjsd.records import Grid

TEXT = "The Eiffel Tower is in"
#: In its tokens: <s> The| E|iffel| Tower| is| in.
PLACES = ((0, 0), (0, 3), (3, 5), (5, 10), (10, 16), (16, 19), (19, 22))
GRID = Grid(8, maps=("residual",))


def asked_of(text: str = TEXT) -> Asked:
    maps = np.linspace(0, 0.6, 5 * 8, dtype=np.float32).reshape(1, 1, 5, 8)
    measured = record(0, 8, GRID, maps=maps, text=text, subject="Eiffel Tower", answer=None)
    run = run_of(1, 8, GRID, records=[measured])
    runs = tuple(
        NextTokens(name, (" Paris", " the"), (7, 8), (first, 0.1), first)
        for name, first in (("clean", 0.8), ("corrupted", 0.3), ("hidden", 0.2))
    )
    return Asked(run, runs, "noise of 3 standard deviations")
