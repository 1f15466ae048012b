"""Which scales a metric has, and how its numbers are written."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxjsd.corruptions import CORRUPTIONS, Corruption
from mlxjsd.metrics import JSD, Metric
from mlxjsd.settings import Settings
from mlxjsd.tui.colours import Scale
from mlxjsd.tui.scales import automatic, scale_label, scales_of, span
from mlxjsd.tui.text import amount, corruption_of, number, row_label

CHANGE = Metric("change", "Change in probability", "", low=-1.0, high=0.5)
LOGIT = Metric("logit", "Logit difference", "nats", low=-math.inf)
KL = Metric("kl", "KL divergence", "nats", low=0.0)


def test_the_scales_are_those_that_the_metric_can_have() -> None:
    assert scales_of(JSD) == {
        "automatic": None,
        "fixed": Scale(0.0, math.log(2)),
        "target": Scale(0.2, 0.6),
    }
    assert scales_of(KL) == {"automatic": None}
    assert scales_of(LOGIT) == {"automatic": None}
    assert scales_of(CHANGE) == {"automatic": None, "fixed": Scale(-1.0, 1.0)}


def test_each_scale_is_said() -> None:
    assert scale_label("fixed", JSD) == "fixed, 0 to 0.69"
    assert scale_label("target", JSD) == "as in the published figure, 0.2 to 0.6"
    assert scale_label("automatic", KL) == "automatic, 0 to the highest value"
    assert scale_label("automatic", LOGIT) == "automatic, as far below 0 as above"


def test_the_automatic_scale_is_around_0_for_a_signed_metric() -> None:
    values = np.array([[0.25, math.nan], [-0.5, 0.0]])
    assert automatic(values, LOGIT) == Scale(-0.5, 0.5)
    assert automatic(np.abs(values), KL) == Scale(0.0, 0.5)
    for nothing in (np.full(3, math.nan), np.zeros(3), np.empty(0)):
        assert automatic(nothing, KL) == Scale(0.0, 1e-3)


def test_a_histogram_spans_what_is_possible_or_else_what_there_is() -> None:
    values = np.array([-0.25, 3.0])
    assert span(values, JSD) == Scale(0.0, math.log(2))
    assert span(values, CHANGE) == Scale(-1.0, 0.5)
    assert span(values, KL) == Scale(0.0, 3.0)
    assert span(values, LOGIT) == Scale(-3.0, 3.0)


@pytest.mark.parametrize(
    ("value", "columns", "signed", "said"),
    [
        (0.567, 6, False, "0.57"), (0.567, 4, False, "0.57"), (0.567, 3, False, ".57"),
        (0.567, 2, False, ".6"), (10.25, 5, False, "10.25"), (10.25, 4, False, "10.2"),
        (10.25, 2, False, "10"), (123.4, 2, False, ""), (0.25, 9, True, "+.25"),
        (-0.25, 4, True, "-.25"), (-10.25, 6, True, "-10.25"), (-10.25, 4, True, "-10"),
        (0.0, 4, True, "+.00"),
    ],
)  # fmt: skip
def test_a_number_has_the_decimals_that_fit(
    value: float, columns: int, signed: bool, said: str
) -> None:
    assert number(value, columns, signed=signed) == said


@given(st.floats(-1e4, 1e4), st.integers(1, 9), st.booleans())
def test_a_number_is_never_cut_into_another_one(value: float, columns: int, signed: bool) -> None:
    said = number(value, columns, signed=signed)
    assert len(said) <= columns
    if said:
        decimals = len(said.partition(".")[2])
        assert float(said) == pytest.approx(value, abs=0.5000001 * 10.0**-decimals)


def test_an_amount_has_its_unit_and_sign() -> None:
    assert amount(0.42129, JSD) == "0.4213 nats"
    assert amount(0.42129, CHANGE) == "+0.4213"


def test_the_corruption_is_said_in_a_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert corruption_of(Settings()) == "noise 3σ"
    assert corruption_of(Settings(noise_level=2.5, noise_samples=4)) == "noise 2.5σ ×4"
    assert corruption_of(Settings(corruption="swap", noise_samples=4)) == "swapped subjects"
    monkeypatch.setitem(CORRUPTIONS, "zero", Corruption("zero", "zeroed subjects", "zeros"))
    assert corruption_of(Settings(corruption="zero")) == "zeroed subjects"


def test_a_row_that_only_its_run_file_knows_is_harmless() -> None:
    assert row_label("attn") == "Attn."
    assert row_label("[b]x\x1b[31m") == "[b]x[31m"
