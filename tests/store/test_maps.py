"""Maps in run files: read back, joined, and saved from damaged ones, bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from damage import PAGE
from records import HEADER, LAYERS, plain, record

from mlxjsd.records import Grid, Record
from mlxjsd.settings import Settings
from mlxjsd.store.merge import merge_runs
from mlxjsd.store.reader import read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.writer import FILE, Store

SETTINGS = Settings(maps=("residual",), direction="both", rows=("attn",), layers=(0, 3, 7))
GRID = Grid.of(SETTINGS, LAYERS)


def mapped(position: int) -> Record:
    """A record whose maps take some pages of a file."""
    rng, tokens = np.random.default_rng(position), 300 + position
    maps = rng.random((2, 1, tokens, LAYERS), dtype=np.float32) * np.float32(0.69)
    cells = np.full((1, 1, LAYERS), np.nan, np.float32)
    maps[..., [1, 2, 4, 5, 6]] = np.nan
    cells[..., [0, 3, 7]] = 0.25
    ids = tuple(range(tokens))
    found = record(position, grid=GRID, token_ids=ids, tokens=("a",) * tokens, maps=maps)
    return replace(found, cells=cells)


def share(folder: Path, *positions: int) -> Path:
    header = {**HEADER, **GRID.to_json(), "settings": SETTINGS.to_json()}
    with Store(folder, header) as store:
        store.add([mapped(position) for position in positions])
    return folder


def test_they_are_read_joined_and_saved_as_they_were_measured(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0, 2), share(tmp_path / "b", 1, 3)
    merge_runs([a, b], tmp_path / "all")
    run = read_run(tmp_path / "all")
    assert run.grid.maps == ("residual", "residual:denoising")
    wanted = [plain(mapped(position)) for position in range(4)]
    assert [plain(one) for one in run.records] == wanted

    content = (tmp_path / "all" / FILE).read_bytes()
    (tmp_path / "all" / FILE).write_bytes(b"\0" * PAGE + content[PAGE:])
    assert [plain(one) for one in salvage_run(tmp_path / "all").run.records] == wanted
