"""Averages of maps by role, against numbers that were worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from mapped import GRID, LAYERS, mapped, mapped_run

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.role_findings import role_sentences
from mlxjsd.analysis.roles import (
    average_roles,
    role_cells,
    role_interval,
    tokens_of_roles,
)
from mlxjsd.analysis.token_map import token_map, token_name
from mlxjsd.errors import InputError
from mlxjsd.records import Grid
from mlxjsd.roles import ROLES

CHANGE = Effect("change")


def test_tokens_of_a_role_are_pooled_over_prompts() -> None:
    run = mapped_run(3)
    long, short, two = (record.map("residual").astype(np.float64) for record in run.records)
    found = run.roles("residual")
    assert found.rows == tuple(ROLES)
    expected = {
        "first-subject": [long[2], short[1], two[0]],
        "middle-subject": [long[3]],
        "last-subject": [long[4], short[1], two[1]],
        "first-after": [long[5], short[2], two[2]],
        "further": [],
        "last": [long[6], short[3], two[2]],
    }
    for at, (role, cells) in enumerate(expected.items()):
        assert found.tokens[at].tolist() == [len(cells)] * LAYERS, role
        mean = np.mean(cells, axis=0) if cells else np.full(LAYERS, np.nan)
        np.testing.assert_allclose(found.mean[at], mean, atol=1e-7, err_msg=role)


def test_a_prompt_with_more_tokens_counts_more_and_prompts_are_what_was_drawn() -> None:
    tokens = (" a", " b", " c", " d", " is", " in")
    long = mapped(0, tokens=tokens, subject_span=(0, 4))  # two in the middle
    records = [long, mapped(1), mapped(2)]
    found = average_roles(records, GRID, "residual")
    sums = np.stack([long.map("residual")[1:3].sum(axis=0)]
                    + [r.map("residual")[3] for r in records[1:]]).astype(np.float64)  # fmt: skip
    middle, weights = found.rows.index("middle-subject"), np.array([2, 1, 1])
    mean = sums.sum(axis=0) / 4
    np.testing.assert_allclose(found.mean[middle], mean, atol=1e-7)
    assert found.tokens[middle, 0] == 4
    assert found.cell_counts()[middle, 0] == 3
    apart = sums - mean * weights[:, None]
    error = np.sqrt(3 / 2 * np.square(apart).sum(axis=0)) / 4
    np.testing.assert_allclose(found.error[middle], error, atol=1e-7)
    first = np.stack([r.map("residual")[r.subject_span[0]] for r in records])
    np.testing.assert_allclose(found.error[0], first.std(axis=0, ddof=1) / np.sqrt(3), atol=1e-7)


def test_the_interval_is_that_of_the_pooled_mean() -> None:
    records = [mapped(at) for at in range(200)]
    found = average_roles(records, GRID, "residual")
    low, high = role_interval(role_cells(records, GRID, "residual"))
    known = np.isfinite(found.mean)
    np.testing.assert_allclose((high - low)[known], 2 * 1.96 * found.error[known], rtol=0.2)
    assert ((low < found.mean) & (found.mean < high))[known].all()
    one = role_interval(role_cells(records[:1], GRID, "residual"))
    assert np.isnan(one).all()


def test_some_published_averages_count_a_token_once() -> None:
    short, two = mapped_run(3).records[1:]
    assert tokens_of_roles(short) == [[1], [], [1], [2], [], [3]]
    assert tokens_of_roles(short, once=True) == [[1], [], [], [2], [], [3]]
    assert tokens_of_roles(two, once=True) == [[0], [], [1], [2], [], []]


def test_effects_are_over_the_run_that_is_edited() -> None:
    run = mapped_run(3)
    for name, unedited in (("residual", 0.8), ("residual:denoising", 0.2)):
        raw, change = (run.roles(name, metric="prob", effect=e).mean for e in (None, CHANGE))
        np.testing.assert_allclose(change, raw - unedited, atol=1e-7)
        shown = token_map(run.records[0], name, "prob", CHANGE)
        np.testing.assert_allclose(shown.mean, run.records[0].map(name, "prob") - unedited)
        normalised = run.roles(name, metric="prob", effect=Effect("normalised")).mean
        np.testing.assert_allclose(normalised, change / 0.6, atol=1e-6)
    small = Effect("normalised", least_total=0.7)
    with pytest.raises(InputError, match="no prompt has a total effect of at least"):
        run.roles("residual", metric="prob", effect=small)


def test_layers_that_are_not_measured_stay_empty() -> None:
    grid = replace(GRID, only=(1, 4))
    hidden = np.where(np.isin(np.arange(LAYERS), grid.only), mapped(0, grid).maps, np.nan)
    found = average_roles([mapped(0, grid, maps=hidden)] * 2, grid, "residual")
    known = np.isfinite(found.mean).all(axis=0) | np.isfinite(found.mean[0])
    assert np.flatnonzero(known).tolist() == [1, 4]
    assert found.tokens[0].tolist() == [0, 2, 0, 0, 2, 0]


def test_what_a_run_does_not_hold_is_said() -> None:
    run = mapped_run()
    for ask, said in (
        (lambda: run.roles("mlp"), "no map 'mlp'; it has residual, residual:denoising"),
        (lambda: run.roles("residual", metric="kl"), "no numbers of the metric 'kl'"),
        (lambda: run.roles("residual", by="size"), "--by is category"),
        (lambda: run.prompt("nobody"), "no prompt 'nobody'"),
        (lambda: run.prompt(0), "no prompt 0"),
        (lambda: token_map(run.records[0], "residual", "kl"), "no numbers of the metric 'kl'"),
        (lambda: average_roles([], Grid(3), "residual"), "has no maps"),
    ):
        with pytest.raises(InputError, match=said):
            ask()
    assert np.isnan(mapped_run(0).roles("residual").mean).all()
    assert set(run.roles("residual", by="relation")) == {"capital"}


def test_a_prompt_is_found_by_its_id_before_its_number() -> None:
    run = mapped_run()
    assert [run.prompt(which).id for which in (None, "p2", 2, "2")] == ["p0", "p2", "p1", "p1"]
    renamed = [replace(record, id=str(4 - at)) for at, record in enumerate(run.records)]
    assert replace(run, records=renamed).prompt("4") is renamed[0]


def test_sentences_name_the_early_and_the_late_site() -> None:
    maps = np.full((2, 2, 7, LAYERS), 0.2, np.float32)
    maps[0, 1] = 0.8  # noising: nothing changes
    maps[1, 1, 4, 1:4] = 0.3, 0.5, 0.4  # denoising: the last token of the subject
    maps[1, 1, 6, 4:] = 0.55, 0.8
    records = [mapped(at, maps=maps) for at in range(5)]
    noising, denoising = role_sentences(records, GRID, "prob")
    assert denoising == (
        "Residual stream restored, Change of Target Probability: early site at the last subject "
        "token, most at layer 2 (+0.300, 95 % interval +0.300 to +0.300, n = 5), at least half of "
        "it in layers 2-3; late site at the last token, most at layer 5 (+0.600, 95 % interval "
        "+0.600 to +0.600, n = 5), at least half of it in layers 4-5."
    )
    assert "early site" not in noising
    assert role_sentences(records, Grid(LAYERS), "prob") == []
    assert role_sentences([], GRID) == []


def test_a_site_that_may_be_none_is_not_claimed() -> None:
    records = []
    for at in range(6):
        maps = np.full((2, 2, 7, LAYERS), 0.2, np.float32)
        maps[1, 1, 2, 0] = 0.2 + (-1) ** at * 0.3 + 0.01
        maps[1, 1, 6, 5] = 0.8
        records.append(mapped(at, maps=maps))
    (said,) = [s for s in role_sentences(records, GRID, "prob") if "restored" in s]
    assert "which is not sure to be other than 0" in said


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" Tower", "Tower"),
        ("\n", "↵"),
        ("  ", "␣"),
        ("\x1b[31m", "[31m"),
        ("\u200b", "U+200B"),
        ("y" * 300, "y" * 17 + "…"),
        ("", "␣"),
    ],
)
def test_every_token_has_a_name_on_one_line(text: str, name: str) -> None:
    assert token_name(text) == name
