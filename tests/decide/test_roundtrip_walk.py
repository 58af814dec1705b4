"""Trips folded a stretch of rows at a time add up to what trips folded one by one add up to, and leave equal books."""

import random
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
from tests.decide.roundtrip_kit import START_MS, Made, columns


def _made(chance: random.Random, style: str) -> list[Made]:
    """Fills of one size as a grid makes them (`grid`), with others among them (`mixed`), or of any kind (`wild`)."""
    made: list[Made] = []
    at_ms, strange = START_MS, {"grid": 0.0, "mixed": 0.15, "wild": 1.0}[style]
    for number in range(1, 241):
        at_ms += chance.choice([0, 60, 60, 700, 7_000] if chance.random() < 0.98 else [3_600_000])
        odd = chance.random() < strange
        order = chance.randint(0, 6) if odd else number + 6
        sign = (1 if order % 2 else -1) if odd and order else chance.choice([1, -1])
        level = -sign * chance.randint(1, 4) if order else 0
        price = 600_000 + chance.randint(-50, 50)
        made.append(
            Made(
                number, at_ms, sign, price, chance.randint(1, 5) if odd else 2, level, order,
                fee_e8=chance.choice([0, 7, 12_345]), fee_asset="BNB" if odd and chance.random() < 0.1 else "USDT",
                maker=chance.random() < 0.8, mid2=chance.choice([0, 2 * price + 3]),
                intended=chance.choice([0, price + 1]),
            )
        )  # fmt: skip
    return made


def _marks(chance: random.Random, made: list[Made]) -> Marks:
    """Mids around most fills, none around others."""
    marks = Marks()
    for each in made:
        for _ in range(chance.choice([0, 0, 1, 6])):
            marks.add(each.at_ms + chance.randint(-900, 11_000), 1_200_000 + chance.randint(-90, 90))
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


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("style", ["grid", "mixed", "wild"])
def test_stretches_add_up_to_what_single_trips_add_up_to(
    monkeypatch: pytest.MonkeyPatch, seed: int, style: str
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(roundtrip_walk, "ROWS", chance.choice([3, 50, 1_000]))
    monkeypatch.setattr(roundtrip_totals, "MOST_STRETCHES", 6)
    made = _made(chance, style)
    span_ms = made[-1].at_ms - START_MS
    paid = [(START_MS + chance.randint(0, span_ms), chance.randint(-50, 50)) for _ in range(seed % 3)]
    fills = columns(made, paid, opening=chance.choice([0, 0, 2, -1]))
    fills.regimes += [(START_MS - 1, "range"), (START_MS + span_ms // 2, "trend")]
    marks, by = _marks(chance, made), list(KEYS)[seed % len(KEYS)]
    rates = {"BNB": Decimal("612.5")} if seed % 2 else {}
    sides = [(Pairing(fills, marks), {False: Tally(rates, KEYS[by]), True: Tally(rates)}, Laws()) for _ in range(2)]
    trips: list[Trip] = []
    plain: list[tuple[int, ...]] = []
    for until_ms in (START_MS + span_ms // 3, NEVER_MS):
        trips += _one_by_one(sides[0][0], until_ms, *sides[0][1:])
        plain += _by_stretches(sides[1][0], until_ms, *sides[1][1:])
        one, other = sides
        assert repr(other[0].books) == repr(one[0].books)
        assert (other[0].next_row, other[0].funded) == (one[0].next_row, one[0].funded)
        for episode in (False, True):
            assert _told(other[1][episode]) == _told(one[1][episode])
        assert repr(other[2]) == repr(one[2])
    owned = {tuple(row for row, _, _ in trip.slices) for trip in trips if not trip.episode}
    assert owned.issuperset(plain)


def test_a_grid_that_fills_whole_orders_has_plain_trips_alone() -> None:
    made = [Made(n, START_MS + n, 1 if n % 2 else -1, 600_000 + n, 2, 1, n) for n in range(1, 101)]
    fills: Fills = columns(made)
    found = list(roundtrip_walk.stretches(Pairing(fills)))
    assert [len(each.exits) for each in found] == [len(each.lasts) for each in found] == [50]
    assert not any(each.rungs or each.episodes for each in found)
