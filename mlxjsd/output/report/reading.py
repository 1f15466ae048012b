"""Reading a report: a file of anybody's becomes a run of checked values, or one sentence.

Two things are told apart. A file that does not hold together (another hash than its data, averages
that are not those of its prompts, a page that says something else than its data) was edited, and is
refused. One that does hold together can still be made up; only measuring again tells, which
:mod:`mlxjsd.run.verify` does.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError

from mlxjsd.errors import InputError, said_by
from mlxjsd.output.report.document import FORMAT, Document, shown, unpacked_cells
from mlxjsd.output.report.maps import unpacked_maps
from mlxjsd.output.report.packing import packing_from, unpacked_floats
from mlxjsd.output.report.page import (
    DATA_BEGINS,
    DATA_ENDS,
    SEAL_BEGINS,
    page_around,
    page_version,
)
from mlxjsd.records import Record
from mlxjsd.results import Run
from mlxjsd.store.checked import record_from, skipped_from
from mlxjsd.store.damage import NONSENSE, Damage
from mlxjsd.store.header import MOST_PROMPTS, Header
from mlxjsd.store.values import anything, integer, listed, mapped, parsed, text, with_keys

#: Bytes of the largest file that is looked at.
LARGEST = 500_000_000
#: By how much an average may differ, relative to the largest one, that another machine worked out.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Report:
    """A report that holds together."""

    run: Run
    """As it was packed; the norms of states are not in a report, and are 0 here."""
    steps: Mapping[str, float]
    """Between two packed cells, by metric, in its unit: a cell is within half of it."""
    map_steps: Mapping[str, float]
    """The same of maps; empty where it holds none."""
    sha256: str
    """Of its data."""
    same_version: bool
    """Whether this mlxjsd makes such pages; what stands around the data of others is not looked
    at."""


def read_report(path: Path) -> Report:
    """Read the file of a report, and look whether anything in it was changed.

    Raises:
        InputError: if it is none, of another version, or edited.
    """
    content = _content(path)
    data = _between(content, DATA_BEGINS, DATA_ENDS)
    sealed = _between(content, SEAL_BEGINS, b'"')
    if data is None or sealed is None:
        raise InputError(
            f"{path} is no report of mlxjsd", hint="name a file that `mlxjsd report` has written"
        )
    digest = hashlib.sha256(data).hexdigest()
    try:
        document = _parsed(data, path)
        if sealed.decode("ascii", "replace") != digest:
            raise _edited(path, "its data are not those that were written")
        run, steps, map_steps = _run_of(document)
        same_version = document.get("page") == page_version()
        if same_version:
            _check_shown(path, content, data, document, run)
    except Damage as error:
        raise _edited(path, said_by(error, 200)) from None
    except InputError:
        raise
    except NONSENSE as error:
        raise _edited(path, f"{type(error).__name__} while reading it") from None
    return Report(run, steps, map_steps, digest, same_version)


def _edited(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} was edited or damaged: {why}", hint="ask for the file as it was written"
    )


def _content(path: Path) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise InputError(
                f"{path} is larger than any report", hint="name a file that mlxjsd has written"
            )
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="name a report, or a run folder")
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None


def _between(content: bytes, begins: bytes, ends: bytes) -> bytes | None:
    """Return what stands once between two texts; None where it does not."""
    _, found, rest = content.partition(begins)
    inside, ended, after = rest.partition(ends)
    return inside if found and ended and begins not in after else None


def _parsed(data: bytes, path: Path) -> Document:
    document = parsed(data.decode("ascii"), "the data")
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise Damage("the data are not a report's")
    if document.get("format") != FORMAT:
        said = str(document.get("format"))[:20]
        raise InputError(
            f"{path} is a report of layout {said}, and this mlxjsd reads layout {FORMAT}",
            hint="use the version of mlxjsd that the end of the page names",
        )
    if document["kind"] != "run":
        raise InputError(
            f"{path} is a {document['kind'][:20]} and holds no prompts to measure again",
            hint="verify the reports of its runs",
        )
    return document


_PARTS = {
    **{"header": dict, "packing": dict, "shown": dict, "first": dict, "sources": dict},
    "cells": dict,
    **{"prompts": list, "skipped": list, "failed": list},
}
_PROMPT = with_keys(
    {
        "span": listed(integer(0, 10**6), 2),
        "source": mapped(anything),
        "whole": text,
    },
    (
        *("id", "position", "text", "subject", "relation", "answers", "token_ids", "tokens"),
        *("span", "source", "prediction", "probability", "entropy", "whole", "answer"),
        *("flags", "popularity"),
    ),
)


def _run_of(document: Document) -> tuple[Run, dict[str, float], dict[str, float]]:
    """Return a report's run, and the steps of its packings: of cells and of maps, by metric."""
    for name, kind in _PARTS.items():
        if not isinstance(document.get(name), kind):
            raise Damage(f"{name!r} is missing")
    if not isinstance(document.get("asked", ""), str):
        raise Damage("what comes next is no text")
    header = Header.of(document["header"])
    grid = header.grid
    packings = {
        metric: packing_from(document["packing"].get(metric), f"the packing of {metric}")
        for metric in grid.metrics
    }
    if not 0 < len(document["prompts"]) <= MOST_PROMPTS:
        raise Damage("it holds no prompt")
    common = mapped(anything)(document["sources"], "the sources")
    prompts = [_PROMPT(prompt, "a prompt") for prompt in document["prompts"]]
    cells = unpacked_cells(document["cells"], packings, grid, len(prompts))
    tokens = [len(listed(text)(prompt["tokens"], "tokens")) for prompt in prompts]
    maps, map_steps = unpacked_maps(document.get("maps"), grid, tokens)
    records = [
        _record(prompt, own, maps.get(at), header, common)
        for at, (prompt, own) in enumerate(zip(prompts, cells, strict=True))
    ]
    if len({record.id for record in records}) < len(records):
        raise Damage("two prompts have one id")
    for at, (metric, packing) in enumerate(packings.items()):
        if not packing.is_finest(metric, cells[:, at]):
            raise Damage(f"{metric} is packed more coarsely than it has to be")
    skipped, failed = (
        [skipped_from(_triple(one)) for one in document[name]] for name in ("skipped", "failed")
    )
    steps = {metric: packing.step for metric, packing in packings.items()}
    return header.run(records, skipped, failed), steps, map_steps


