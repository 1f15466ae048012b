"""Reports that hold what cannot be, under hashes that hold: refused, or read as what can be."""

import copy
import hashlib
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from records import run_of
from reports import document_in, mapped

from mlxjsd.errors import InputError
from mlxjsd.output.report.page import DATA_BEGINS, DATA_ENDS, SEAL_BEGINS
from mlxjsd.output.report.reading import read_report
from mlxjsd.output.report.write import write_report

FORGED = 300
#: What may be written in place of any value.
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3.5, 1e30, -1e30, 10**9, 2**62, 10**400, math.nan, math.inf, -math.inf),
    *("", "x", "\x1b[31mred", "\ud800", "\0", "../../etc", "A" * 5000, [], {}, [[]], [None]),
    *({"a": None}, [0, 0], [-1], "/////w==", json.loads("[" * 60 + "]" * 60)),
)


def written(path: Path, document: Any) -> None:
    """Write what a document says, whatever it is, with a hash that holds."""
    data = json.dumps(document).replace("<", "\\u003c").encode()
    seal = hashlib.sha256(data).hexdigest().encode()
    path.write_bytes(SEAL_BEGINS + seal + b'">' + DATA_BEGINS + data + DATA_ENDS)


def changed(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A document with one value that may be impossible, or without one."""
    found = copy.deepcopy(document)
    if rng.random() < 0.5:
        found["page"] = "another version, whose sentences nobody here can check"
    place: Any = found
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not place[key] or not isinstance(place[key], dict | list) or rng.random() < 0.2:
            break
        place = place[key]
    if rng.random() < 0.2:
        del place[key]
    else:
        place[key] = rng.choice(ODD)
    return found


def test_no_forged_report_leads_to_a_traceback_or_to_an_impossible_number(tmp_path: Path) -> None:
    write_report(mapped(3), tmp_path / "report.html")
    document, rng, read = document_in(tmp_path / "report.html"), random.Random(0), 0
    for _ in range(FORGED):
        written(path := tmp_path / "forged.html", changed(document, rng))
        try:
            run = read_report(path).run
        except InputError:
            continue
        read += 1
        for record in run.records:
            maps = np.zeros(0) if record.maps is None else record.maps.ravel()
            numbers = np.concatenate([record.cells.ravel(), record.whole.ravel(), maps])
            known = numbers[~np.isnan(numbers)]
            assert ((known >= -0.001) & (known <= math.log(2) + 0.001)).all()
            assert 0 <= record.subject_span[0] < record.subject_span[1] <= len(record.tokens)
    assert FORGED / 20 < read < FORGED * 0.8, "some are possible, and some are not"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        SEAL_BEGINS,
        SEAL_BEGINS + b'">' + DATA_BEGINS,
        SEAL_BEGINS + b'\xff">' + DATA_BEGINS + b"\xff" + DATA_ENDS,
        SEAL_BEGINS + b'">' + DATA_BEGINS + b"[" * 100_000 + DATA_ENDS,
        SEAL_BEGINS + b'">' + 2 * (DATA_BEGINS + b"{}" + DATA_ENDS),
    ],
    ids=["empty", "bytes", "seal", "no data", "no text", "deep", "twice"],
)
def test_what_is_no_report_is_one_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "report.html").write_bytes(content)
    assert call("verify", path) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_pipe_and_no_device_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verify", "/dev/zero") == 2
    assert "there is no file /dev/zero" in capsys.readouterr().err


def test_a_report_names_a_model_and_nothing_is_fetched_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(3, model={**run_of().model, "name": "evil/model", "trust_remote_code": True})
    write_report(run, path := tmp_path / "report.html")
    assert call("verify", path) == 2, "the bundled model is loaded, since no other was named"
    assert "another model: this is bundled" in capsys.readouterr().err
