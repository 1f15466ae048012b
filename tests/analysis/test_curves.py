import numpy as np
import pytest
from records import LAYERS, record, run_of

from mlxjsd.analysis.curves import confidences, cosines, norm_ratios
from mlxjsd.errors import InputError
from mlxjsd.output.curve_figure import plot_curves
from mlxjsd.results import Run
from mlxjsd.settings import MATCHING_RULES, Labelling


def labelled(**changes):  # type: ignore[no-untyped-def]
    run = run_of(30)
    labelling = {"match": "contains", "threshold": None, "rules": MATCHING_RULES}
    groups = {c: np.linspace(0, 1, LAYERS).tolist() for c in run.labels().present()}
    fields = {"cosines": {"labelling": labelling, "groups": groups}, **changes}
    return run_of(30, **fields)


def test_norms_are_a_ratio_to_those_of_factual_associations() -> None:
    run = labelled()
    ratios = norm_ratios(run.categories())
    assert list(ratios) == ["FA", "AH", "UH"]
    np.testing.assert_allclose(ratios["FA"], 1)
    categories = run.labels().categories
    pairs = list(zip(run.records, categories, strict=True))
    of = {name: np.mean([r.norms for r, c in pairs if c == name], axis=0) for name in ratios}
    np.testing.assert_allclose(ratios["AH"], of["AH"] / of["FA"], rtol=1e-6)


def cosines_of(run: Run) -> dict[str, np.ndarray]:
    return cosines(run.categories(), run.cosines, run.criteria)


def test_cosines_hold_for_the_labels_they_were_taken_with() -> None:
    assert list(cosines_of(labelled())) == ["FA", "AH", "UH"]
    with pytest.raises(InputError, match="finish it first"):
        cosines_of(labelled(cosines={}))
    with pytest.raises(InputError, match="leave out --match"):
        cosines_of(labelled(labelling=Labelling(match="prefix")))


def test_confidence_splits_the_prompts() -> None:
    found = confidences(labelled().categories())
    assert sum(len(c.probability) for c in found.values()) == 30


@pytest.mark.parametrize("kind", ["norms", "cosine", "probability"])
def test_curves_are_drawn_by_category(kind: str) -> None:
    axes = plot_curves(labelled(), kind).axes[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["FA", "AH", "UH"]


def test_runs_without_categories_are_refused() -> None:
    run = run_of(records=[record(0, answers=())])
    with pytest.raises(InputError, match="no categories"):
        plot_curves(run, "norms")
    with pytest.raises(InputError, match="no answer of the run is right"):
        norm_ratios(run_of(records=[record(1)]).categories())
    with pytest.raises(InputError, match="--kind is"):
        plot_curves(run, "colours")