def _triple(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) != 3:
        raise Damage("a skipped prompt that is none")
    return value


def _record(
    prompt: Mapping[str, Any],
    cells: np.ndarray,
    maps: np.ndarray | None,
    header: Header,
    common: Mapping[str, Any],
) -> Record:
    """Return a record, by the check that rows of run files pass."""
    grid = header.grid
    whole = unpacked_floats(prompt["whole"], (len(grid.metrics), len(grid.whole)))
    if len(prompt["span"]) != 2:
        raise Damage("a subject's place that is none")
    lists = {name: json.dumps(prompt[name]) for name in ("answers", "token_ids", "tokens", "flags")}
    row = {
        **prompt,
        **lists,
        "source": json.dumps({**common, **prompt["source"]}),
        "span_start": prompt["span"][0],
        "span_end": prompt["span"][1],
        "cells": cells.astype("<f4").tobytes(),
        "whole": whole.astype("<f4").tobytes(),
        "norms": np.zeros(grid.layers, "<f4").tobytes(),
        "maps": b"" if maps is None else maps.astype("<f4").tobytes(),
    }
    # There may not have been room for the maps of all prompts.
    own = replace(grid, maps=()) if maps is None else grid
    return replace(record_from(row, own, header.tolerance), grid=grid)


def _check_shown(path: Path, content: bytes, data: bytes, document: Document, run: Run) -> None:
    """Raise ``InputError`` if what is shown does not follow from what was measured."""
    if not _same(document["shown"], shown(run)):
        raise _edited(path, "its averages or sentences are not those of its prompts")
    try:
        page = page_around(data, document)
    except TemplateError as error:
        raise Damage(said_by(error, 200)) from None
    if page != content:
        raise _edited(path, "its page says something else than its data")


def _same(stored: Any, worked_out: Any) -> bool:
    """Compare what is shown: numbers as far as two machines round alike, all else exactly."""
    if isinstance(worked_out, dict):
        return (
            isinstance(stored, dict)
            and stored.keys() == worked_out.keys()
            and all(
                _alike(stored[key], value)
                if key in ("mean", "low", "high") and isinstance(value, str)
                else _same(stored[key], value)
                for key, value in worked_out.items()
            )
        )
    if isinstance(worked_out, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(worked_out)
            and all(_same(a, b) for a, b in zip(stored, worked_out, strict=True))
        )
    if isinstance(worked_out, float) and isinstance(stored, (int, float)):
        return bool(np.isclose(stored, worked_out, rtol=_ROUNDING, atol=0))
    return type(stored) is type(worked_out) and bool(stored == worked_out)


def _alike(stored: Any, worked_out: str) -> bool:
    if not isinstance(stored, str) or len(stored) != len(worked_out):
        return False
    count = (len(worked_out) * 3 // 4 - worked_out.count("=")) // 4
    a, b = (unpacked_floats(each, (count,)) for each in (stored, worked_out))
    most = float(np.nanmax(np.abs(b))) if np.isfinite(b).any() else 0.0
    return bool(np.allclose(a, b, rtol=0, atol=_ROUNDING * most, equal_nan=True))
