"""Maps in a report: packed, read back, left out where there is no room, and held together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from records import LAYERS, record
from reports import document_in, mapped, sealed

from mlxjsd.analysis.roles import average_roles
from mlxjsd.errors import InputError
from mlxjsd.output.report import maps as report_maps
from mlxjsd.output.report.document import _prompt, packed_cells
from mlxjsd.output.report.maps import packed_maps
from mlxjsd.output.report.packing import Packing, packed_levels, unpacked_floats
from mlxjsd.output.report.page import data_of
from mlxjsd.output.report.reading import read_report
from mlxjsd.output.report.write import report_page, write_report
from mlxjsd.records import Grid


def test_they_are_read_back_as_they_were_packed(tmp_path: Path) -> None:
    run = mapped()
    write_report(run, path := tmp_path / "report.html")
    report = read_report(path)
    assert report.same_version
    half = report.map_steps["jsd"] / 2
    assert half < 1e-5
    for was, now in zip(run.records, report.run.records, strict=True):
        assert was.maps is not None
        assert now.maps is not None
        assert was.maps.shape == now.maps.shape
        assert np.abs(was.maps - now.maps).max() <= half + 1e-7
        assert not now.maps[:, :, : now.subject_span[0]].any(), "what is 0 stays 0"
    for panel, name in zip(document_in(path)["shown"]["maps"]["views"]["jsd"], run.grid.maps,
                           strict=True):  # fmt: skip
        found = average_roles(run.records, run.grid, name)
        mean = unpacked_floats(panel["mean"], found.mean.shape)
        assert np.allclose(mean, found.mean, atol=1e-5, equal_nan=True)
        assert panel["counts"] == [6, 0, 6, 6, 2, 6]
    assert b'id="roles"' in path.read_bytes()


def test_layers_that_were_not_measured_take_no_room(tmp_path: Path) -> None:
    run = mapped()
    grid = replace(run.grid, only=(1, 4, 6))
    gaps = [at for at in range(LAYERS) if at not in (1, 4, 6)]
    records = []
    for one in run.records:
        cells, maps = one.cells.copy(), np.array(one.maps)
        cells[..., gaps] = maps[..., gaps] = np.nan
        records.append(replace(one, grid=grid, cells=cells, maps=maps))
    settings = replace(run.settings, layers=(1, 4, 6))
    run = replace(run, grid=grid, records=records, settings=settings)
    write_report(run, path := tmp_path / "report.html")
    for was, now in zip(run.records, read_report(path).run.records, strict=True):
        for a, b in ((was.cells, now.cells), (was.maps, now.maps)):
            assert np.allclose(a, b, atol=1e-5, equal_nan=True)  # type: ignore[arg-type]


def test_where_there_is_no_room_some_prompts_carry_theirs_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = mapped(60)
    whole = len(report_page(run))
    monkeypatch.setattr(report_maps, "ROOM", 0)
    monkeypatch.setattr(report_maps, "LEAST", 4_000)
    write_report(run, path := tmp_path / "report.html")
    places = document_in(path)["maps"]["prompts"]
    assert 10 < len(places) < 50
    assert max(np.diff(places)) - min(np.diff(places)) <= 1, "evenly spread"
    assert f"There is room for the maps of {len(places)} of 60 prompts" in path.read_text()
    assert path.stat().st_size < whole
    records = read_report(path).run.records
    assert [at for at, one in enumerate(records) if one.maps is not None] == places
    assert len(records) == 60


def test_a_thousand_prompts_are_under_six_megabytes() -> None:
    metrics, layers, count = ("jsd", "kl", "prob", "logprob", "logit_diff", "top1"), 32, 200
    rows, tokens = tuple(f"row{at}" for at in range(12)), tuple(f" token{n}" for n in range(12))
    grid = Grid(layers, metrics=metrics, rows=rows, maps=("residual",))
    records = []
    for at in range(count):
        # As measured ones are: smooth over layers, with noise of a twentieth.
        cells, maps = (_curves(np.random.default_rng([at, n]), (6, 12, layers)) for n in (0, 1))
        cells[5] = cells[5] > 0.3
        fields = {"tokens": tokens, "token_ids": tuple(range(12)), "maps": maps[None]}
        records.append(replace(record(at, layers, grid), cells=cells, **fields))
    run = replace(mapped(), grid=grid, records=records, total=count)
    packings = {metric: Packing.of(metric, run.values(metric)) for metric in metrics}
    cells = sum(map(len, packed_cells(run, packings).values()))
    prompts = len(data_of({"prompts": [_prompt(one, {}) for one in records]}))
    # The page itself, and what is shown of averages, are some 0.95 MB.
    assert 950_000 + 5 * (cells + prompts) < 5_500_000
    found = packed_maps(run, 0)
    assert found is not None
    one = len(found["levels"]["jsd"])
    assert 950_000 + 5 * (cells / 24 + prompts + one) < 3_000_000, "three rows of one metric"


def _curves(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    middle, width, high = (rng.uniform(low, top, (*shape[:2], 1))
                           for low, top in ((0, 32), (2, 10), (0, 0.6)))  # fmt: skip
    curve = high * np.exp(-(((np.arange(shape[2]) - middle) / width) ** 2))
    found: np.ndarray = curve * (1 + 0.05 * rng.uniform(-1, 1, shape))
    return found.astype(np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda maps: maps.update(prompts=[0, 2, 1]), "maps of prompts in another order"),
        (lambda maps: maps.update(prompts=[0, 1, 99]), "maps of prompts that are not there"),
        (lambda maps: maps.update(prompts=[0, 1]), "packed numbers of another count"),
        (lambda maps: maps.update(prompts=[]), "maps of prompts that are not there"),
        (lambda maps: maps["levels"].clear(), "packed numbers that are none"),
        (lambda maps: _coarsely(maps), "packed more coarsely"),
        (lambda maps: maps["packing"]["jsd"].update(low=0.5), "jsd that cannot be"),
        (lambda maps: maps["levels"].update(jsd=_halved()), "its averages or sentences"),
    ],
)
def test_maps_that_were_changed_are_refused(tmp_path: Path, change, said: str) -> None:  # type: ignore[no-untyped-def]
    write_report(mapped(3), path := tmp_path / "report.html")
    sealed(path, lambda document: change(document["maps"]))
    with pytest.raises(InputError, match=said):
        read_report(path)


def _coarsely(maps: dict) -> None:  # type: ignore[type-arg]
    """Pack maps so that many other numbers are the same."""
    maps["packing"]["jsd"]["step"] = 0.2
    maps["levels"]["jsd"] = packed_levels(np.full((36, LAYERS), 1, "<u2"))


def _halved() -> str:
    """The levels of other maps, of the same shape and range."""
    levels = np.random.default_rng(5).integers(0, 2**16 - 1, (36, LAYERS)).astype("<u2")
    levels[0, :2] = 0, 2**16 - 2
    return packed_levels(levels)
