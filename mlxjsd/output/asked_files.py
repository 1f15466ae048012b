"""One sentence as a file: a page of pictures, a report in HTML, or JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.token_map import token_name
from mlxjsd.asked import Asked
from mlxjsd.errors import InputError
from mlxjsd.files import write_whole
from mlxjsd.output.asked_text import RUN_NAMES
from mlxjsd.output.writers import FIGURES, REPORT, is_report
from mlxjsd.output.writing import markdown_table
from mlxjsd.text import plain

JSON = ".json"


def check_ending(path: Path) -> None:
    """Raise ``InputError`` for a file that no sentence is written as."""
    if is_report(path) or path.suffix.lower() == JSON or FIGURES.ending_of(path):
        return
    raise InputError(
        f"a sentence is kept as {', '.join([*FIGURES.endings, REPORT, JSON])}, not {path.name!r}",
        hint="name such a file with -o",
    )


def write_asked(asked: Asked, path: Path | str) -> None:
    """Write one sentence to a file, whose ending says how.

    Raises:
        InputError: for another ending, or where it cannot be written.
        MachineError: if the disk is full.
    """
    path = Path(path)
    check_ending(path)
    if is_report(path):
        write_whole(path, asked_page(asked))
    elif path.suffix.lower() == JSON:
        write_whole(path, to_json(asked))
    else:
        from mlxjsd.output.asked_figure import plot_asked

        FIGURES.write(plot_asked(asked), path)


def to_json(asked: Asked) -> bytes:
    """Return all that was measured of a sentence.

    ``rows`` and ``maps`` are by metric, each in its unit (``jsd`` in nats): ``rows`` hold a number
    for each layer by name, ``maps`` a list for each token by the name of the map, and ``whole``
    a number for each row that reaches through the whole model. A number that there is not, such as
    of a layer that was not measured, is null. ``subject_span`` are tokens [from, to).
    ``next_tokens`` are of the runs ``clean``, ``corrupted`` and ``hidden``: tokens, from the
    likeliest on, and in ``predicted`` the probability of the clean run's likeliest one.
    """
    run, record = asked.run, asked.record
    grid = run.grid
    document = {
        "text": record.text,
        "subject": record.subject,
        "against": asked.against,
        "tokens": list(record.tokens),
        "token_ids": list(record.token_ids),
        "subject_span": list(record.subject_span),
        "corrupted_by": asked.corrupted_by,
        "next_tokens": [asdict(each) for each in asked.next_tokens],
        "total_effect": asked.total_effect,
        "reliance": asked.reliance,
        "floor": asked.floor,
        "rows": {m: dict(zip(grid.rows, record.of(m), strict=True)) for m in grid.metrics},
        "whole": {m: {key: record.number(key, m) for key in grid.whole} for m in grid.metrics},
        "maps": {m: {name: record.map(name, m) for name in grid.maps} for m in grid.metrics},
        "calibration": None if asked.calibration is None else asdict(asked.calibration),
        "sentences": asked.sentences(),
        "source": record.source,
        "settings": run.settings.to_json(),
        "model": run.model,
        "versions": run.versions,
    }
    written = json.dumps(_plain(document), ensure_ascii=False, allow_nan=False, indent=1)
    return f"{written}\n".encode()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, NaN as null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.8g}") if np.isfinite(value) else None
    return value


def asked_page(asked: Asked) -> bytes:
    """Return the report of one sentence, an HTML file."""
    from mlxjsd.output.report.write import report_page

    return report_page(asked.run, asked=asked_markdown(asked))


def asked_markdown(asked: Asked) -> str:
    """Return what a report of runs has no place for: what comes next, and where its reliance lies.

    As Markdown; ``mlxjsd verify`` does not measure it again, and it says so.
    """
    columns = [RUN_NAMES[each.run] for each in asked.next_tokens]
    lines = [
        tuple(
            f"{plain(token_name(each.tokens[at]))} ({each.probabilities[at]:.1%})"
            for each in asked.next_tokens
        )
        for at in range(len(asked.next_tokens[0].tokens))
    ]
    beside = [plain(said) for said in asked.sentences() if said not in asked.reading()]
    against = [] if asked.against is None else [f"Against: {plain(asked.against)}"]
    return "\n\n".join(
        [
            *against,
            f"Corrupted: {plain(asked.corrupted_by)}.",
            "The likeliest next tokens, with their probabilities:",
            markdown_table(tuple(columns), lines),
            *beside,
            "`mlxjsd verify` measures the heatmap again, and not these next tokens.",
        ]
    )
