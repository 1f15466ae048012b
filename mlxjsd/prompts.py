"""Prompts: what is asked, and where in the text its subject stands."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError


@dataclass(frozen=True)
class Prompt:
    """One cloze prompt about one subject."""

    id: str
    """Unique within its file; the noise of a prompt depends on it."""
    text: str
    """What the model reads; the answer would follow."""
    subject: str
    """As it stands in the text."""
    subject_start: int | None = None
    """Character offset of the subject, where it is not its first occurrence."""
    answers: tuple[str, ...] = ()
    """Accepted answers, if known."""
    relation: str | None = None
    """What is asked of the subject; swaps stay within one relation."""

    def subject_chars(self) -> tuple[int, int] | None:
        """Return the subject's characters [from, to) in the text, or None if it is not there."""
        start = self.subject_start
        if start is None:
            start = self.text.find(self.subject)
        if start < 0 or self.text[start : start + len(self.subject)] != self.subject:
            return None
        return start, start + len(self.subject)


@dataclass(frozen=True)
class PromptFile:
    """The prompts of one file, and which file it was."""

    path: Path
    sha256: str
    prompts: tuple[Prompt, ...]

    def identity(self) -> dict[str, Any]:
        """Return what a run stores about its data, as JSON values."""
        return {"file": self.path.name, "sha256": self.sha256, "prompts": len(self.prompts)}


def read_prompts(path: Path | str) -> PromptFile:
    """Read a JSON Lines file of prompts.

    Each line is an object with ``prompt`` and ``subject`` (strings) and, optionally,
    ``answers`` (list of strings), ``relation``, ``id``, ``subject_start`` (character
    offset); other fields are left alone. A prompt without an id is named after its content.

    Raises:
        InputError: if the file is missing, empty or not UTF-8, or a line is malformed; the
            message names the line.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a JSON Lines file of prompts")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no data file {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{path} is not UTF-8 text: see line {line}") from None
    prompts = tuple(_parse(text, path))
    if not prompts:
        raise InputError(f"{path} is empty: it holds no prompt")
    return PromptFile(path, hashlib.sha256(raw).hexdigest(), prompts)


def _parse(text: str, path: Path) -> Iterator[Prompt]:
    lines_of_id: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            prompt = _prompt(row)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number} is not JSON: {error.msg}") from None
        except (InputError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if prompt.id in lines_of_id and "id" not in row:
            copies = sum(known.startswith(prompt.id) for known in lines_of_id)
            prompt = Prompt(**{**vars(prompt), "id": f"{prompt.id}-{copies + 1}"})
        if prompt.id in lines_of_id:
            first = lines_of_id[prompt.id]
            raise InputError(f"{path}, line {number} has the id {prompt.id!r} of line {first}")
        lines_of_id[prompt.id] = number
        yield prompt


def _prompt(row: Any) -> Prompt:
    if not isinstance(row, dict):
        raise InputError('a prompt is an object such as {"prompt": ..., "subject": ...}')
    text, subject = _string(row, "prompt"), _string(row, "subject")
    answers = row.get("answers") or []
    if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
        raise InputError('"answers" must be a list of strings')
    start = row.get("subject_start")
    if start is not None and (not isinstance(start, int) or isinstance(start, bool) or start < 0):
        raise InputError('"subject_start" must be a character offset')
    relation = row.get("relation")
    if relation is not None and not isinstance(relation, str):
        raise InputError('"relation" must be a string')
    name = row.get("id")
    if name is None:
        name = hashlib.sha256(f"{text}\0{subject}\0{start}".encode()).hexdigest()[:12]
    elif isinstance(name, bool) or not isinstance(name, str | int):
        raise InputError('"id" must be a string or a number')
    return Prompt(str(name), text, subject, start, tuple(answers), relation)


def _string(row: dict[str, Any], field: str) -> str:
    if field not in row:
        raise InputError(f'the field "{field}" is missing')
    value = row[field]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'"{field}" must be a string with something in it')
    return value
