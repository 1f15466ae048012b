"""How far a run is, for whoever calls it from Python: a bar in a notebook, or a function."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlxjsd.run.events import BatchDone, Event, Started

#: What a caller may ask for: a function that gets each batch, a bar or none, or what suits.
Progress = Callable[[BatchDone], object] | bool | None


def in_notebook() -> bool:
    """Say whether this is a Jupyter kernel, where a bar shows how far a long call is."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def watched(progress: Progress, total: int) -> Iterator[Callable[[Event], object]]:
    """Yield what is told each event of a run.

    Args:
        progress: a function, called after each batch; True for a bar, False for nothing, and None
            for a bar in a notebook alone.
        total: prompts of the run.
    """
    if progress is None:
        progress = in_notebook()
    if isinstance(progress, bool):
        if not progress:
            yield lambda event: None
            return
        with _bar(total) as show:
            yield show
        return
    told = progress
    yield lambda event: told(event) if isinstance(event, BatchDone) else None


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Event], None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no widgets: then the bar is of letters
        from tqdm.auto import tqdm

        bar = tqdm(total=total, desc="measuring", unit="prompt")

    def show(event: Event) -> None:
        if isinstance(event, Started | BatchDone):
            bar.update(event.done - bar.n)
        if isinstance(event, BatchDone) and event.failed:
            bar.set_postfix_str(f"{event.failed[-1].id} could not be measured")

    with bar:
        yield show
