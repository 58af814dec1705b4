"""Trips folded a stretch of rows at a time add up to what trips folded one by one add up to, and leave equal books."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from gridops.decide import roundtrip_columns, roundtrip_totals, roundtrip_walk
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_law import Books as Laws
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.roundtrip_pairing import NEVER_MS, Pairing
from gridops.decide.roundtrip_totals import KEYS, Tally
from gridops.decide.roundtrip_trip import Trip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.decide.roundtrip_kit import START_MS, Made, columns, flows
from tests.effort import examples

RATES = {"BNB": Decimal("612.5")}


@st.composite
def grids(draw: st.DrawFn) -> list[Made]:
    """Mostly whole fills of one size, as a grid makes them, with fees in one asset; now and then something else."""
    made: list[Made] = []
    at_ms, size = START_MS, draw(st.integers(1, 3))
    for number in range(1, draw(st.integers(1, 60)) + 1):
        at_ms += draw(st.sampled_from([0, 60, 60, 900, 3_600_000]))
        sign = draw(st.sampled_from([1, -1]))
        odd = draw(st.integers(0, 15)) == 0
        price = 600_000 + draw(st.integers(-50, 50))
        made.append(
            Made(
                number, at_ms, sign, price, draw(st.integers(1, 5)) if odd else size,
                0 if odd else -sign * draw(st.integers(1, 3)), draw(st.integers(0, 3)) if odd else number + 3,
                fee_e8=draw(st.sampled_from([0, 12_345])),
                fee_asset="BNB" if draw(st.integers(0, 40)) == 0 else "USDT",
                maker=draw(st.booleans()), mid2=draw(st.sampled_from([0, 2 * price + 3])), intended=price + 1,
            )
        )  # fmt: skip
    return made


def _marks(seen: list[tuple[int, int]]) -> Marks:
    marks = Marks()
    for after_ms, move in seen:
        marks.add(START_MS + after_ms, 1_200_000 + move)
    marks.close()
    return marks


def _told(tally: Tally) -> tuple[Any, ...]:
    return list(tally._sums), [repr(each) for each in tally._sums.values()], tally.stretch_ms, tally.stretches


def _by_stretches(pairing: Pairing, until_ms: int, tallies: dict[bool, Tally], laws: Laws) -> list[tuple[int, ...]]:
    """Plain trips that were met, as what opened and closed them."""
    plain: list[tuple[int, ...]] = []
    for found in roundtrip_walk.stretches(pairing, until_ms):
        rungs, episodes = roundtrip_columns.columns(pairing.fills, pairing.outs.marks, found)
        tallies[False].add_columns(pairing.fills, rungs, found.rungs)
        tallies[True].add_columns(pairing.fills, episodes, found.episodes)
        laws.closed_columns(rungs)
        for _, trip in found.rungs:
            laws.closed(trip)
        plain += zip(rungs.rows, [found.start + row for row in found.exits], strict=True)
    return plain


def _one_by_one(pairing: Pairing, until_ms: int, tallies: dict[bool, Tally], laws: Laws) -> list[Trip]:
    trips = list(pairing.run(until_ms))
    for trip in trips:
        tallies[trip.episode].add(trip)
        if not trip.episode:
            laws.closed(trip)
    return trips


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.one_of(grids(), grids(), flows()),
    seen=st.lists(st.tuples(st.integers(0, 30_000), st.integers(-90, 90)), max_size=40),
    paid=st.lists(st.tuples(st.integers(0, 20_000), st.integers(-50, 50)), max_size=2),
    opening=st.sampled_from([0, 0, 2, -1]),
    by=st.sampled_from(sorted(KEYS)),
    rates=st.sampled_from([{}, RATES]),
    rows=st.sampled_from([1, 5, 1_000]),
    cut=st.integers(0, 20_000),
)
def test_stretches_add_up_to_what_single_trips_add_up_to(
    monkeypatch: pytest.MonkeyPatch, made: list[Made], seen: list[tuple[int, int]], paid: list[tuple[int, int]],
    opening: int, by: str, rates: dict[str, Decimal], rows: int, cut: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(roundtrip_walk, "ROWS", rows)
    monkeypatch.setattr(roundtrip_totals, "MOST_STRETCHES", 6)
    fills = columns(made, [(START_MS + after_ms, amount) for after_ms, amount in paid], opening=opening)
    fills.regimes += [(START_MS - 1, "range"), (START_MS + 9_000, "trend")]
    marks = _marks(seen)
    sides = [(Pairing(fills, marks), {False: Tally(rates, KEYS[by]), True: Tally(rates)}, Laws()) for _ in range(2)]
    trips: list[Trip] = []
    plain: list[tuple[int, ...]] = []
    for until_ms in (START_MS + cut, NEVER_MS):
        trips += _one_by_one(sides[0][0], until_ms, *sides[0][1:])
        plain += _by_stretches(sides[1][0], until_ms, *sides[1][1:])
        one, other = sides
        assert repr(other[0].books) == repr(one[0].books)
        assert (other[0].next_row, other[0].funded) == (one[0].next_row, one[0].funded)
        for episode in (False, True):
            assert _told(other[1][episode]) == _told(one[1][episode])
        assert repr(copy.copy(other[2])) == repr(one[2])
    owned = {tuple(row for row, _, _ in trip.slices) for trip in trips if not trip.episode}
    assert owned.issuperset(plain)


def test_a_grid_that_fills_whole_orders_has_plain_trips_alone() -> None:
    made = [Made(n, START_MS + n, 1 if n % 2 else -1, 600_000 + n, 2, 1, n) for n in range(1, 101)]
    fills: Fills = columns(made)
    found = list(roundtrip_walk.stretches(Pairing(fills)))
    assert [len(each.exits) for each in found] == [len(each.lasts) for each in found] == [50]
    assert not any(each.rungs or each.episodes for each in found)
