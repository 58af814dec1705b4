"""Totals and groups are the plain sums of the trips; the course ends at the total however long it is told."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from gridops.decide import roundtrip_totals
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_pairing import Pairing
from gridops.decide.roundtrip_totals import KEYS, Tally
from gridops.decide.roundtrip_trip import Trip
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.roundtrip_kit import START_MS, Made, columns, flows, instrument
from tests.effort import examples

RATES = {"BNB": Decimal("612.5")}


def _trips(*held: Fills) -> list[Trip]:
    return [trip for fills in held for trip in Pairing(fills).run() if not trip.episode]


def _tallied(trips: Iterable[Trip], by: str | None = None, rates: dict[str, Decimal] | None = None) -> Tally:
    tally = Tally(RATES if rates is None else rates, KEYS[by] if by else None)
    for trip in trips:
        tally.add(trip)
    return tally


@settings(max_examples=examples(60), deadline=None)
@given(made=flows(), other=flows(), by=st.sampled_from(sorted(KEYS)))
def test_groups_and_totals_are_the_sums_of_their_trips(made: list[Made], other: list[Made], by: str) -> None:
    eth = columns(other, of=instrument("ETHUSDT"))
    trips = _trips(columns(made), eth)
    tally = _tallied(trips, by)
    groups = tally.groups()
    assert set(groups) == {KEYS[by](trip) for trip in trips}
    for name, held in [("", tally.total()), *groups.items()]:
        mine = [trip for trip in trips if not name or KEYS[by](trip) == name]
        assert held.trips == len(mine)
        assert held.net == sum((trip.net(RATES) for trip in mine), start=Decimal(0))
        assert held.gross == sum((trip.gross for trip in mine), start=Decimal(0))
        assert held.fees == sum((trip.fees(RATES)[0] for trip in mine), start=Decimal(0))
        assert held.wins == sum(trip.net(RATES) > 0 for trip in mine)
        assert held.unvalued_trips == 0
    points = tally.course(7)
    assert len(points) <= 7
    if trips:
        assert (points[-1].trips, points[-1].net) == (len(trips), tally.total().net)


def test_a_fee_without_a_rate_is_flagged_and_never_counted() -> None:
    made = [
        Made(1, START_MS, 1, 600_000, 1, fee_e8=100, fee_asset="BNB"),
        Made(2, START_MS + 1, -1, 600_100, 1, fee_e8=300, fee_asset="USDT"),
    ]
    trips = _trips(columns(made))
    blind, seeing = _tallied(trips, rates={}).total(), _tallied(trips).total()
    assert (blind.unvalued_trips, blind.unvalued_fees) == (1, {"BNB": Decimal("0.00000100")})
    assert blind.fees == Decimal("0.00000300")
    assert (seeing.unvalued_trips, seeing.unvalued_fees) == (0, {})
    assert seeing.fees == Decimal("0.00000300") + Decimal("0.00000100") * Decimal("612.5")
    assert blind.fees_by_asset == seeing.fees_by_asset == {"USDT": Decimal("0.000003"), "BNB": Decimal("0.000001")}


@pytest.mark.parametrize("most", [1, 2, 5, 100])
def test_a_long_course_is_told_in_longer_stretches_and_ends_at_the_same_sum(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(roundtrip_totals, "MOST_STRETCHES", 10)
    made = [Made(n, START_MS + n * 3_000, 1 if n % 2 else -1, 600_000 + n, 1) for n in range(1, 201)]
    tally = _tallied(_trips(columns(made)))
    points = tally.course(most)
    assert len(tally.stretches) <= 10 and len(points) <= most
    assert (points[-1].net, points[-1].trips) == (tally.total().net, 100)
    assert [p.at_ms for p in points] == sorted({p.at_ms for p in points})


def test_a_trips_level_regime_side_and_hour_are_those_of_its_entry() -> None:
    fills = columns([Made(1, START_MS, -1, 600_000, 1, level=2, order=2), Made(2, START_MS + 9_000_000, 1, 600_000, 1)])
    fills.regimes += [(START_MS - 5, "calm"), (START_MS + 1, "trend")]
    (trip,) = _trips(fills)
    said = {name: key(trip) for name, key in KEYS.items()}
    assert said == {"level": "2", "policy": "grid", "regime": "calm", "side": "SELL", "hour": "00"}
