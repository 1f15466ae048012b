"""Writing a report: of a run, of one prompt, of a comparison."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mlxjsd.analysis.compare import Comparison
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.errors import InputError
from mlxjsd.files import write_whole
from mlxjsd.metrics import JSD
from mlxjsd.output.markdown import of_category
from mlxjsd.output.report.document import Side, comparison_document, document_of
from mlxjsd.output.report.page import page_of
from mlxjsd.output.writers import REPORT, is_report
from mlxjsd.results import Run


def report_page(
    run: Run, by: str | None = None, metric: str | None = None, asked: str | None = None
) -> bytes:
    """Return the HTML file of a run, which may be of a single prompt.

    Args:
        run: finished or not.
        by: the groups that are shown at first; all are in it.
        metric: the one that is shown at first.
        asked: what else is said of a single sentence, as Markdown; None for a run.

    Raises:
        InputError: if it has measured nothing, or not this metric.
    """
    if not run.records:
        raise InputError(
            "nothing has been measured yet, so there is nothing to report",
            hint="go on with `mlxjsd resume`",
        )
    document = document_of(run, by, metric)
    return page_of(document if asked is None else {**document, "asked": asked})


def write_report(run: Run, path: Path, by: str | None = None, metric: str | None = None) -> None:
    """Write the HTML file of a run; arguments are those of :func:`report_page`.

    Raises:
        InputError: if it has measured nothing, for another ending, or where it cannot be written.
        MachineError: if the disk is full.
    """
    _write(report_page(run, by, metric), path)


def sides_of(comparison: Comparison) -> list[Side]:
    """Return the pictures of a comparison: both sides and their difference."""
    a, b = comparison.a, comparison.b
    means = (f"A: {a.name}", a.mean), (f"B: {b.name}", b.mean), ("A − B", comparison.difference)
    pictures = [
        (name, Heatmap(mean, np.full_like(mean, np.nan), 1, rows=a.rows, metric=a.metric))
        for name, mean in means
    ]
    return [
        Side(name, heatmap, counted=False, is_difference=at == 2)
        for at, (name, heatmap) in enumerate(pictures)
    ]


def sides_of_runs(
    runs: Mapping[str, Run], category: str | None = None, metric: str = JSD.key
) -> list[Side]:
    """Return a picture of each run, or of its prompts of one category."""
    return [
        Side(name, of_category(run, category).heatmap(metric=metric)) for name, run in runs.items()
    ]


def write_comparison(title: str, sides: Sequence[Side], text: str, path: Path) -> None:
    """Write the HTML file of a comparison.

    Args:
        title: of the page.
        sides: pictures of the same rows and columns, and of one metric.
        text: what is said of them, as Markdown.
        path: the file.

    Raises:
        InputError: for another ending, or where it cannot be written.
        MachineError: if the disk is full.
    """
    # The bars of an amount are no columns of a table.
    text = re.sub(r"(?<!\\)\|difference\|", r"\|difference\|", text)
    _write(page_of(comparison_document(title, sides, text)), path)


def _write(content: bytes, path: Path) -> None:
    if not is_report(path):
        raise InputError(
            f"a report ends in {REPORT}, not {path.name!r}", hint="name such a file with -o"
        )
    write_whole(path, content)
