"""Round trips at both levels: they own every lot once, in any order of arrival, and their money is the fills' money."""

import random
from collections import Counter
from decimal import Decimal

import pytest
from gridops.decide import roundtrip
from gridops.decide.roundtrip import TripBook
from gridops.decide.roundtrip_fills import Fills, e8, money
from gridops.decide.roundtrip_live import LiveTrips
from gridops.decide.roundtrip_marks import GAP_MS, Marks
from gridops.decide.roundtrip_pairing import Pairing
from gridops.decide.roundtrip_trip import OPENING, Trip
from gridops.domain.orders import Fill
from gridops.domain.vocabulary import Side
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.roundtrip_kit import START_MS, Made, columns, flows, instrument, slow_episodes, slow_rungs
from tests.effort import examples

UNIT = instrument().unit
FUNDING = st.lists(st.tuples(st.integers(START_MS - 5, START_MS + 60_000), st.integers(-1_000, 1_000)), max_size=4)


def _fold(fills: Fills, marks: Marks | None = None) -> tuple[list[Trip], list[Trip]]:
    """(closed, open) trips of both levels."""
    pairing = Pairing(fills, marks)
    closed = list(pairing.run())
    return closed, pairing.open_trips(episode=False) + pairing.open_trips(episode=True)


def _lots(trip: Trip) -> tuple[object, ...]:
    """A trip as its single lots, in the form of the slow references."""
    entries: list[tuple[int, int]] = []
    exits: list[tuple[int, int]] = []
    for row, start, stop in trip.slices:
        lots = [(trip.fills.trade_id[row], lot) for lot in range(start, stop)]
        (entries if trip.fills.sign[row] == trip.side else exits).extend(lots)
    return trip.side, tuple(entries), tuple(exits)


@settings(max_examples=examples(100), deadline=None)
@given(made=flows())
def test_both_levels_pair_as_a_lot_by_lot_recomputation_does(made: list[Made]) -> None:
    closed, still = _fold(columns(made))
    for episode, slow in ((False, slow_rungs(made)), (True, slow_episodes(made))):
        for ours, theirs in ((closed, slow[0]), (still, slow[1])):
            got = Counter(_lots(trip) for trip in ours if trip.episode is episode)
            assert got == Counter(trip.key for trip in theirs)


@settings(max_examples=examples(100), deadline=None)
@given(made=flows(), funding=FUNDING)
def test_each_level_owns_every_lot_and_every_unit_of_money_once(
    made: list[Made], funding: list[tuple[int, int]]
) -> None:
    fills = columns(made, funding)
    pairing = Pairing(fills)
    closed = list(pairing.run())
    for episode in (False, True):
        trips = [t for t in closed if t.episode is episode] + pairing.open_trips(episode=episode)
        owned: Counter[tuple[int, int]] = Counter()
        for trip in trips:
            for row, start, stop in trip.slices:
                owned.update((fills.trade_id[row], lot) for lot in range(start, stop))
        assert owned == Counter({(each.trade_id, lot): 1 for each in made for lot in range(each.lots)})
        # Cash, from the fills alone: what open trips hold is in it at their entry.
        cash = sum(-each.sign * each.price * each.lots for each in made)
        assert sum(trip.gross for trip in trips) == UNIT * cash
        for asset in ("USDT", "BNB"):
            paid = sum(each.fee_e8 for each in made if each.fee_asset == asset)
            booked = sum(t.fee_e8 if asset == "USDT" else dict(t.other_fees).get(asset, 0) for t in trips)
            assert booked == paid
        assert sum(t.funding_e8 for t in trips) + pairing.books.unbooked_e8 == sum(amount for _, amount in funding)
        position = sum(each.sign * each.lots for each in made)
        assert sum(t.open_lots * t.side for t in trips) == position


@settings(max_examples=examples(80), deadline=None)
@given(made=flows(), funding=FUNDING, seed=st.integers(0, 1 << 30))
def test_any_order_of_arrival_in_any_portions_with_doubles_gives_the_same_trips(
    made: list[Made], funding: list[tuple[int, int]], seed: int
) -> None:
    chance = random.Random(seed)
    arriving: list[Made | tuple[int, int]] = [*made, *chance.choices(made, k=3), *funding]
    chance.shuffle(arriving)
    live = LiveTrips(columns([]))
    while arriving:
        size = chance.randrange(1, 9)
        portion, arriving = arriving[:size], arriving[size:]
        live.add(
            columns(
                [each for each in portion if isinstance(each, Made)],
                [each for each in portion if not isinstance(each, Made)],
            )
        )
    closed, still = _fold(columns(made, funding))
    assert [_said(trip) for trip in live.closed] == [_said(trip) for trip in closed]
    assert [_said(t) for e in (False, True) for t in live.open_trips(episode=e)] == [_said(trip) for trip in still]


def _said(trip: Trip) -> tuple[object, ...]:
    return (
        trip.trip_id, trip.episode, trip.side, trip.level, trip.policy, trip.entry_ms, trip.exit_ms, trip.lots,
        trip.closed_lots, trip.gross, trip.fee_e8, trip.other_fees, trip.funding_e8, trip.slip_level_units,
        trip.slip_mid2_units, trip.entry_maker_lots, trip.exit_maker_lots, trip.close_reason, tuple(trip.fill_ids()),
    )  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(made=flows())
