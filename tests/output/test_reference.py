"""A run's maps beside published ones: the published numbers agree with themselves."""

from dataclasses import replace

import numpy as np
import pytest
from mapped import GRID, MAPS, mapped, mapped_run

import mlxjsd
from mlxjsd import Effect
from mlxjsd.analysis.compare import published
from mlxjsd.analysis.published import PublishedMap, published_map, published_names
from mlxjsd.errors import InputError
from mlxjsd.maps import map_of
from mlxjsd.metrics import METRICS
from mlxjsd.output.reference import compare_map, compared_maps
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.roles import ROLES


def found(name: str) -> PublishedMap:
    there = published_map(name)
    assert there is not None
    return there


def measured_as(reference: PublishedMap, after: int = 3) -> Run:
    """A run that measured what was published: each token has its role's number."""
    grid = Grid(reference.layers, ("jsd", reference.metric), maps=MAPS)
    if reference.tokens:
        span, length, rows = (1, 1 + reference.subject), 1 + len(reference.tokens), reference.values
    else:
        span, length = (1, 4), 4 + after
        rows = np.zeros((length - 1, reference.layers))
        for role, numbers in zip(ROLES.values(), reference.values, strict=True):
            rows[[at - 1 for at in role.tokens(*span, length)]] = numbers
    whole = np.zeros((2, len(grid.whole)), np.float32)
    whole[1, grid.whole.index("floor")], whole[1, grid.whole.index("total")] = 3.0, 1.0
    scale = 2.0 if reference.effect.normalised else 1.0
    maps = np.zeros((2, 2, length, reference.layers), np.float32)
    maps[1, 1, 1:] = 1.0 + scale * np.nan_to_num(rows)
    tokens = ("<s>", *(reference.tokens or [f" {at}" for at in range(length - 1)]))
    records = [
        mapped(at, grid, tokens=tokens, subject_span=span, maps=maps, whole=whole)
        for at in range(2)
    ]
    return mapped_run(2, grid, records=records)


@pytest.mark.parametrize("name", published_names(maps=True))
def test_published_numbers_agree_with_a_run_that_measures_them(name: str) -> None:
    reference = found(name)
    assert map_of(reference.map).denoising
    assert reference.metric in METRICS
    assert reference.source
    comparison = mlxjsd.compare(measured_as(reference), name)
    assert len(comparison.rows) == len(reference.tokens or ROLES)
    for row in comparison.rows:
        assert row.correlation == pytest.approx(1.0, abs=1e-3)
        assert row.difference < 1e-6
    text = compared_maps(comparison, reference)
    assert reference.differs[0].split(",")[0][:20] in text.replace("\\", "")
    assert mlxjsd.plot_comparison(comparison).axes


def test_what_the_published_averages_say() -> None:
    for name, layer in (("rome-gpt2-xl", 15), ("rome-gpt-j", 5)):
        by_role = dict(zip(ROLES, found(name).by_role(), strict=True))
        assert by_role["last-subject"].argmax() == layer
        assert by_role["last"].argmax() == found(name).layers - 1
    patched = found("ioi-gpt2-small")
    by_role = dict(zip(ROLES, patched.by_role(), strict=True))
    assert by_role["last-subject"][0] == pytest.approx(1.0, abs=1e-3)
    assert np.isnan(by_role["middle-subject"]).all()
    assert np.isnan(patched.values[:, -1]).all(), "the state as it leaves the last layer"
    np.testing.assert_allclose(by_role["further"], patched.values[2:4].mean(axis=0))


def test_tokens_of_another_prompt_are_compared_by_role() -> None:
    reference = found("ioi-gpt2-small")
    run = measured_as(reference)
    other = replace(run.records[0], subject_span=(1, 3))
    comparison = compare_map(replace(run, records=[*run.records, other]), reference)
    assert comparison.a.rows == tuple(r for r in ROLES)
    alone = compare_map(replace(run, records=[*run.records, other]), reference, prompt="p1")
    assert comparison.a.labels[0] == "First subject token"
    assert alone.a.labels == ("John", "gave", "the", "bag", "to")


def test_roles_are_counted_as_they_were_published() -> None:
    run = measured_as(found("rome-gpt2-xl"), after=1)  # its only token behind the subject
    comparison = compare_map(run, found("rome-gpt2-xl"))
    known = {row.row for row in comparison.rows if row.cells}
    assert known == {"first-subject", "middle-subject", "last-subject", "first-after"}


def test_another_depth_is_said() -> None:
    reference = found("rome-gpt-j")
    comparison = compare_map(mapped_run(3), reference)
    assert comparison.relative
    assert "numbered as those of the deeper model, which has 28" in compared_maps(
        comparison, reference
    )


def test_what_cannot_be_compared_is_one_sentence() -> None:
    with pytest.raises(InputError, match="rome-gpt-j is of maps"):
        published("rome-gpt-j")
    with pytest.raises(InputError, match="there is no published figure 'rome'"):
        published_map("rome")
    assert published_map("llama-3-8b-fa") is None
    without = mapped_run(2, replace(GRID, maps=MAPS[:1]))
    for run, prompt, said in (
        (without, None, "shows the map residual:denoising, which the run did not measure"),
        (mapped_run(2, Grid(6, maps=MAPS)), None, "shows the metric prob, which the run did not"),
        (mapped_run(2), "x", "no prompt 'x'"),
    ):
        with pytest.raises(InputError, match=said):
            compare_map(run, found("rome-gpt-j"), prompt=prompt)
    for given in ({"effect": Effect("normalised")}, {"metric": "kl"}):
        with pytest.raises(InputError, match="shows the change of prob alone"):
            mlxjsd.compare(mapped_run(2), "rome-gpt-j", **given)  # type: ignore[arg-type]
    flat = measured_as(found("ioi-gpt2-small"))
    records = [replace(record, whole=np.zeros_like(record.whole)) for record in flat.records]
    with pytest.raises(InputError, match="no prompt has a number"):
        compare_map(replace(flat, records=records), found("ioi-gpt2-small"))
