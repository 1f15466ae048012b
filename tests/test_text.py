"""Numbers as people read them."""

import pytest

from mlxjsd.text import tiny


@pytest.mark.parametrize(
    ("value", "said"),
    [(2.24e-8, "2.2e-08"), (0.0, "0"), (-0.0, "0"), (5e-324, "4.9e-324"), (float("nan"), "nan")],
)
def test_what_is_nearly_zero_is_no_zero(value: float, said: str) -> None:
    assert tiny(value) == said
