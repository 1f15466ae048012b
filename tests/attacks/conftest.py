"""Every attack has a folder of its own."""

import json
from pathlib import Path

import pytest
from foreign_models import ROW


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.jsonl").write_text(json.dumps(ROW))
