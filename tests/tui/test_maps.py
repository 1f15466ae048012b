"""Maps on the run screen: tokens by layers of a prompt, roles by layers of a group."""

from pathlib import Path

import numpy as np
import pytest
from maps_by_place import LAYERS, run_with, with_maps
from on_screen import text_of
from other_runs import shown
from records import run_of

from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.map_sheet import MapSheet
from mlxjsd.tui.places import place_of, take_place
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.copy import row_of, value_of
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.run_keys import works


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    """Of the tokens <s> t1 [t2 t3] t4 t5 t6, and of <s> [t1] t2 t3 t4 t5."""
    return RunState.of(tmp_path / "run", run_with(with_maps(0, 7), with_maps(1, 6, (1, 2))))


def test_roles_pool_the_tokens_of_all_prompts_and_a_prompt_shows_its_own(state) -> None:
    assert state.sheet is state
    state.next_map()
    sheet = state.sheet
    assert isinstance(sheet, MapSheet)
    # First, middle, last of the subject; first after, further, last: at layer 0.
    roles = [(0.02 + 0.02) / 2, np.nan, (0.03 + 0.02) / 2, (0.04 + 0.04) / 2,
             (0.05 + 0.06 + 0.08) / 3, (0.06 + 0.10) / 2]  # fmt: skip
    np.testing.assert_allclose(sheet.shown()[:, 0], roles, rtol=1e-5)
    assert sheet.heatmap.cell_counts()[:, 0].tolist()[:3] == [2, 2, 2]
    assert sheet.role == "last-subject"
    np.testing.assert_allclose(sheet.cell(), [0.03, 0.02], rtol=1e-5)
    state.next_map()
    np.testing.assert_allclose(state.sheet.shown()[0, 0], 0.04, rtol=1e-5)

    state.select(state.measured.records[1])
    sheet = state.sheet
    assert (sheet.labels, sheet.marked) == (("<s>", "t1*", "t2", "t3", "t4", "t5"), range(1, 2))
    assert sheet.row == 1, "the cursor stays on its role"
    np.testing.assert_allclose(sheet.shown()[:, 1], 2 * (np.arange(6) * 0.02 + 0.01), rtol=1e-5)
    sheet.go_to(0, 3)
    assert np.isnan(sheet.cell()).all(), "in front of the subject there is no role"
    sheet.go_to(5, 3)
    state.select(None)
    assert state.sheet.role == "last"
    state.next_map()
    assert state.sheet is state


def test_new_prompts_are_averaged_with_those_that_were_there(state) -> None:
    state.next_map()
    before = state.sheet.shown()[0, 0]
    state.measured.add([with_maps(9)])
    np.testing.assert_allclose(state.sheet.shown()[0, 0], (2 * before + 0.2) / 3, rtol=1e-5)


def test_where_a_run_was_left_names_its_map(state, tmp_path: Path) -> None:
    state.next_map()
    state.next_map()
    state.sheet.go_to(4, 2)
    place = place_of(state)
    again = RunState.of(tmp_path / "run", run_with(with_maps(0)))
    take_place(again, place)
    assert (again.map, again.sheet.row, again.layer) == ("residual:denoising", 4, 2)
    without = RunState.of(tmp_path / "run", run_of())
    take_place(without, place)
    assert without.map is None
    assert works("next_map", (), without, None) is False
    for forged in ({"map": 3}, {"map": "other", "map_row": -4}, {"map_row": "x"}):
        take_place(without, forged)
        assert (without.map, without.map_row >= 0) == (None, True)


@pytest.mark.asyncio
async def test_the_keys_of_a_map(engine, state, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(110, 40)) as pilot:
        screen = await shown(app, pilot, state)
        assert isinstance(screen, RunScreen)
        await pilot.press("v")
        drawn = text_of(app)
        assert "Residual stream · JS Divergence by role · 2 prompts" in drawn
        assert screen.detail.border_title == "Last subject · layer 0"
        assert "v Next map" in drawn
        for key in ("g", "w", "d"):  # of rows
            assert screen.check_action(screen.active_bindings[key].binding.action, ()) is None
        await pilot.press("a", "down", "right")
        assert screen.detail.border_title == "t4 · layer 1"
        assert "One prompt · Residual stream · The capital of" in text_of(app)
        assert value_of(state) == "0.050000"
        assert row_of(state).splitlines()[1].startswith("t4\t0.040000\t0.050000\t")
        edge = screen.heat.grid.region.offset
        await pilot.click(offset=(edge.x + 1, edge.y))
        await pilot.click(offset=(edge.x + 20, edge.y))
        assert state.sheet.row == 0
        await pilot.press("v", "v")
        assert state.sheet is state
        assert "g Lines" in text_of(app)


@pytest.mark.asyncio
async def test_a_long_prompt_scrolls_under_the_cursor(engine, tmp_path: Path) -> None:
    state = RunState.of(tmp_path / "run", run_with(with_maps(0, 70, (20, 22))))
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, state)
        await pilot.press("v", "a")
        assert "t21*" in text_of(app)
        assert "t69" not in text_of(app)
        await pilot.press(*["down"] * 48)
        assert app.screen.detail.border_title == "t69 · layer 0"
        assert "▴" in text_of(app)


@pytest.mark.asyncio
async def test_what_is_exported_is_the_map_that_is_shown(
    engine, state, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.tui.screens import export

    run, drawn = run_with(*state.measured.records), []
    monkeypatch.setattr(export, "run_of", lambda state: run)
    monkeypatch.setattr(export.FIGURES, "write", lambda figure, path: drawn.append(figure))
    for selected in (None, state.measured.records[1]):  # six roles, and six tokens
        state.select(selected)
        state.map = "residual:denoising"
        export.draw(state, tmp_path / "seen.png")
        (axes, *_) = drawn[-1].axes
        mesh = axes.collections[0].get_array().reshape(6, LAYERS)
        wanted = np.ma.masked_invalid(state.sheet.shown())
        np.testing.assert_allclose(mesh, wanted, rtol=1e-5)
    state.select(None)
    app = MlxjsdApp(engine)
    async with app.run_test(size=(110, 40)) as pilot:
        await shown(app, pilot, state)
        await pilot.press("e")
        assert app.screen.query_one("#name").value.endswith("/figure-map-residual-denoising.png")
