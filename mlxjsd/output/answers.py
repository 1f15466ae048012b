"""The table of a run's answers: written for whoever looks through them, read back once judged."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlxjsd.analysis.answers import RULE
from mlxjsd.analysis.judgements import Source
from mlxjsd.errors import InputError
from mlxjsd.output.export import text_cell
from mlxjsd.results import Record, Run

COLUMNS = (
    *("id", "prompt", "subject", "relation", "expected", "answer", "verdict", "why"),
    *("category", "reliance", "judge"),
)
#: Without these nobody knows what is judged, and how.
_NEEDED = ("id", "verdict")
_VERDICTS = {True: "right", False: "wrong", None: "unknown"}
_RIGHT = {"right": True, "wrong": False}


def to_answers(run: Run) -> bytes:
    """Return one line for each answer: what was expected, the verdict, why, and whose it is.

    Reliance is in nats, and empty where no block attends.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record, category in zip(run.records, run.labels().categories, strict=True):
        verdict = run.verdict(record)
        reliance = "" if record.reliance != record.reliance else f"{record.reliance:.8g}"
        texts = (record.id, record.text, record.subject, record.relation or "")
        expected = "|".join(record.answers)
        writer.writerow(
            [
                *map(text_cell, (*texts, expected, record.answer or "")),
                _VERDICTS[verdict.right],
                *map(text_cell, (verdict.why, category or "")),
                reliance,
                text_cell(verdict.judge),
            ]
        )
    return out.getvalue().encode()


def read_answers(path: Path, run: Run, judge: str | None = None) -> Source:
    """Read the verdicts of such a table, edited or made by somebody else.

    A line counts as judged if its verdict is another one than the run's, or its judge is named and
    is not the rule; where there is no column ``judge``, every line counts.

    Args:
        path: CSV with commas, semicolons or tabs, with ``id`` and ``verdict`` at least.
        run: whose answers are judged.
        judge: who has judged, where no line says so; None for the name of the file.

    Raises:
        InputError: if it cannot be read, or a line is not about an answer of the run, or neither
            right nor wrong.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}",
            hint="name the table of judgements with --judgements",
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None
    records = {cell: record for record in run.records for cell in _cells(record.id)}
    judged: dict[str, tuple[bool, str]] = {}
    seen: dict[str, int] = {}
    for line, row in _rows(path, text):
        record = records.get(_plain(row["id"]))
        if record is None:
            raise _refused(path, line, row, f"the run has no prompt {row['id'][:80]!r}")
        if (first := seen.setdefault(record.id, line)) != line:
            raise _refused(path, line, row, f"{record.id!r} is judged on line {first} already")
        if (found := _verdict(path, line, row, record, run, judge)) is not None:
            judged[record.id] = found
    return Source(path.name, hashlib.sha256(content).hexdigest(), judged)


def _verdict(
    path: Path, line: int, row: dict[str, str], record: Record, run: Run, judge: str | None
) -> tuple[bool, str] | None:
    """Return the verdict of a line, and whose it is; None if it is what the run says itself."""
    if "answer" in row and _plain(row["answer"]) not in _cells(record.answer or ""):
        raise _refused(
            path, line, row, f"the answer to {record.id!r} is {(record.answer or '')[:80]!r} there"
        )
    said, now = row["verdict"].strip().casefold(), run.verdict(record)
    named = row.get("judge", "").strip().removeprefix("'")
    by_rule = named.casefold() in ("", RULE)
    same = said == _VERDICTS[now.right]
    if same and "judge" in row and (by_rule or named == now.judge):
        return None
    if said not in _RIGHT:
        raise _refused(path, line, row, f"a verdict is right or wrong, not {row['verdict'][:80]!r}")
    # A verdict that was changed is no longer that of who is named beside it.
    unchanged_name = named == now.judge and not same
    by = named if not by_rule and not unchanged_name else judge or path.name
    return _RIGHT[said], by


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines of a table by column, and on which line of the file each begins."""
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for cells in reader:
            began, line = line, reader.line_num + 1
            if not columns:
                columns = [cell.strip().casefold() for cell in cells]
                _check_columns(path, columns)
            elif any(cell.strip() for cell in cells):
                if len(cells) != len(columns):
                    raise InputError(
                        f"line {began} of {path} has {len(cells)} fields, and its header "
                        f"{len(columns)} ({', '.join(columns)})",
                        hint="correct the line",
                    )
                yield began, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise InputError(
            f"line {line} of {path} is not CSV: {error}", hint="save the table as CSV"
        ) from None
    if not columns:
        _check_columns(path, columns)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if missing := [name for name in _NEEDED if name not in columns]:
        there = ", ".join(name for name in columns if name)[:200] or "nothing"
        raise InputError(
            f"line 1 of {path} names no {' and no '.join(missing)}; there is {there}",
            hint="begin with what `mlxjsd export RUN -o answers.csv` writes",
        )
    if len(set(columns)) < len(columns):
        raise InputError(f"line 1 of {path} names a column twice", hint="leave one of the two out")


def _refused(path: Path, line: int, row: dict[str, str], why: str) -> InputError:
    return InputError(
        f"line {line} of {path}: {why}; its fields are {', '.join(row)}",
        hint="correct the line, or leave it out",
    )


def _cells(text: str) -> set[str]:
    """Return what a spreadsheet can make of a text: some take the apostrophe away again."""
    return {_plain(text), _plain(text_cell(text))}


def _plain(cell: str) -> str:
    """Return a cell without what a spreadsheet changes: ends of lines, and spaces around."""
    return " ".join(cell.split())
