"""Fast integer conversion equals Decimal arithmetic, digit by digit."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from gridops.adapters.venue_scale import Scale
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.sampled_from(
    [Decimal(s) for s in ("0.1", "0.10", "0.01000", "0.0005", "0.25", "1", "5", "10", "1E+2", "0.00000001")]
)
NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=8, allow_nan=False)


@given(SIZES, st.integers(-(10**12), 10**12))
def test_text_and_back(size: Decimal, count: int) -> None:
    text = Scale(size).text(count)
    assert Decimal(text) == size * count
    assert "E" not in text and Scale(size).exact(text) == count


@given(SIZES, NUMBERS)
def test_exact_agrees_with_division(size: Decimal, number: Decimal) -> None:
    count = number / size
    if count == count.to_integral_value():
        assert Scale(size).exact(format(number, "f")) == int(count)
    else:
        with pytest.raises(ValueError):
            Scale(size).exact(format(number, "f"))


@given(SIZES, NUMBERS)
def test_nearest_rounds_half_to_even(size: Decimal, number: Decimal) -> None:
    assert Scale(size).nearest(format(number, "f")) == int((number / size).to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    "text", ["", "-", ".", "1e5", "NaN", "Infinity", " 1", "1_0", "+1", "1.2.3", "1.-5", "--1", "١", "²"]
)
def test_only_plain_decimals_are_read(text: str) -> None:
    with pytest.raises(ValueError):
        Scale(Decimal("0.1")).exact(text)
    with pytest.raises(ValueError):
        Scale(Decimal("0.1")).nearest(text)


@pytest.mark.parametrize("size", ["0", "-1", "NaN", "Infinity"])
def test_a_grid_has_a_positive_size(size: str) -> None:
    with pytest.raises(ValueError):
        Scale(Decimal(size))