def test_the_engines_own_book_closes_the_same_rungs(made: list[Made]) -> None:
    # The engine's book keeps fills of nobody's order apart by their empty id, and so does the fold.
    book, theirs = TripBook(), []
    for each in made:
        fill = Fill(
            symbol="BTCUSDT", trade_id=each.trade_id, client_id=f"o{each.order}" if each.order else "", venue_id="",
            side=Side.BUY if each.sign > 0 else Side.SELL, level=each.level, price_ticks=each.price, lots=each.lots,
            fee=money(each.fee_e8), fee_asset=each.fee_asset, realised=Decimal(0), maker=each.maker, at_ms=each.at_ms,
            intended_ticks=each.intended,
        )  # fmt: skip
        theirs += roundtrip.apply(book, fill, instrument())
    ours = [trip for trip in _fold(columns(made))[0] if not trip.episode]
    assert [(t.level, t.lots, t.entry_units, t.exit_units, t.gross, t.slip_level_units) for t in ours] == [
        (t.level, t.lots, t.entry_ticks_x_lots, t.exit_ticks_x_lots, t.gross, t.slippage_units) for t in theirs
    ]


def test_a_flip_is_split_at_zero_on_both_levels_and_its_fee_to_the_last_unit() -> None:
    closed, still = _fold(columns([Made(1, 1, 1, 600_000, 2), Made(2, 2, -1, 600_100, 3, fee_e8=10)]))
    assert [(t.episode, t.lots, t.closed_lots, t.fee_e8) for t in closed] == [(False, 2, 2, 6), (True, 2, 2, 6)]
    assert [(t.episode, t.side, t.lots, t.fee_e8) for t in still] == [(False, -1, 1, 4), (True, -1, 1, 4)]
    assert closed[0].gross == UNIT * 200


def test_a_position_from_before_keeps_its_exact_price() -> None:
    fills = columns([Made(1, START_MS, -1, 600_100, 5)], opening=5)
    closed, still = _fold(fills)
    assert not still and [t.policy for t in closed] == ["opening", "opening"]
    exact = (Decimal("60010.0") - Decimal("60000.123")) * Decimal("0.005")
    assert [t.gross for t in closed] == [exact, exact]
    assert closed[0].slices[0][0] == OPENING and closed[0].fill_ids() == [1]


def test_funding_goes_to_what_was_open_at_its_time_even_when_it_is_told_late() -> None:
    made = [Made(1, 1_000, 1, 600_000, 1, -1, 1), Made(2, 2_000, 1, 600_000, 2, -2, 3), Made(3, 3_000, -1, 600_000, 3)]
    closed, _ = _fold(columns(made, [(2_500, -10), (3_000, 5), (9_000, 7)]))
    assert {t.lots: t.funding_e8 for t in closed} == {1: -3, 2: -7, 3: -10}


def test_what_opened_and_closed_a_trip_is_named() -> None:
    made = [
        Made(1, 1, 1, 600_000, 1, level=-1, order=1),
        Made(2, 2, -1, 600_000, 1, level=0, order=2),
        Made(3, 3, 1, 600_000, 1),
        Made(4, 4, -1, 600_000, 1, level=1, order=3),
        Made(-1, 5, -1, 600_000, 1),
        Made(6, 6, 1, 600_000, 1, level=-1, order=5),
    ]
    said = [(t.policy, t.close_reason) for t in _fold(columns(made))[0] if not t.episode]
    assert said == [("grid", "exit"), ("external", "grid"), ("unattributed", "grid")]


def test_marks_out_and_excursions_are_of_the_mid_that_was_seen() -> None:
    marks = Marks()
    for at_ms, mid2 in ((0, 200), (500, 190), (1_000, 204), (1_900, 230), (10_900, 220), (11_100, 300)):
        marks.add(at_ms, mid2)
    marks.close()
    closed, _ = _fold(columns([Made(1, 100, 1, 100, 3, -1, 1), Made(2, 2_000, -1, 110, 3, 1, 2)]), marks)
    trip = closed[0]
    # At 1,100 the mid is 102, at 10,100 the newest mid is eight seconds old, at 60,100 the path has ended.
    assert trip.mark_out2_units == ((204 - 200) * 3, None, None)
    assert (trip.adverse2_units, trip.favour2_units) == ((190 - 200) * 3, (230 - 200) * 3)


@settings(max_examples=examples(80), deadline=None)
@given(
    seen=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 1_000)), max_size=200),
    asked=st.lists(st.tuples(st.integers(-10, 21_000), st.integers(0, 21_000)), max_size=10),
)
def test_the_mid_and_its_extremes_are_those_of_a_plain_search(
    seen: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    marks = Marks()
    for at_ms, mid2 in seen:
        marks.add(at_ms, mid2)
    marks.close()
    path = sorted(seen, key=lambda pair: pair[0])
    for from_ms, length in asked:
        inside = [mid2 for at_ms, mid2 in path if from_ms <= at_ms <= from_ms + length]
        assert marks.extremes(from_ms, from_ms + length) == ((min(inside), max(inside)) if inside else None)
        before = [(at_ms, mid2) for at_ms, mid2 in path if at_ms <= from_ms]
        known = before and from_ms - before[-1][0] <= GAP_MS and from_ms <= path[-1][0]
        assert marks.at(from_ms) == (before[-1][1] if known else None)


def test_long_paths_have_the_extremes_of_a_plain_search() -> None:
    chance = random.Random(5)
    marks, mids = Marks(), [chance.randrange(1, 10**6) for _ in range(5_000)]
    for at_ms, mid2 in enumerate(mids):
        marks.add(at_ms, mid2)
    marks.close()
    for _ in range(300):
        low, high = sorted((chance.randrange(5_000), chance.randrange(5_000)))
        assert marks.extremes(low, high) == (min(mids[low : high + 1]), max(mids[low : high + 1]))


def test_money_finer_than_the_venues_is_refused() -> None:
    assert money(e8(Decimal("-0.00000001"))) == Decimal("-0.00000001")
    with pytest.raises(ValueError, match="finer"):
        e8(Decimal("0.000000001"))
